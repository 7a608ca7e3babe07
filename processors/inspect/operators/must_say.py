"""`must_say`: words that have to be spoken; it holds when they are absent once the deadline has passed for good.

    must_say: {any: [您好, 早上好]}
    first_s: 15

    must_say: [年化利率]
    after: {said: [贷款额度]}
    within_s: 60

Short for `not: {said: ...}` with the same windows. The deadline counts in transcribed time (`final_until_ms`), so that
a phrase that is still being transcribed is never called absent; at the end of the call every deadline has passed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from processors.inspect.operators.base import Combining, Nested
from processors.inspect.operators.said import Said
from processors.inspect.reader import Node, Reader
from processors.inspect.tree import Condition, Group, Leaf


class MustSay(Combining):
    """The absence of what `said` finds."""

    word: ClassVar[str] = "must_say"
    schema: ClassVar[dict[str, Any]] = Said.schema

    @classmethod
    def condition(cls, node: Node, reader: Reader, role: str, nested: Nested) -> Condition | None:
        """not: {said: ...}; the words may be heard in partials as well, but absence is final."""
        before = len(reader.problems)
        said = Said.read_as(cls.word, node, reader)
        if said is None:
            return None
        if said.least == 0 and len(reader.problems) == before:
            reader.problem(node, "'must_say' with 'none' says nothing", "write 'said: {any: [...]}' instead")
        return Group("not", (Leaf(said, role),), name=cls.word)
