"""Emotion of each speaker of a call: arousal, valence, a label, a trend and what drove them.

Arousal comes from pitch, level and rate as robust deviations from the speaker's own first utterances (median and
median absolute deviation), whose centre then drifts slowly, so that a loud line or a fast talker is nobody's anger.
Valence comes from the measured sentiment and from a vocabulary. What the other party does counts as well: being left
in silence and being interrupted raise the tension of the one who suffers it. A two-sided CUSUM on the tension of each
utterance says rising, falling or steady; it sums by itself, and smoothed values before it would only come later and err
together.

Pure: utterances in, points out; partials and clocks are unknown here, and missing acoustics or meaning only make the
judgement weaker. It does not decide who must be told (`alerts`) nor what breaks a rule (`operators/emotion`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, NamedTuple, TypeAlias

from processors.inspect.feeling_words import FeelingWords, shipped_words
from processors.records import Driver, EmotionLabel, EmotionPoint, EmotionTrend, Utterance

BASELINE_UTTERANCES: Final = 6
"""Own utterances that make the baseline; afterwards it only drifts."""
DRIFT: Final = 0.03
"""Share of a deviation, cut at one scale, by which the baseline follows."""
Z_MAX: Final = 4.0
"""Deviations beyond this say nothing more."""
MOST_SEMITONES: Final = 10.0
"""Nobody's median pitch is further from his normal one: a harmonic was taken for it, and it says nothing."""
SMOOTHING: Final = 0.55
"""Weight of a new utterance of full length in the smoothed values."""
FULL_LENGTH_MS: Final = 1200
"""Shorter utterances weigh less: their measurements are unsure."""
LEAST_CHARS_FOR_RATE: Final = 4
LEFT_ALONE_MS: Final = 4000
"""Silence after one's own words from which the other party is felt to be missing."""
INTERRUPTED_AFTER_MS: Final = 200
INTERRUPTED_MS: Final = 300
CUSUM_SLACK: Final = 0.5
"""Half of the shift that is to be found, which is one of the speaker's own deviations."""
CUSUM_LIMIT: Final = 2.5
"""For one false alarm in some three hours of calm speakers; see `benchmarks/emotion.py`."""
TREND_LASTS_MS: Final = 20_000
"""A trend that is not renewed within this call time has become steady."""

TENSE_AROUSAL: Final = 1.0
HOT_AROUSAL: Final = 2.4
"""Arousal that is anger even without angry words, unless the words are friendly."""
BAD_VALENCE: Final = -0.25
LOW_AROUSAL: Final = -0.4
STICKY: Final = 0.7
"""A label is left only when its value falls below this share of its limit."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How one measurement enters the arousal."""

    name: str
    weight: float
    scale_floor: float
    """Least deviation that counts as one, in the unit of the transformed value."""


PITCH: Final = Measure("pitch_hz", 0.35, 1.2)
LEVEL: Final = Measure("level_db", 0.35, 2.0)
RATE: Final = Measure("chars_per_min", 0.30, 0.14)
MEASURES: Final = (PITCH, LEVEL, RATE)
Values: TypeAlias = tuple[float | None, float | None, float | None]
"""Pitch in semitones over 1 Hz, level in dB, natural logarithm of characters a minute; None: not measured."""


