"""`rate`: somebody speaks too fast, too slowly, or much faster than usual."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Final, Self

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.operators.stretches import PARTIES, PENDING_MAX, read_party
from processors.inspect.reader import Node, Reader
from processors.records import Utterance

BASELINE_UTTERANCES: Final = 6
LEAST_BASELINE: Final = 3
LEAST_CHARS: Final = 8
"""Fewer characters give no rate worth the name."""


@dataclass(frozen=True, slots=True)
class Rate(Measuring):
    """Characters a minute of speech, in one utterance or over a window of call time that ends with it.

    Pauses do not count. A window is judged when at least half of it is speech of that role. Holds once until the rate
    is back within the limit. The baseline is the median of the speaker's own first utterances.
    """

    of: str
    more_than: float | None = None
    less_than: float | None = None
    above_baseline: float | None = None
    over_ms: int = 0
    """0: each utterance alone."""

    word = "rate"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "of": {"enum": list(PARTIES)},
            "more_than": {"type": "number", "exclusiveMinimum": 0},
            "less_than": {"type": "number", "exclusiveMinimum": 0},
            "above_baseline": {"type": "number", "exclusiveMinimum": 1},
            "over_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 600},
        },
        "additionalProperties": False,
    }
    takes_role = False
    observes = (Utterance,)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {of, one of more_than, less_than, above_baseline, over_s}."""
        limits = ("more_than", "less_than", "above_baseline")
        found = reader.mapping(node, "rate", ("of", *limits, "over_s"))
        if sum(key in found for key in limits) != 1 and found:
            reader.problem(node, "rate needs exactly one of 'more_than', 'less_than', 'above_baseline'")
        values = {
            key: reader.number(found[key], key, above=1.0 if key == "above_baseline" else 0.0, most=10_000, default=1.5)
            for key in limits
            if key in found
        }
        over_ms = reader.seconds(found["over_s"], "over_s") if "over_s" in found else 0
        if over_ms > 600_000:
            reader.problem(found["over_s"], "over_s must be at most 600")
        return cls(of=read_party(found, "of", node, reader, "rate"), over_ms=over_ms, **values)

    def role_of(self) -> str:
        return self.of

    def start(self, call: Call) -> Json:
        """[whether it holds now, rates of the first utterances, [start, end, characters, number] in the window]."""
        return [0, [], []]

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        length_ms = record.end_ms - record.start_ms
        if record.channel not in call.channels(self.of) or not record.text or length_ms <= 0:
            return memory, []
        holds, firsts, window = memory
        chars = len("".join(record.text.split()))
        if record.acoustics is not None and record.acoustics.chars_per_min > 0:
            chars = record.acoustics.chars_per_min * length_ms / 60_000
        from_ms = record.end_ms - self.over_ms if self.over_ms else record.start_ms
        stretches = [*window, [record.start_ms, record.end_ms, chars]] if self.over_ms else []
        stretches = [each for each in stretches if each[1] > from_ms][-PENDING_MAX:]
        spoken_ms, said = _in_window(stretches or [[record.start_ms, record.end_ms, chars]], from_ms)
        enough = said >= LEAST_CHARS and spoken_ms * 2 >= self.over_ms
        rate = said * 60_000 / spoken_ms
        over = enough and self._over(rate, firsts)
        if self.above_baseline is not None and len(firsts) < BASELINE_UTTERANCES and chars >= LEAST_CHARS:
            firsts = [*firsts, round(chars * 60_000 / length_ms, 1)]
        start_ms = max(from_ms, min((each[0] for each in stretches), default=record.start_ms))
        hits = [self._hit(start_ms, rate, record)] if over and not holds else []
        return [int(over if enough else holds), firsts, stretches], hits

    def _over(self, rate: float, firsts: list[float]) -> bool:
        if self.more_than is not None:
            return rate > self.more_than
        if self.less_than is not None:
            return rate < self.less_than
        return len(firsts) >= LEAST_BASELINE and rate >= (self.above_baseline or 1.0) * median(firsts)

    def _hit(self, start_ms: int, rate: float, record: Utterance) -> Hit:
        return Hit(
            start_ms=start_ms,
            end_ms=record.end_ms,
            channel=record.channel,
            role=self.of,
            utterance_no=record.utterance_no,
            value=round(rate, 1),
        )


def _in_window(stretches: list[list[float]], from_ms: int) -> tuple[float, float]:
    """Milliseconds of speech and characters from `from_ms` on; a stretch that reaches back is shared out evenly."""
    spoken_ms = said = 0.0
    for start_ms, end_ms, chars in stretches:
        inside_ms = end_ms - max(start_ms, from_ms)
        spoken_ms += inside_ms
        said += chars * inside_ms / (end_ms - start_ms)
    return spoken_ms, said
