"""`response_time`: how long one party lets the other wait for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.operators.stretches import PARTIES, channel_of, read_party, settled, sides, speaks
from processors.inspect.reader import Node, Reader
from processors.records import CallEnded, HoldChanged, Tick, Utterance


@dataclass(frozen=True, slots=True)
class ResponseTime(Measuring):
    """From the end of the other party's speech to the first word: longer than a limit, shorter, or between two.

    A long wait is found while it lasts. When the other party goes on, the wait begins anew; a short sound in the middle
    of its speech is no answer; a hold ends the wait.
    """

    of: str
    more_than_ms: int | None
    less_than_ms: int | None = None
    times: int = 1

    word = "response_time"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "of": {"enum": list(PARTIES)},
            "more_than_s": {"type": "number", "minimum": 0},
            "less_than_s": {"type": "number", "exclusiveMinimum": 0},
            "times": {"type": "integer", "minimum": 1},
        },
        "anyOf": [{"required": ["more_than_s"]}, {"required": ["less_than_s"]}],
        "additionalProperties": False,
    }
    takes_role = False
    observes = (Utterance, Tick, HoldChanged, CallEnded)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {of, more_than_s or less_than_s or both, times}."""
        found = reader.mapping(node, "response_time", ("of", "more_than_s", "less_than_s", "times"))
        more, less = found.get("more_than_s"), found.get("less_than_s")
        if more is None and less is None and found:
            reader.problem(node, "response_time needs 'more_than_s' or 'less_than_s'")
        more_ms = None if more is None else reader.seconds(more, "more_than_s")
        less_ms = None if less is None else reader.seconds(less, "less_than_s")
        if less is not None and more_ms is not None and less_ms is not None and less_ms <= more_ms:
            reader.problem(less, "nothing is longer than 'more_than_s' and shorter than this")
        return cls(
            of=read_party(found, "of", node, reader, "response_time"),
            more_than_ms=more_ms,
            less_than_ms=less_ms,
            times=reader.count(found["times"], "times", most=100) if "times" in found else 1,
        )

    @property
    def lag_ms(self) -> int:
        return self.less_than_ms or self.more_than_ms or 0

    def role_of(self) -> str:
        return "line"

    def start(self, call: Call) -> Json:
        """[waiting since or -1, own speech until, found so far, stretches that wait]."""
        return [-1, -1, 0, []]

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        since_ms, own_until_ms, count, pending = memory
        if since_ms < 0 and not pending and isinstance(record, Tick):  # nobody waits
            return memory, []
        own, other = sides(call, self.of)
        if not own or not other:
            return memory, []
        if isinstance(record, HoldChanged):
            pending = [*pending, [record.call_ms, record.call_ms, 2]] if record.held else pending
        elif speaks(record, own + other):
            pending = [*pending, [record.start_ms, record.end_ms, int(record.channel in own)]]
        frontier_ms = min(call.frontier_ms(self.of), call.frontier_ms())
        ready, pending = settled(pending, frontier_ms)
        hits: list[Hit] = []
        for start_ms, end_ms, kind in [*ready, [frontier_ms, 0, 3]]:
            waited_ms = start_ms - since_ms if since_ms >= 0 else 0
            late = self.more_than_ms is not None and waited_ms > self.more_than_ms
            answered = self.less_than_ms is not None and kind == 1 and 0 <= since_ms <= start_ms
            soon = answered and waited_ms < (self.less_than_ms or 0) and (late or self.more_than_ms is None)
            if soon or (late and self.less_than_ms is None):
                count += 1
                hits += [self._hit(since_ms, waited_ms, call)] if self.times in (1, count) else []
                since_ms = -1
            if kind == 0:
                since_ms = max(since_ms, end_ms) if own_until_ms < end_ms else -1
            elif kind == 1:
                own_until_ms = max(own_until_ms, end_ms)
                since_ms = -1 if end_ms >= since_ms else since_ms
            elif kind == 2:
                since_ms = -1
        new: Json = [since_ms, own_until_ms, count, pending]
        return (memory if new == memory else new), hits

    def _hit(self, since_ms: int, waited_ms: int, call: Call) -> Hit:
        # A long wait is told as long as the limit: that much is certain, whichever record proved it.
        told_ms = self.more_than_ms if self.more_than_ms is not None and self.less_than_ms is None else waited_ms
        return Hit(
            start_ms=since_ms,
            end_ms=since_ms + told_ms,
            channel=channel_of(call, self.of),
            role=self.of,
            value=told_ms / 1000,
        )
