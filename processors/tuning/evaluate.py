"""How well a model hears what training never had: other templates, other voices, other noises; offline and streaming.

Cases are made from a seed, so that two models hear the same. The error rates over characters and over syllables without
tones are jiwer's. It trains nothing and judges nothing: the figures go to the model card.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np
from pypinyin import Style, lazy_pinyin

from processors.tuning import channel, text
from processors.tuning.recognise import Recogniser
from processors.tuning.sounds import HELD_OUT_VOICES, MODEL_RATE_HZ, Line, Voice, render, training_variants
from processors.tuning.speak import Engine, available, synthesiser

HEADLINE = "unseen voices, telephone, 20 dB"
TELEPHONE = Line(8000, 300.0, 3400.0, 4, "white", 20.0, -24.0, "pcma", 0.0, None)
"""The line that the headline figure is measured on."""


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence to recognise. `group` is what figures are given by."""

    group: str
    voice: str
    text: str
    samples: channel.Samples


@dataclass(frozen=True, slots=True)
class Figure:
    """Error rates over the cases of a group, 0 to 1 and above."""

    group: str
    characters: float
    syllables: float
    cases: int


def _render(group: str, sentence: str, voice: Voice, line: Line, draw: random.Random) -> Case:
    example = render([sentence], voice, line, draw)
    if example is None:
        raise ValueError(f"espeak-ng said nothing for {sentence!r} by {voice.variant}")
    return Case(group, voice.variant, example.text, example.samples.astype(np.float32) / np.float32(32768.0))


def _voice(engine: Engine, variant: str, draw: random.Random) -> Voice:
    return Voice(engine, variant, draw.randint(150, 215), draw.randint(30, 70), draw.randint(35, 65))


def _sentences(draw: random.Random, count: int) -> list[str]:
    templates = [t for t in text.load_templates() if t.held_out]
    found: list[str] = []
    while len(found) < count:
        sentence = text.fill(draw.choice(templates).text, draw)
        if text.writable(sentence) and len(text.spoken(sentence)) >= 4:
            found.append(sentence)
    return found


def cases(per_voice: int, seed: int = 7) -> list[Case]:
    """Held-out sentences: by held-out voices on the telephone line, then one thing changed at a time.

    Every engine of espeak-ng that this machine has is measured under its own name.
    """
    draw = random.Random(seed)
    found: list[Case] = []
    both: tuple[Engine, Engine] = ("bundled", "system")
    engines = [engine for engine in both if available(engine)]
    for engine in engines:
        held_out = [v for v in HELD_OUT_VOICES if v in synthesiser(engine).variants]
        for variant in held_out:
            for sentence in _sentences(draw, per_voice):
                voice = _voice(engine, variant, draw)
                found.append(_render(f"{engine}: {HEADLINE}", sentence, voice, TELEPHONE, draw))
        known = draw.sample(training_variants(engine), len(held_out))
        changes: list[tuple[str, Sequence[str], Line]] = [
            ("known voices, telephone, 20 dB", known, TELEPHONE),
            ("unseen voices, telephone, quiet", held_out, _with(snr_db=None)),
            ("unseen voices, telephone, 12 dB", held_out, _with(snr_db=12.0)),
            ("unseen voices, street noise, 15 dB", held_out, _with(noise="street", snr_db=15.0)),
            ("unseen voices, fan, 15 dB", held_out, _with(noise="fan", snr_db=15.0)),
            ("unseen voices, mu-law, 3 % packets lost", held_out, _with(codec="pcmu", loss=0.03)),
            ("unseen voices, wide band, 20 dB", held_out, _with(rate_hz=16000, low_hz=None, high_hz=None, codec=None)),
        ]
        for name, variants, line in changes:
            for sentence in _sentences(draw, 2 * per_voice):
                voice = _voice(engine, draw.choice(variants), draw)
                found.append(_render(f"{engine}: {name}", sentence, voice, line, draw))
    return found


def _with(
    *,
    rate_hz: int = 8000,
    low_hz: float | None = 300.0,
    high_hz: float | None = 3400.0,
    noise: str = "white",
    snr_db: float | None = 20.0,
    codec: str | None = "pcma",
    loss: float = 0.0,
) -> Line:
    return Line(rate_hz, low_hz, high_hz, 4, noise, snr_db, -24.0, codec, loss, None)


def syllables(written: str) -> str:
    """Syllables without tones, with spaces between."""
    return " ".join(lazy_pinyin(written, style=Style.NORMAL))


def error_rates(group: str, wanted: Sequence[str], heard: Sequence[str]) -> Figure:
    """Character and toneless-syllable error rates over all sentences together. Wanted sentences must not be empty."""
    characters = jiwer.cer(list(wanted), list(heard))
    by_syllable = jiwer.wer([syllables(w) for w in wanted], [syllables(h) for h in heard])
    return Figure(group, float(characters), float(by_syllable), len(wanted))


def measure(recogniser: Recogniser, found: Sequence[Case], context: tuple[int, int], streaming: bool) -> list[str]:
    """What the model heard, case by case."""
    samples = [case.samples for case in found]
    return recogniser.stream(samples, context) if streaming else recogniser.offline(samples, context)


def figures(found: Sequence[Case], heard: Sequence[str], by_voice: bool = False) -> list[Figure]:
    """Error rates group by group, or voice by voice, in the order of the cases."""
    names = [f"{c.group.split(':')[0]}: voice {c.voice}" if by_voice else c.group for c in found]
    result = []
    for name in dict.fromkeys(names):
        rows = [i for i, n in enumerate(names) if n == name]
        result.append(error_rates(name, [found[i].text for i in rows], [heard[i] for i in rows]))
    return result


def contexts(recogniser: Recogniser) -> list[tuple[int, int]]:
    """The attention contexts that the model was trained with, the widest first."""
    return sorted(recogniser.contexts, reverse=True)


def seconds(found: Sequence[Case]) -> float:
    """Audio of all cases together."""
    return sum(len(c.samples) for c in found) / MODEL_RATE_HZ
