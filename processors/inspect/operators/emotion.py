"""`emotion`: how somebody feels, or where it is going."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self, get_args

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.operators.stretches import PARTIES, read_party
from processors.inspect.reader import Node, Reader
from processors.records import EmotionLabel, EmotionPoint, EmotionTrend, Utterance

LABELS = get_args(EmotionLabel)
TRENDS = get_args(EmotionTrend)
FIGURES = {"valence_below": 1.0, "valence_above": 1.0, "arousal_above": 10.0}
"""Bounds on the figures of a point, and how far from 0 they may lie."""


@dataclass(frozen=True, slots=True)
class Emotion(Measuring):
    """Label, trend and figures of one party; `for_s` is from the start of the first utterance to the end of the last.

    Holds once for each stretch of utterances that all have one of the labels and the trend. Silence in between proves
    nothing: a stretch grows only with utterances.
    """

    of: str
    label: tuple[str, ...] = ()
    trend: str = ""
    for_ms: int = 0
    valence_below: float | None = None
    valence_above: float | None = None
    arousal_above: float | None = None

    word = "emotion"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "of": {"enum": list(PARTIES)},
            "label": {"anyOf": [{"enum": list(LABELS)}, {"type": "array", "items": {"enum": list(LABELS)}}]},
            "trend": {"enum": list(TRENDS)},
            "valence_below": {"type": "number", "minimum": -1, "maximum": 1},
            "valence_above": {"type": "number", "minimum": -1, "maximum": 1},
            "arousal_above": {"type": "number", "minimum": -10, "maximum": 10},
            "for_s": {"type": "number", "exclusiveMinimum": 0},
        },
        "anyOf": [{"required": [key]} for key in ("label", "trend", *FIGURES)],
        "additionalProperties": False,
    }
    takes_role = False
    observes = (Utterance, EmotionPoint)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self:
        """From {of, label, trend, bounds on the figures, for_s}."""
        found = reader.mapping(node, "emotion", ("of", "label", "trend", *FIGURES, "for_s"))
        if found and not {"label", "trend", *FIGURES} & found.keys():
            reader.problem(node, "emotion needs 'label' or 'trend'", f"or one of: {', '.join(FIGURES)}")
        figures = {
            key: reader.number(found[key], key, least=-most, most=most) for key, most in FIGURES.items() if key in found
        }
        return cls(
            of=read_party(found, "of", node, reader, "emotion"),
            label=reader.choices(found["label"], "label", LABELS) if "label" in found else (),
            trend=reader.choice(found["trend"], "trend", TRENDS) if "trend" in found else "",
            for_ms=reader.seconds(found["for_s"], "for_s") if "for_s" in found else 0,
            **figures,
        )

    @property
    def lag_ms(self) -> int:
        return self.for_ms

    def role_of(self) -> str:
        return self.of

    def start(self, call: Call) -> Json:
        """By channel as text: [start and number of the last utterance, stretch since or -1, whether found]."""
        return {}

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        if record.channel not in call.channels(self.of):
            return memory, []
        channels: dict[str, Any] = memory
        start_ms, number, since_ms, found = channels.get(str(record.channel), [0, -1, -1, 0])
        if isinstance(record, Utterance):
            return {**channels, str(record.channel): [record.start_ms, record.utterance_no, since_ms, found]}, []
        hits: list[Hit] = []
        if not self._is(record):
            since_ms, found = -1, 0
        else:
            since_ms = since_ms if since_ms >= 0 else start_ms
            if not found and record.call_ms - since_ms >= self.for_ms:
                found = 1
                hits = [self._hit(since_ms, number, record)]
        return {**channels, str(record.channel): [start_ms, number, since_ms, found]}, hits

    def _is(self, point: EmotionPoint) -> bool:
        return (
            (not self.label or point.label in self.label)
            and (not self.trend or point.trend == self.trend)
            and (self.valence_below is None or point.valence < self.valence_below)
            and (self.valence_above is None or point.valence > self.valence_above)
            and (self.arousal_above is None or point.arousal > self.arousal_above)
        )

    def _hit(self, since_ms: int, number: int, point: EmotionPoint) -> Hit:
        return Hit(
            start_ms=since_ms,
            end_ms=point.call_ms,
            channel=point.channel,
            role=self.of,
            utterance_no=number,
            value=round(point.arousal, 2),
        )
