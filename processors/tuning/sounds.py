"""Sentences become labelled telephone audio: which voice, which bend, which line, which noise, how often.

`render` is one example, `pool` many, `batches` groups them by length. Everything is drawn from the generators that come
in, so that an example can be made again. The mixture is set here; the effects are in `channel.py`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pypinyin import Style, lazy_pinyin

from processors.tuning import channel, text
from processors.tuning.channel import Samples
from processors.tuning.speak import Engine, speak, synthesiser

MODEL_RATE_HZ = 16_000

HELD_OUT_VOICES = (
    "Alicia",
    "Gene",
    "Mario",
    "belinda",
    "edward2",
    "f4",
    "iven3",
    "klatt3",
    "linda",
    "m6",
    "pablo",
    "victor",
)
"""Voice variants that training never hears."""

PINYIN_BASE = "cmn-latn-pinyin"
RANGE_MAX = 72
"""Above 85 the pitch of a low voice falls below zero, and espeak-ng crashes or never returns."""

_RARE_VOICES = frozenset(("whisper", "whisperf", "Demonic", "Tweaky", "croak", "UniRobot", "anikaRobot"))


@dataclass(frozen=True, slots=True)
class Voice:
    """A way to speak. `bend` scales pitch and formants together; `base` is the voice of espeak-ng under the variant."""

    engine: Engine
    variant: str
    rate: int
    pitch: int
    pitch_range: int
    bend: float = 1.0
    base: str = "cmn"


@dataclass(frozen=True, slots=True)
class Example:
    """Labelled audio: 16 kHz samples as int16, its characters, and where the voice starts and ends in it."""

    samples: np.ndarray
    text: str
    voice_from_ms: int
    voice_to_ms: int


def training_variants(engine: Engine) -> list[str]:
    """The variants of that engine which are not held out."""
    return [v for v in synthesiser(engine).variants if v not in HELD_OUT_VOICES]


def draw_voice(draw: random.Random, system_share: float) -> Voice:
    """Any training voice at any rate, pitch and range of a person; the share system_share by the engine `system`."""
    engine: Engine = "system" if draw.random() < system_share else "bundled"
    variants = training_variants(engine)
    variant = draw.choice(variants)
    if variant in _RARE_VOICES and draw.random() < 0.7:
        variant = draw.choice(variants)
    base = PINYIN_BASE if engine == "bundled" and draw.random() < 0.3 else "cmn"
    return Voice(
        engine=engine,
        variant=variant,
        rate=int(draw.triangular(120, 280, 185)),
        pitch=int(min(92, max(12, draw.gauss(50, 20)))),
        pitch_range=int(min(RANGE_MAX, max(15, draw.gauss(48, 15)))),
        bend=draw.choice([1.0, draw.uniform(0.84, 1.2)]),
        base=base,
    )


def say(sentence: str, voice: Voice) -> tuple[Samples, int]:
    """The sentence by that voice, without silence around it. Returns samples and their rate."""
    written = sentence
    if voice.base == PINYIN_BASE:
        syllables = lazy_pinyin(sentence, style=Style.TONE3, neutral_tone_with_five=True)
        written = " ".join(syllables).replace("ü", "v")
    rate = min(450, max(80, round(voice.rate / voice.bend)))
    samples, rate_hz = speak(
        written, voice.variant, rate, voice.pitch, pitch_range=voice.pitch_range, engine=voice.engine, base=voice.base
    )
    if voice.bend != 1.0:
        samples = channel.bend(samples, rate_hz, voice.bend)
    return trim(samples), rate_hz


def trim(samples: Samples, floor: float = 0.004) -> Samples:
    """Without the silence at both ends: what stays below `floor` times the peak."""
    if not len(samples):
        return samples
    loud = np.flatnonzero(np.abs(samples) > floor * np.max(np.abs(samples)))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


@dataclass(frozen=True, slots=True)
class Line:
    """A telephone line, or a wide-band recording when `rate_hz` is 16,000."""

    rate_hz: int
    low_hz: float | None
    high_hz: float | None
    order: int
    noise: str
    snr_db: float | None
    level_db: float
    codec: str | None
    loss: float
    clip: float | None


def draw_line(draw: random.Random) -> Line:
    """Any line: three quarters are telephone lines, the others wide-band."""
    narrow = draw.random() < 0.78
    low_hz = draw.choice([None, draw.uniform(60, 360), draw.uniform(200, 340), 300.0])
    high_hz = (
        draw.choice([None, draw.uniform(2900, 3800), 3400.0])
        if narrow
        else draw.choice([None, draw.uniform(3400, 7500)])
    )
    return Line(
        rate_hz=8000 if narrow else MODEL_RATE_HZ,
        low_hz=low_hz,
        high_hz=high_hz,
        order=draw.choice([2, 4, 6]),
        noise=draw.choice(channel.NOISES),
        snr_db=None if draw.random() < 0.12 else draw.uniform(11, 38),
        level_db=draw.uniform(-40, -10),
        codec=draw.choice([None, "pcmu", "pcma"]) if narrow else None,
        loss=draw.uniform(0.005, 0.05) if draw.random() < 0.12 else 0.0,
        clip=draw.uniform(0.3, 0.8) if draw.random() < 0.06 else None,
    )


def send(
    samples: Samples, rate_hz: int, line: Line, draw: np.random.Generator, others: Sequence[Samples] = ()
) -> Samples:
    """The voice through the line, at 16 kHz. `others` are voices at the line's own rate, for babble."""
    heard = channel.resample(samples, rate_hz, line.rate_hz)
    heard = channel.band(heard, line.rate_hz, line.low_hz, line.high_hz, line.order)
    if line.clip is not None:
        heard = channel.clip(heard, line.clip)
    heard = channel.level(heard, line.level_db)
    if line.snr_db is not None:
        heard = channel.add_noise(heard, channel.noise(draw, line.noise, len(heard), line.rate_hz, others), line.snr_db)
    if line.codec is not None:
        heard = channel.g711(heard, line.codec)
    if line.loss:
        heard = channel.lose_packets(draw, heard, line.rate_hz, line.loss, repeat=draw.random() < 0.5)
    return channel.resample(heard, line.rate_hz, MODEL_RATE_HZ)