class Baseline(NamedTuple):
    """What is normal for one speaker in one measurement (pitch in semitones, level in dB, logarithm of the rate)."""

    firsts: tuple[float, ...] = ()
    centre: float = 0.0
    scale: float = 0.0

    def deviation(self, value: float, floor: float) -> float:
        """Robust z-score of `value`, 0 while nothing is known; careful while little is known."""
        if self.scale > 0.0:
            return _cut((value - self.centre) / self.scale, Z_MAX)
        known = len(self.firsts)
        if known == 0:
            return 0.0
        centre, scale = _centre_and_scale(self.firsts, floor)
        return _cut((value - centre) / (scale * math.sqrt(1.0 + 2.0 / known)), Z_MAX)

    def learn(self, value: float, floor: float) -> Baseline:
        """The baseline after `value`."""
        if self.scale > 0.0:
            step = DRIFT * self.scale * _cut((value - self.centre) / self.scale, 1.0)
            return self._replace(centre=round(self.centre + step, 4))
        firsts = (*self.firsts, round(value, 3))
        if len(firsts) < BASELINE_UTTERANCES:
            return Baseline(firsts)
        centre, scale = _centre_and_scale(firsts, floor)
        return Baseline((), round(centre, 4), round(scale, 4))

    def normal(self) -> float | None:
        """The centre, None while nothing is known."""
        if self.scale > 0.0:
            return self.centre
        return median(self.firsts) if self.firsts else None


class Speaker(NamedTuple):
    """State of one channel."""

    baselines: tuple[Baseline, Baseline, Baseline] = (Baseline(), Baseline(), Baseline())
    arousal: float = 0.0
    valence: float = 0.0
    reference: float = 0.0
    """Tension to which the trend detector compares."""
    up: float = 0.0
    down: float = 0.0
    trend: EmotionTrend = "steady"
    trend_until_ms: int = 0
    label: EmotionLabel = "calm"
    last_start_ms: int = -1
    last_end_ms: int = -1
    interrupted_ms: int = 0


class EmotionState(NamedTuple):
    """State of a call, by channel; small and made of plain values."""

    speakers: Mapping[int, Speaker] = {}
    spoken_until_ms: int = -1
    """End of the last speech of anybody."""
    spoken_last: int = -1
    """Channel of that speech."""


def observe(
    state: EmotionState, utterance: Utterance, words: FeelingWords | None = None
) -> tuple[EmotionState, EmotionPoint | None]:
    """Take in a final utterance; the point is None for one without words."""
    if not utterance.text:
        return state, None
    words = words or shipped_words()
    speakers = dict(state.speakers)
    _note_interruptions(speakers, utterance)
    speaker = speakers.get(utterance.channel, Speaker())

    values = _values(utterance)
    prosody, drivers = _prosody(speaker, values)
    feeling = words.feel(utterance.text, utterance.role)
    sentiment = utterance.meaning.sentiment if utterance.meaning else None
    valence = feeling.valence if sentiment is None else _cut(0.5 * sentiment + 0.7 * feeling.valence, 1.0)
    alone = _left_alone(state, utterance)
    talked_down = min(1.0, speaker.interrupted_ms / 2000) if speaker.interrupted_ms >= INTERRUPTED_MS else 0.0
    arousal = prosody + 0.6 * feeling.tension + alone + 0.6 * talked_down

    if feeling.tension:
        drivers.append(Driver(name="words", value=feeling.valence, baseline=0.0, z=feeling.tension))
    if sentiment is not None and abs(sentiment) >= 0.2:
        drivers.append(Driver(name="sentiment", value=round(sentiment, 4), baseline=0.0, z=round(-2.0 * sentiment, 3)))
    if alone:
        waited_ms = utterance.start_ms - state.spoken_until_ms
        drivers.append(Driver(name="silence", value=float(waited_ms), baseline=float(LEFT_ALONE_MS), z=round(alone, 3)))
    if talked_down:
        driver = Driver(name="overlap", value=float(speaker.interrupted_ms), baseline=0.0, z=round(talked_down, 3))
        drivers.append(driver)
    drivers.sort(key=lambda driver: (-abs(driver.z), driver.name))

    speaker = _judge(_learn(speaker, utterance, values), utterance, arousal, valence)
    speakers[utterance.channel] = speaker
    if utterance.end_ms >= state.spoken_until_ms:
        state = EmotionState(speakers, utterance.end_ms, utterance.channel)
    else:
        state = state._replace(speakers=speakers)
    return state, EmotionPoint(
        call_id=utterance.call_id,
        channel=utterance.channel,
        role=utterance.role,
        utterance_id=utterance.utterance_id,
        call_ms=utterance.end_ms,
        arousal=speaker.arousal,
        valence=speaker.valence,
        label=speaker.label,
        trend=speaker.trend,
        drivers=tuple(drivers),
        at_ms=utterance.at_ms,
    )


