"""`overlap` (抢话): one party starts while the other speaks, and goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.operators.stretches import PARTIES, PENDING_MAX, read_party, sides, speaks
from processors.inspect.reader import Node, Reader
from processors.records import Utterance


@dataclass(frozen=True, slots=True)
class Overlap(Measuring):
    """Holds for each utterance that begins inside one of the other party and shares enough time with it.

    The one who was there first does not interrupt, however long both go on.
    """

    by: str
    at_least_ms: int
    times: int = 1

    word = "overlap"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "by": {"enum": list(PARTIES)},
            "at_least_ms": {"type": "number", "exclusiveMinimum": 0},
            "times": {"type": "integer", "minimum": 1},
        },
        "required": ["at_least_ms"],
        "additionalProperties": False,
    }
    takes_role = False
    observes = (Utterance,)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {by, at_least_ms, times}."""
        found = reader.mapping(node, "overlap", ("by", "at_least_ms", "times"), ("at_least_ms",))
        return cls(
            by=read_party(found, "by", node, reader, "overlap"),
            at_least_ms=reader.millis(found["at_least_ms"], "at_least_ms") if "at_least_ms" in found else 1000,
            times=reader.count(found["times"], "times", most=100) if "times" in found else 1,
        )

    def role_of(self) -> str:
        return self.by

    def start(self, call: Call) -> Json:
        """[found so far, [utterances that others may still meet: start, end, number, channel, whether found]]."""
        return [0, []]

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        count, recent = memory
        own, other = sides(call, self.by)
        if not own or not other or not speaks(record, own + other):
            return memory, []
        kept = list(recent)
        new = [record.start_ms, record.end_ms, record.utterance_no, record.channel, 0]
        hits: list[Hit] = []
        for index, each in enumerate(kept):
            late, early = (new, each) if record.channel in own else (each, new)
            if late[3] not in own or early[3] not in other or late[4]:
                continue
            shared_ms = min(late[1], early[1]) - late[0]
            if late[0] > early[0] and shared_ms >= self.at_least_ms:
                count += 1
                hits += [self._hit(late, shared_ms)] if self.times in (1, count) else []
                if late is new:
                    new = [*new[:4], 1]
                else:
                    kept[index] = [*each[:4], 1]
        kept.append(new)
        # Utterances of a channel come in order: one that ends before the last one of each channel of the other side
        # has met everything that it can meet.
        # The last one of each channel stays, so that the next record knows how far its channel has come.
        lasts = dict.fromkeys(own + other, 0)
        for each in kept:
            lasts[each[3]] = max(lasts[each[3]], each[1])
        own_ms, other_ms = min(lasts[channel] for channel in own), min(lasts[channel] for channel in other)
        kept = [
            each for each in kept if each[1] > (other_ms if each[3] in own else own_ms) or each[1] == lasts[each[3]]
        ]
        return [count, kept[-PENDING_MAX:]], hits

    def _hit(self, late: list[int], shared_ms: int) -> Hit:
        return Hit(
            start_ms=late[0],
            end_ms=late[0] + shared_ms,
            channel=late[3],
            role=self.by,
            utterance_no=late[2],
            value=float(shared_ms),
        )
