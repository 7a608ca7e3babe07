"""`silence`: nobody, or one role, speaks for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from processors.inspect.operators.base import LINE, Call, Hit, Json, Measuring
from processors.inspect.operators.stretches import PARTIES, channel_of, settled, speaks
from processors.inspect.reader import Node, Reader
from processors.records import CallEnded, HoldChanged, Tick, Utterance


@dataclass(frozen=True, slots=True)
class Silence(Measuring):
    """Holds once for each stretch without speech, as soon as it is certain to be long enough: while it still lasts."""

    of: str
    at_least_ms: int
    holds: bool = False
    """Whether time on hold counts; else a hold ends the stretch and a new one begins after it."""
    times: int = 1

    word = "silence"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "of": {"enum": ["line", *PARTIES], "default": "line"},
            "at_least_s": {"type": "number", "exclusiveMinimum": 0},
            "holds": {"type": "boolean", "default": False},
            "times": {"type": "integer", "minimum": 1},
        },
        "required": ["at_least_s"],
        "additionalProperties": False,
    }
    takes_role = False
    observes = (Utterance, Tick, HoldChanged, CallEnded)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {of, at_least_s, holds, times}."""
        found = reader.mapping(node, "silence", ("of", "at_least_s", "holds", "times"), ("at_least_s",))
        return cls(
            of=reader.choice(found["of"], "'of' of silence", ("line", *PARTIES)) if "of" in found else "line",
            at_least_ms=reader.seconds(found["at_least_s"], "at_least_s") if "at_least_s" in found else 1000,
            holds=reader.flag(found["holds"], "holds") if "holds" in found else False,
            times=reader.count(found["times"], "times", most=100) if "times" in found else 1,
        )

    @property
    def lag_ms(self) -> int:
        return self.at_least_ms

    def role_of(self) -> str:
        return self.of

    def start(self, call: Call) -> Json:
        """[quiet from, whether found already, held from, found so far, stretches that wait]."""
        return [0, 0, -1, 0, []]

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        quiet_ms, found, held_ms, count, pending = memory
        if isinstance(record, HoldChanged) and not self.holds:
            if record.held and held_ms < 0:
                held_ms = record.call_ms
            elif not record.held and held_ms >= 0:
                pending, held_ms = [*pending, [held_ms, record.call_ms]], -1
        elif speaks(record, call.channels(self.of)):
            pending = [*pending, [record.start_ms, record.end_ms]]
        frontier_ms = call.frontier_ms(self.of)
        if not pending and held_ms < 0 and (found or frontier_ms - quiet_ms < self.at_least_ms):
            return memory, []
        ready, pending = settled(pending, frontier_ms)
        if 0 <= held_ms < frontier_ms:
            ready = sorted([*ready, [held_ms, frontier_ms]])
        hits: list[Hit] = []
        for start_ms, end_ms in [*ready, [frontier_ms, 0]]:
            if not found and start_ms - quiet_ms >= self.at_least_ms:
                found, count = 1, count + 1
                hits += [self._hit(quiet_ms, call)] if self.times in (1, count) else []
            if end_ms > quiet_ms:
                quiet_ms, found = end_ms, 0
        new: Json = [quiet_ms, found, held_ms, count, pending]
        return (memory if new == memory else new), hits

    def _hit(self, quiet_ms: int, call: Call) -> Hit:
        return Hit(
            start_ms=quiet_ms,
            end_ms=quiet_ms + self.at_least_ms,
            channel=LINE if self.of == "line" else channel_of(call, self.of),
            role="" if self.of == "line" else self.of,
            value=self.at_least_ms / 1000,
        )
