"""`duration`: the call is long, or was short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.reader import Node, Reader
from processors.records import CallEnded, Tick, Utterance


@dataclass(frozen=True, slots=True)
class Duration(Measuring):
    """Length of the call: too long while it goes on, too short when it has ended."""

    more_than_ms: int | None = None
    less_than_ms: int | None = None

    word = "duration"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "more_than_s": {"type": "number", "minimum": 0},
            "less_than_s": {"type": "number", "exclusiveMinimum": 0},
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    takes_role = False
    observes = (Tick, Utterance, CallEnded)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {more_than_s} or {less_than_s}."""
        found = reader.mapping(node, "duration", ("more_than_s", "less_than_s"))
        if len(found) != 1:
            reader.problem(node, "duration needs either 'more_than_s' or 'less_than_s'")
        more, less = found.get("more_than_s"), found.get("less_than_s")
        return cls(
            more_than_ms=None if more is None else reader.seconds(more, "more_than_s"),
            less_than_ms=None if less is None else reader.seconds(less, "less_than_s"),
        )

    @property
    def lag_ms(self) -> int:
        return self.more_than_ms or 0

    def role_of(self) -> str:
        return "line"

    def start(self, call: Call) -> Json:
        """Whether it was found."""
        return 0

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        if memory:
            return memory, []
        if self.more_than_ms is not None and call.call_ms > self.more_than_ms:
            return 1, [Hit(0, self.more_than_ms, value=self.more_than_ms / 1000)]
        if self.less_than_ms is not None and call.ended and call.call_ms < self.less_than_ms:
            return 1, [Hit(0, call.call_ms, value=call.call_ms / 1000)]
        return memory, []