def _silence(seconds: float, rate_hz: int) -> Samples:
    return np.zeros(int(seconds * rate_hz), np.float32)


def render(
    sentences: Sequence[str], voice: Voice, line: Line, draw: random.Random, others: Sequence[Samples] = ()
) -> Example | None:
    """One example: the sentences by one voice with pauses between, through one line. None when nothing was heard."""
    rate_hz = MODEL_RATE_HZ
    before_s = draw.uniform(0.02, 0.4)
    pieces, said_s = [], before_s
    for number, sentence in enumerate(sentences):
        samples, rate_hz = say(sentence, voice)
        if len(samples) < rate_hz // 20:
            return None
        gap = _silence(draw.uniform(0.1, 0.6) if number else before_s, rate_hz)
        pieces += [gap, samples]
        said_s += len(samples) / rate_hz + (len(gap) / rate_hz if number else 0.0)
    pieces.append(_silence(draw.choice([draw.uniform(0.02, 0.3), draw.uniform(0.3, 0.8)]), rate_hz))
    noise_draw = np.random.default_rng(draw.getrandbits(63))
    heard = send(np.concatenate(pieces), rate_hz, line, noise_draw, others)
    written = "".join(text.spoken(s) for s in sentences)
    return Example(
        samples=(np.clip(heard, -1, 1) * 32767).astype(np.int16),
        text=written,
        voice_from_ms=int(before_s * 1000),
        voice_to_ms=int(said_s * 1000),
    )


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a pool is made of. long_share: how many examples are several sentences; longest_s: bound of an example."""

    system_share: float = 0.5
    long_share: float = 0.4
    longest_s: float = 14.0
    size: int = 320
    batch_s: float = 50.0


def pool(number: int, mixture: Mixture) -> list[Example]:
    """Pool `number` of the endless training set: a number gives the same sentences by the same voices each time."""
    draw = random.Random(number)
    templates = [t for t in text.load_templates() if not t.held_out]
    clauses = text.clauses_of(templates)
    babble: dict[int, list[Samples]] = {8000: [], MODEL_RATE_HZ: []}
    found: list[Example] = []
    made = 0
    while len(found) < mixture.size:
        voice = draw_voice(draw, mixture.system_share)
        line = draw_line(draw)
        count = draw.choice([2, 2, 3]) if draw.random() < mixture.long_share else 1
        sentences = [
            text.sentence(draw, templates, clauses, number * mixture.size + (made := made + 1)) for _ in range(count)
        ]
        if not all(text.writable(s) and text.spoken(s) for s in sentences):
            continue
        others = babble[line.rate_hz][-4:]
        example = render(sentences, voice, line, draw, others)
        if example is None or len(example.samples) > mixture.longest_s * MODEL_RATE_HZ:
            continue
        found.append(example)
        if made % 8 == 0:
            clean = replace(line, snr_db=None, loss=0.0, clip=None)
            samples, rate_hz = say(sentences[0], voice)
            babble[line.rate_hz].append(channel.resample(samples, rate_hz, clean.rate_hz))
    return found


def again(number: int, examples: Sequence[Example]) -> list[Example]:
    """The same examples heard once more, which costs little: other level, more noise, other offset to the frames."""
    draw = np.random.default_rng(number)
    heard = []
    for example in examples:
        samples = example.samples.astype(np.float32) * np.float32(draw.uniform(0.4, 1.6))
        shift = int(draw.integers(0, MODEL_RATE_HZ // 8))
        samples = np.concatenate([np.zeros(shift, np.float32), samples])
        noise = draw.standard_normal(len(samples), np.float32)
        samples += noise * np.float32(channel.voiced_rms(samples) * 10 ** (-draw.uniform(18, 40) / 20))
        shift_ms = shift * 1000 // MODEL_RATE_HZ
        heard.append(
            Example(
                samples=np.clip(samples, -32767, 32767).astype(np.int16),
                text=example.text,
                voice_from_ms=example.voice_from_ms + shift_ms,
                voice_to_ms=example.voice_to_ms + shift_ms,
            )
        )
    return heard


def batches(examples: Sequence[Example], batch_s: float, draw: random.Random) -> Iterator[list[Example]]:
    """Groups of similar length, each at most batch_s seconds with its padding, in random order."""
    by_length = sorted(examples, key=lambda e: len(e.samples))
    groups: list[list[Example]] = [[]]
    for example in by_length:
        if groups[-1] and len(example.samples) * (len(groups[-1]) + 1) > batch_s * MODEL_RATE_HZ:
            groups.append([])
        groups[-1].append(example)
    draw.shuffle(groups)
    yield from groups
