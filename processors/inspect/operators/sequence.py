"""`sequence`: conditions hold in this order, each within `within_s` or `within_turns` of the one before.

    sequence:
      - said: {any: [确认办理]}
      - said: {any: [好的, 可以]}
        role: customer
    within_s: 20

A `not` between two steps means: nothing of the kind between them; as the last step: nothing of the kind afterwards.
A step may have a distance of its own, measured from the step before it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar

from processors.inspect.operators.base import Combining, Nested
from processors.inspect.reader import Node, Reader
from processors.inspect.tree import Condition, Group


class Sequence(Combining):
    """Steps in order."""

    word: ClassVar[str] = "sequence"
    schema: ClassVar[dict[str, Any]] = {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/condition"}}

    @classmethod
    def condition(cls, node: Node, reader: Reader, role: str, nested: Nested) -> Condition | None:
        """At least two steps, the first of which is something that happens."""
        steps = [
            nested(item, anchored=index > 0) for index, item in enumerate(reader.items(node, "'sequence'", least=2))
        ]
        kept = tuple(step for step in steps if step is not None)
        if len(kept) != len(steps) or len(kept) < 2:
            return None
        for first, second in pairwise(kept):
            if _negative(first) and _negative(second):
                reader.problem(node, "two absences follow each other in 'sequence'", "join them: not: {any: [...]}")
                return None
        if _negative(kept[0]):
            reader.problem(
                node, "'sequence' begins with an absence", "begin with something that happens, or use 'before'"
            )
            return None
        return Group("sequence", kept, name=cls.word)


def _negative(step: Condition) -> bool:
    return isinstance(step, Group) and step.word == "not"
