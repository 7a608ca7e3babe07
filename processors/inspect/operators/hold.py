"""`hold`: the caller is put on hold for long, or often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.reader import Node, Reader
from processors.records import CallEnded, HoldChanged, Tick


@dataclass(frozen=True, slots=True)
class Hold(Measuring):
    """One hold of at least so long, found while it lasts; or all holds together; or the n-th hold, when it begins."""

    at_least_ms: int | None = None
    total_ms: int | None = None
    times: int | None = None

    word = "hold"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "at_least_s": {"type": "number", "exclusiveMinimum": 0},
            "total_s": {"type": "number", "exclusiveMinimum": 0},
            "times": {"type": "integer", "minimum": 1},
        },
        "minProperties": 1,
        "additionalProperties": False,
    }
    takes_role = False
    observes = (HoldChanged, Tick, CallEnded)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {at_least_s, times} (the n-th hold that is so long), {times} or {total_s}."""
        found = reader.mapping(node, "hold", ("at_least_s", "total_s", "times"))
        if not found or ("total_s" in found and len(found) > 1):
            reader.problem(node, "hold needs 'at_least_s', 'times', both of them, or 'total_s' alone")
        return cls(
            at_least_ms=reader.seconds(found["at_least_s"], "at_least_s") if "at_least_s" in found else None,
            total_ms=reader.seconds(found["total_s"], "total_s") if "total_s" in found else None,
            times=reader.count(found["times"], "times", most=1000) if "times" in found else None,
        )

    @property
    def lag_ms(self) -> int:
        return self.at_least_ms or 0

    def role_of(self) -> str:
        return "line"

    def start(self, call: Call) -> Json:
        """[held since or -1, whether this hold was found, number of holds that count, milliseconds held before]."""
        return [-1, 0, 0, 0]

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        since_ms, found, count, before_ms = memory
        begins = isinstance(record, HoldChanged) and record.held and since_ms < 0
        if begins:
            since_ms, found = record.call_ms, 0
        if since_ms < 0:
            return memory, []
        ends = isinstance(record, HoldChanged) and not record.held
        now_ms = max(since_ms, record.call_ms)
        hits: list[Hit] = []
        need_ms = max(0, (self.at_least_ms or 0) if self.total_ms is None else self.total_ms - before_ms)
        if not found and now_ms - since_ms >= need_ms:
            found, count = 1, count + 1
            wanted = count == self.times if self.times is not None else self.total_ms is None or count == 1
            held_ms = need_ms if self.total_ms is None else self.total_ms
            hits = [Hit(since_ms, since_ms + need_ms, value=count if not held_ms else held_ms / 1000)] if wanted else []
        if ends:
            before_ms, since_ms, found = before_ms + now_ms - since_ms, -1, 0
        new: Json = [since_ms, found, count, before_ms]
        return (memory if new == memory else new), hits