def _prosody(speaker: Speaker, values: Values) -> tuple[float, list[Driver]]:
    """Weighted deviation of what was measured, and each deviation."""
    total = weights = 0.0
    drivers: list[Driver] = []
    for measure, baseline, value in zip(MEASURES, speaker.baselines, values, strict=True):
        normal = baseline.normal()
        if value is None or (measure is PITCH and normal is not None and abs(value - normal) > MOST_SEMITONES):
            continue
        z = baseline.deviation(value, measure.scale_floor)
        total += measure.weight * z
        weights += measure.weight
        drivers.append(
            Driver(
                name=measure.name,
                value=round(_unit(measure, value), 2),
                baseline=round(_unit(measure, value if normal is None else normal), 2),
                z=round(z, 3),
            )
        )
    # A measurement that is missing leaves the others a little more weight, never the weight of all.
    return (total / max(weights, 0.6), drivers) if drivers else (0.0, drivers)


def _values(utterance: Utterance) -> Values:
    acoustics = utterance.acoustics
    pitch = level = None
    if acoustics is not None:
        level = acoustics.level_db
        if acoustics.pitch_hz:
            pitch = 12.0 * math.log2(acoustics.pitch_hz)
    rate = acoustics.chars_per_min if acoustics is not None else 0.0
    chars = len(utterance.text)
    if rate <= 0.0 and utterance.end_ms > utterance.start_ms:
        rate = chars * 60_000 / (utterance.end_ms - utterance.start_ms)
    usable = rate > 0.0 and chars >= LEAST_CHARS_FOR_RATE
    return pitch, level, math.log(rate) if usable else None


def _unit(measure: Measure, value: float) -> float:
    """Back to hertz and characters a minute."""
    if measure is PITCH:
        return float(2.0 ** (value / 12.0))
    return math.exp(value) if measure is RATE else value


def _left_alone(state: EmotionState, utterance: Utterance) -> float:
    """Tension from having to speak again because nobody answered."""
    if state.spoken_last != utterance.channel or state.spoken_until_ms < 0:
        return 0.0
    waited_ms = utterance.start_ms - state.spoken_until_ms
    return round(min(0.8, (waited_ms - LEFT_ALONE_MS) / 10_000 + 0.2), 3) if waited_ms > LEFT_ALONE_MS else 0.0


def _note_interruptions(speakers: dict[int, Speaker], utterance: Utterance) -> None:
    """Who talked over whom, seen from the later of the two utterances to arrive."""
    own = speakers.get(utterance.channel, Speaker())
    for channel, other in list(speakers.items()):
        if channel == utterance.channel or other.last_end_ms < 0:
            continue
        shared_ms = min(other.last_end_ms, utterance.end_ms) - max(other.last_start_ms, utterance.start_ms)
        if shared_ms <= 0:
            continue
        if utterance.start_ms >= other.last_start_ms + INTERRUPTED_AFTER_MS:
            speakers[channel] = other._replace(interrupted_ms=other.interrupted_ms + shared_ms)
        elif other.last_start_ms >= utterance.start_ms + INTERRUPTED_AFTER_MS:
            own = own._replace(interrupted_ms=own.interrupted_ms + shared_ms)
    speakers[utterance.channel] = own


def _learn(speaker: Speaker, utterance: Utterance, values: Values) -> Speaker:
    """Baselines and last times after `utterance`; an outcry does not become normal while normal is being learnt."""
    learnt: list[Baseline] = []
    for measure, baseline, value in zip(MEASURES, speaker.baselines, values, strict=True):
        if value is None or (len(baseline.firsts) >= 3 and abs(baseline.deviation(value, measure.scale_floor)) > 2.0):
            learnt.append(baseline)
        else:
            learnt.append(baseline.learn(value, measure.scale_floor))
    return speaker._replace(
        baselines=(learnt[0], learnt[1], learnt[2]),
        last_start_ms=utterance.start_ms,
        last_end_ms=utterance.end_ms,
        interrupted_ms=0,
    )


