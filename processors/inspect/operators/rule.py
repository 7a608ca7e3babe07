"""`rule`: another rule of the set was hit, or was not.

    rule: {hit: abusive-agent}
    rule: {missed: missing-greeting}     # not hit by the end of the call, or of the given window

A rule that does not apply to the call (its scope) is neither hit nor missed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from processors.inspect.operators.base import Combining, Nested
from processors.inspect.reader import Node, Reader, clip, describe, scalar
from processors.inspect.tree import Condition, Group, RuleHit


class RuleOperator(Combining):
    """Hits of another rule, as a condition."""

    word: ClassVar[str] = "rule"
    takes_role: ClassVar[bool] = False
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {"hit": {"type": "string"}, "missed": {"type": "string"}},
    }

    @classmethod
    def condition(cls, node: Node, reader: Reader, role: str, nested: Nested) -> Condition | None:
        """Exactly one of hit and missed; whether the rule exists is known when all files are read."""
        if scalar(node):
            reader.problem(
                node, f"'rule' must be a mapping, not {describe(node)}", f"write {{hit: {clip(scalar(node))}}}"
            )
            return None
        found = reader.mapping(node, "'rule'", ("hit", "missed"))
        if len(found) != 1:
            reader.problem(node, "'rule' needs exactly one of 'hit' and 'missed'")
            return None
        ((key, value),) = found.items()
        rule_id = reader.text(value, f"'{key}' of 'rule'")
        if not rule_id:
            return None
        reader.mentions.append((rule_id, reader.place(value)))
        hit = RuleHit(rule_id)
        return hit if key == "hit" else Group("not", (hit,), name=cls.word)
