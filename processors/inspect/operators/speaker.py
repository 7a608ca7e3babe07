"""`speaker`: the voice is not the one that was enrolled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.operators.stretches import PARTIES
from processors.inspect.reader import Node, Reader
from processors.records import SpeakerCheck


@dataclass(frozen=True, slots=True)
class Speaker(Measuring):
    """Voiceprint checks of a role that failed, so many in a row. Holds once until a check passes."""

    mismatch: str
    times: int = 1

    word = "speaker"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {"mismatch": {"enum": list(PARTIES)}, "times": {"type": "integer", "minimum": 1}},
        "required": ["mismatch"],
        "additionalProperties": False,
    }
    takes_role = False
    observes = (SpeakerCheck,)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {mismatch, times}."""
        found = reader.mapping(node, "speaker", ("mismatch", "times"), ("mismatch",))
        return cls(
            mismatch=reader.choice(found["mismatch"], "mismatch", PARTIES) if "mismatch" in found else PARTIES[0],
            times=reader.count(found["times"], "times", most=100) if "times" in found else 1,
        )

    def role_of(self) -> str:
        return self.mismatch

    def start(self, call: Call) -> Json:
        """[failed in a row, call time of the first of them]."""
        return [0, 0]

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        if record.role != self.mismatch:
            return memory, []
        failed, first_ms = memory
        if record.matched:
            return (memory if not failed else [0, 0]), []
        first_ms = first_ms if failed else record.call_ms
        if failed + 1 != self.times:
            return [failed + 1, first_ms], []
        value = round(record.score, 4)
        return [failed + 1, first_ms], [Hit(first_ms, record.call_ms, record.channel, record.role, value=value)]
