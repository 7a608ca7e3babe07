"""`talk_ratio`: one party has too much, or too little, of the speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.operators.stretches import PARTIES, PENDING_MAX, channel_of, read_party, sides, speaks
from processors.inspect.reader import Node, Reader
from processors.records import CallEnded, Tick, Utterance

STEP_MS: Final = 1000
"""With `from_s` the share is judged at each full second, whichever records come in between."""


@dataclass(frozen=True, slots=True)
class TalkRatio(Measuring):
    """Share of one party in the speech of both. Holds at most once a call."""

    of: str
    more_than: float | None = None
    less_than: float | None = None
    from_ms: int | None = None
    """Judged at each second from here on; None: at the end of the call only."""

    word = "talk_ratio"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "of": {"enum": list(PARTIES)},
            "more_than": {"type": "number", "minimum": 0, "maximum": 1},
            "less_than": {"type": "number", "minimum": 0, "maximum": 1},
            "from_s": {"type": "number", "exclusiveMinimum": 0},
        },
        "oneOf": [{"required": ["more_than"]}, {"required": ["less_than"]}],
        "additionalProperties": False,
    }
    takes_role = False
    observes = (Utterance, Tick, CallEnded)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {of, more_than or less_than, from_s}."""
        found = reader.mapping(node, "talk_ratio", ("of", "more_than", "less_than", "from_s"))
        if ("more_than" in found) == ("less_than" in found) and found:
            reader.problem(node, "talk_ratio needs either 'more_than' or 'less_than'")
        limits = {
            key: reader.number(found[key], key, least=0, most=1) for key in ("more_than", "less_than") if key in found
        }
        from_ms = reader.seconds(found["from_s"], "from_s") if "from_s" in found else None
        return cls(of=read_party(found, "of", node, reader, "talk_ratio"), from_ms=from_ms, **limits)

    def role_of(self) -> str:
        return "line"

    def start(self, call: Call) -> Json:
        """[next second to judge, own milliseconds before it, the other's, stretches [start, end, own] beyond it]."""
        first_ms = 0 if self.from_ms is None else -(-self.from_ms // STEP_MS) * STEP_MS
        return [first_ms, 0, 0, []]

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        next_ms, own_ms, other_ms, open_ = memory
        own, other = sides(call, self.of)
        if next_ms < 0 or not own or not other:
            return memory, []
        if speaks(record, own + other):
            open_ = [*open_, [record.start_ms, record.end_ms, int(record.channel in own)]]
        frontier_ms = call.frontier_ms()
        if len(open_) > PENDING_MAX:
            frontier_ms = max(frontier_ms, sorted(open_)[len(open_) // 2][0])
        hits: list[Hit] = []
        if self.from_ms is None:
            own_ms, other_ms, open_ = _fold(own_ms, other_ms, open_, frontier_ms)
            hits = self._judge(call.call_ms, own_ms, other_ms, call) if call.ended else []
        else:
            while not hits and next_ms <= frontier_ms:
                own_ms, other_ms, open_ = _fold(own_ms, other_ms, open_, next_ms)
                hits = self._judge(next_ms, own_ms, other_ms, call)
                next_ms += STEP_MS
            own_ms, other_ms, open_ = _fold(own_ms, other_ms, open_, frontier_ms)
        new: Any = [-1, 0, 0, []] if hits else [next_ms, own_ms, other_ms, open_]
        return (memory if new == memory else new), hits

    def _judge(self, until_ms: int, own_ms: int, other_ms: int, call: Call) -> list[Hit]:
        if own_ms + other_ms == 0:
            return []
        share = own_ms / (own_ms + other_ms)
        if not (share > self.more_than if self.more_than is not None else share < (self.less_than or 0.0)):
            return []
        return [Hit(0, until_ms, channel=channel_of(call, self.of), role=self.of, value=round(share, 4))]


def _fold(own_ms: int, other_ms: int, open_: list[list[int]], until_ms: int) -> tuple[int, int, list[list[int]]]:
    """Count the speech before `until_ms` and give back what lies beyond."""
    beyond = []
    for start_ms, end_ms, own in open_:
        inside_ms = max(0, min(end_ms, until_ms) - start_ms)
        own_ms, other_ms = own_ms + inside_ms * own, other_ms + inside_ms * (1 - own)
        if end_ms > until_ms:
            beyond.append([max(start_ms, until_ms), end_ms, own])
    return own_ms, other_ms, beyond