def _judge(speaker: Speaker, utterance: Utterance, arousal: float, valence: float) -> Speaker:
    """Smooth, detect the trend, name the emotion."""
    length = min(1.0, max(0.25, (utterance.end_ms - utterance.start_ms) / FULL_LENGTH_MS))
    weight = SMOOTHING * length
    tension = arousal - valence
    arousal = round(speaker.arousal + weight * (arousal - speaker.arousal), 4)
    valence = round(speaker.valence + weight * (valence - speaker.valence), 4)
    speaker = _detect(speaker._replace(arousal=arousal, valence=valence), tension, length, utterance.end_ms)
    return speaker._replace(label=_label(speaker))


def _detect(speaker: Speaker, tension: float, weight: float, call_ms: int) -> Speaker:
    """Two-sided CUSUM of tension (arousal less valence, of one utterance) against the level of the last change."""
    step = tension - speaker.reference
    up = max(0.0, speaker.up + weight * (step - CUSUM_SLACK))
    down = max(0.0, speaker.down - weight * (step + CUSUM_SLACK))
    if up > CUSUM_LIMIT or down > CUSUM_LIMIT:
        trend: EmotionTrend = "rising" if up > down else "falling"
        level = round(speaker.arousal - speaker.valence, 4)
        return speaker._replace(reference=level, up=0.0, down=0.0, trend=trend, trend_until_ms=call_ms + TREND_LASTS_MS)
    trend = speaker.trend if call_ms < speaker.trend_until_ms else "steady"
    return speaker._replace(up=round(up, 4), down=round(down, 4), trend=trend)


def _label(speaker: Speaker) -> EmotionLabel:
    """Name of the emotion; a label that holds is left later than it is reached."""
    arousal, valence, held = speaker.arousal, speaker.valence, speaker.label

    def limit(label: EmotionLabel, value: float) -> float:
        return value * STICKY if held == label else value

    bad = valence <= limit("angry", BAD_VALENCE)
    if (bad and arousal >= limit("angry", TENSE_AROUSAL)) or (
        arousal >= limit("angry", HOT_AROUSAL) and valence < 0.15
    ):
        return "angry"
    if arousal >= limit("tense", TENSE_AROUSAL):
        return "tense"
    if valence <= limit("dejected", BAD_VALENCE) and arousal <= limit("dejected", LOW_AROUSAL):
        return "dejected"
    return "calm"


def _centre_and_scale(values: tuple[float, ...], floor: float) -> tuple[float, float]:
    centre = median(values)
    return centre, max(floor, 1.4826 * median(abs(value - centre) for value in values))


def _cut(value: float, most: float) -> float:
    return max(-most, min(most, value))


def dump_state(state: EmotionState) -> list[Any]:
    """Plain lists of plain values, for JSON."""
    return [
        state.spoken_until_ms,
        state.spoken_last,
        [
            [
                channel,
                [[list(b.firsts), b.centre, b.scale] for b in s.baselines],
                *(s.arousal, s.valence, s.reference, s.up, s.down, s.trend, s.trend_until_ms, s.label),
                *(s.last_start_ms, s.last_end_ms, s.interrupted_ms),
            ]
            for channel, s in sorted(state.speakers.items())
        ],
    ]


def load_state(data: list[Any]) -> EmotionState:
    """The state of which `dump_state` made `data`."""
    speakers = {}
    for channel, baselines, *rest in data[2]:
        first, second, third = (Baseline(tuple(firsts), centre, scale) for firsts, centre, scale in baselines)
        speakers[channel] = Speaker((first, second, third), *rest)
    return EmotionState(speakers, data[0], data[1])
