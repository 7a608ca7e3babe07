"""`level`: somebody is loud, quiet, or suddenly louder than usual."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Self

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.operators.stretches import PARTIES, read_party
from processors.inspect.reader import Node, Reader
from processors.records import Utterance

BASELINE_UTTERANCES: Final = 8
LEAST_BASELINE: Final = 2


@dataclass(frozen=True, slots=True)
class Level(Measuring):
    """Loudness of an utterance in dBFS: above or below a limit, or above the median of the speaker's last ones.

    Holds once until an utterance is within the limit again. Utterances without acoustics tell nothing.
    """

    of: str
    above_db: float | None = None
    below_db: float | None = None
    jump_db: float | None = None

    word = "level"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "of": {"enum": list(PARTIES)},
            "above_db": {"type": "number", "maximum": 0},
            "below_db": {"type": "number", "maximum": 0},
            "jump_db": {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
        },
        "additionalProperties": False,
    }
    takes_role = False
    observes = (Utterance,)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {of, one of above_db, below_db, jump_db}."""
        limits = ("above_db", "below_db", "jump_db")
        found = reader.mapping(node, "level", ("of", *limits))
        if sum(key in found for key in limits) != 1 and found:
            reader.problem(node, "level needs exactly one of 'above_db', 'below_db', 'jump_db'")
        values: dict[str, float] = {}
        for key in ("above_db", "below_db"):
            if key in found:
                values[key] = reader.number(found[key], key, least=-120, most=0, default=-20)
        if "jump_db" in found:
            values["jump_db"] = reader.number(found["jump_db"], "jump_db", above=0, most=100, default=10)
        return cls(of=read_party(found, "of", node, reader, "level"), **values)

    def role_of(self) -> str:
        return self.of

    def start(self, call: Call) -> Json:
        """[whether it holds now, levels of the last utterances]."""
        return [0, []]

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        if record.channel not in call.channels(self.of) or record.acoustics is None or not record.text:
            return memory, []
        holds, lasts = memory
        level_db = record.acoustics.level_db
        value = level_db
        if self.jump_db is not None:
            value = level_db - median(lasts) if len(lasts) >= LEAST_BASELINE else 0.0
            over = value >= self.jump_db
            # The loud utterance does not become the measure for the next one.
            lasts = lasts if over else [*lasts, round(level_db, 1)][-BASELINE_UTTERANCES:]
        elif self.above_db is not None:
            over = level_db > self.above_db
        else:
            over = self.below_db is not None and level_db < self.below_db
        hits = [self._hit(value, record)] if over and not holds else []
        new: Json = [int(over), lasts]
        return (memory if new == memory else new), hits

    def _hit(self, value: float, record: Utterance) -> Hit:
        return Hit(
            start_ms=record.start_ms,
            end_ms=record.end_ms,
            channel=record.channel,
            role=self.of,
            utterance_no=record.utterance_no,
            value=round(value, 1),
        )
