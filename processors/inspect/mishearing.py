"""How likely a speech model is to hear one syllable for another, and whether a stretch of text can be a phrase.

What was heard is weighed against a phrase in nats. Each syllable that agrees is evidence, the more so the rarer it is.
Each that does not is a loss: how much likelier it is that the text is right as it stands, by its confidence, than that
the phrase was spoken and this syllable misheard. In two syllables another word may lie as near: how usual both are
decides then. A phrase is taken as heard when the loss stays within a share of the evidence. The figures are counted by
`benchmarks/homophones.py`, the mistakes over what the shipped model heard, in which there is no rule; they are
smoothed, so that they suit other models, too. Pure tables; `phrases` finds the stretches.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import product
from operator import contains
from typing import Final

from processors.inspect.sounds import SOUNDS, readings, split_syllable

SHARE: Final = 0.65
"""Share of the evidence that may be lost."""
MARGIN: Final = 2.5
"""Nats that have to remain: a short phrase can afford less."""
MOST: Final = 10.0
"""Nats that may be lost in all: a word that was clearly heard is no mistake, however long the rest."""
LEAST_SYLLABLES: Final = 2
"""A shorter phrase has to sound as it is written."""
SEEDED: Final = 3
"""Alternatives of a character by which phrases are looked for."""
MOST_WRONG: Final = 1
"""Syllables of a phrase that may neither be as heard nor one of the first alternatives."""
LEAST_FOR_GAPS: Final = 5
"""In shorter phrases no syllable may be missing or added."""
MISSING: Final = 5.0
"""Loss of a syllable that was not heard at all."""
ADDED: Final = 1.9
"""Loss of a syllable that was only heard, beside its confidence."""
LEAST_LOSS: Final = 0.3
UNUSUAL: Final = 5.0
"""Two syllables that follow each other so seldom in the counted talk may as well never do."""
SURE: Final = 0.75
"""A character that was heard with this confidence is not another one of the same sound in a phrase of two: too many
pairs of syllables sound like a usual word somewhere (我是 in 浪费我时间)."""
UNKNOWN_CONFIDENCE: Final = 0.9
"""Of characters whose confidence is not known, as in partials."""

_SMOOTHING = 4.0
_FLOOR = 1e-5
_WORDS = 4_000.0
"""Weight of all syllables being equally frequent, against the counts."""

Readings = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Confusions:
    """Counts of what was heard. `accuracy`: (confidence from, share of syllables that are right)."""

    accuracy: tuple[tuple[float, float], ...]
    alternatives: tuple[float, ...]
    """Of the syllables that are wrong and have alternatives: the share that the first, the second ... makes good."""
    syllables: Counter[str]
    initials: dict[str, Counter[str]]
    finals: dict[str, Counter[str]]

    def shares(self) -> tuple[dict[str, float], dict[str, float]]:
        """How frequent each initial and each final is."""
        initials: Counter[str] = Counter()
        finals: Counter[str] = Counter()
        for syllable, count in self.syllables.items():
            initial, final = split_syllable(syllable)
            initials[initial] += count
            finals[final] += count
        total = max(1, sum(self.syllables.values()))
        return {k: v / total for k, v in initials.items()}, {k: v / total for k, v in finals.items()}


@cache
def shipped() -> Confusions:
    """Counts for the shipped model."""
    plain = json.loads((resources.files("processors.inspect") / "vocabulary" / "confusions.json").read_text("utf-8"))
    return Confusions(
        tuple((confidence, share) for confidence, share in plain["accuracy"]),
        tuple(plain["alternatives"]),
        Counter(plain["syllables"]),
        {wanted: Counter(heard) for wanted, heard in plain["initials"].items()},
        {wanted: Counter(heard) for wanted, heard in plain["finals"].items()},
    )


@cache
def _shares() -> tuple[dict[str, float], dict[str, float]]:
    return shipped().shares()


@cache
def evidence(syllable: str) -> float:
    """Nats that speak for a phrase when this syllable of it was heard."""
    counts = shipped().syllables
    return -math.log((counts[syllable] + 10.0) / (counts.total() + _WORDS))


@cache
def _couples() -> dict[str, int]:
    """How often two syllables (in codes of `sounds.SOUNDS`) follow each other in the talk of call centres."""
    plain = json.loads((resources.files("processors.inspect") / "vocabulary" / "couples.json").read_text("utf-8"))
    return {
        SOUNDS.code(first) + SOUNDS.code(second): count
        for first, after in plain.items()
        for second, count in after.items()
    }


@cache
def _rank_losses() -> list[float]:
    """Nats against each rank of the alternatives, and last against none of them."""
    shares = shipped().alternatives
    return [-math.log(share) for share in shares] + [-math.log(1.0 - sum(shares))]


@lru_cache(maxsize=1 << 16)
def sounding_otherwise(character: str, alternatives: str) -> tuple[str, ...]:
    """Those of the alternatives that sound neither like the character nor like one before, the likeliest first."""
    known, found = set(readings(character)), []
    for other in alternatives:
        sounds = readings(other)
        if sounds and known.isdisjoint(sounds):
            known.update(sounds)
            found.append(other)
    return tuple(found)


def instead(wanted: Readings, others: Sequence[str]) -> float | None:
    """Nats against the one of these alternatives that sounds like this; None when there is none."""
    for rank, character in enumerate(others[: len(_rank_losses()) - 1]):
        if not set(wanted).isdisjoint(readings(character)):
            return _rank_losses()[rank]
    return None


@lru_cache(maxsize=1 << 16)
def unlikeness(wanted: Readings, character: str) -> float:
    """Nats against hearing this character for a syllable that is wrongly heard; 0 when it sounds the same."""
    heard = readings(character) or (character,)
    if not set(wanted).isdisjoint(heard):
        return 0.0
    return -math.log(max(_FLOOR, max(_mistaken(one, other) for one in wanted for other in heard)))


def _mistaken(wanted: str, heard: str) -> float:
    """Share of the mistakes about `wanted` that are `heard`: initial and final on their own, smoothed."""
    confusions = shipped()
    share = 1.0
    halves = zip(
        split_syllable(wanted), split_syllable(heard), (confusions.initials, confusions.finals), _shares(), strict=True
    )
    for before, after, counts, frequent in halves:
        seen = counts.get(before, Counter())
        share *= (seen[after] + _SMOOTHING * frequent.get(after, 0.0)) / (seen.total() + _SMOOTHING)
    return share


def doubt(confidence: float) -> float:
    """Logarithm of the odds that a syllable heard with this confidence is right; never negative."""
    share = 0.5
    for start, accuracy in shipped().accuracy:
        if confidence >= start:
            share = accuracy
    return max(0.0, math.log(share / (1.0 - share)))


@cache
def _doubts() -> list[float]:
    """By hundredths of confidence."""
    return [doubt(hundredth / 100) for hundredth in range(101)]


class Heard:
    """A normal text, with what each of its characters sounds like and may have been instead."""

    __slots__ = ("_alternatives", "_confidences", "codes", "sounds", "text")

    def __init__(self, text: str, confidences: Sequence[float] | None, alternatives: Sequence[str] | None) -> None:
        """`text` is normal. Confidences are 0 to 1; None when they, or the alternatives, are not known."""
        self.text = text
        self.sounds = text.translate(SOUNDS)
        self.codes = list(map(_codes, text))
        """Of each character: what it may be, as heard in all its readings, then the likeliest others."""
        self._confidences, self._alternatives = confidences, alternatives
        if alternatives is not None:
            for place, signs in enumerate(alternatives):
                if signs:
                    self.codes[place] = _codes(text[place], signs)

    def others(self, place: int) -> tuple[str, ...]:
        """Alternatives of a character that sound otherwise."""
        signs = "" if self._alternatives is None else self._alternatives[place]
        return sounding_otherwise(self.text[place], signs) if signs else ()

    def may_mean(self, begin: int, characters: Iterable[str]) -> bool:
        """Whether these characters, which sound like the text at `begin`, may have been meant: each is the one that was
        heard or an alternative to it, or that one is not sure. True where nothing is known of alternatives."""
        others, sure = self._alternatives, self._confidences
        if others is None or not any(others):
            return True
        return all(
            character == self.text[place] or character in others[place] or (sure is not None and sure[place] < SURE)
            for place, character in enumerate(characters, begin)
        )

    def doubt(self, place: int) -> float:
        """Logarithm of the odds that a character was heard rightly."""
        confidence = UNKNOWN_CONFIDENCE if self._confidences is None else self._confidences[place]
        return _doubts()[min(100, max(0, int(100 * confidence)))]


@lru_cache(maxsize=1 << 16)
def _codes(character: str, alternatives: str = "") -> str:
    signs = (character, *sounding_otherwise(character, alternatives)[:SEEDED])
    return "".join(dict.fromkeys(SOUNDS.code(sound) for sign in signs for sound in readings(sign))) or character


def _most_usual(first: Iterable[str], second: Iterable[str]) -> int:
    return max(_couples().get(one + other, 0) for one, other in product(first, second))


class Likeness:
    """A phrase, ready to be weighed against stretches of a text."""

    __slots__ = ("_begin", "_codes", "_end", "_evidence", "_most", "_syllables")

    def __init__(self, phrase: str, spoken: Sequence[Readings], codes: str) -> None:
        """`spoken` are the readings of each character, the usual one first; `codes` those of `sounds.SOUNDS`."""
        self._codes, self._begin, self._end = codes, codes[:2], codes[-2:]
        self._evidence = [evidence(one[0]) for one in spoken]
        self._syllables = list(zip(phrase, spoken, self._evidence, strict=True))
        self._most = _bearable(sum(self._evidence))

    def within(self, heard: Heard, begin: int) -> tuple[int, int] | None:
        """Where the phrase is, if it is at `begin`, or begins or ends there with one syllable more or less."""
        count = len(self._codes)
        if 0 <= begin <= len(heard.text) - count:
            fitting = sum(map(contains, heard.codes[begin : begin + count], self._codes))
            if fitting >= count - MOST_WRONG and self.loss(heard, begin) is not None:
                return begin, begin + count
        return self._with_gap(heard, begin) if count >= LEAST_FOR_GAPS else None

    def loss(self, heard: Heard, begin: int) -> float | None:
        """What is lost when the phrase begins at `begin`, which must be in the text; None when it is too much."""
        lost, agreed = 0.0, 0.0
        stretch = heard.text[begin : begin + len(self._syllables)]
        for place, (other, (character, spoken, weight)) in enumerate(zip(stretch, self._syllables, strict=True), begin):
            if other == character or not (unlike := unlikeness(spoken, other)):
                agreed += weight
                continue
            others = heard.others(place)
            if others:
                known = instead(spoken, others)
                if known is None:
                    unlike += _rank_losses()[-1]
                else:  # that one of so many others is the wanted one speaks for the phrase, too
                    unlike = known
                    agreed += max(0.0, weight - math.log(len(others)))
            lost += max(LEAST_LOSS, unlike + heard.doubt(place))
            if lost > self._most:  # even if all the rest agrees
                return None
        if len(self._syllables) == 2:
            if lost:
                lost += self._another_word(heard, begin)
            elif not heard.may_mean(begin, (character for character, _, _ in self._syllables)):
                return None
        return lost if lost <= _bearable(agreed) else None

    def _another_word(self, heard: Heard, begin: int) -> float:
        """Nats against two syllables: how much more usual another word is that may stand there (利息 for 日息)."""
        first, second = ([SOUNDS.code(sound) for sound in spoken] for _, spoken, _ in self._syllables)
        wanted = _most_usual(first, second)
        return max(0.0, math.log((_most_usual(*heard.codes[begin : begin + 2]) + UNUSUAL) / (wanted + UNUSUAL)))

    def _with_gap(self, heard: Heard, begin: int) -> tuple[int, int] | None:
        """The same with one syllable that was not heard, or one that was only heard, and nothing else wrong."""
        codes, sounds, count = self._codes, heard.sounds, len(self._codes)
        if sounds.find(self._begin, max(0, begin - 1), begin + 3) < 0:  # most fail here
            return None
        for first, end in (
            (begin, begin + count + 1),
            (begin - 1, begin + count),
            (begin, begin + count - 1),
            (begin + 1, begin + count),
        ):
            if first < 0 or end > len(sounds):
                continue
            if not (sounds.startswith(self._begin, first) and sounds.endswith(self._end, first, end)):
                continue
            stretch = sounds[first:end]
            pairs = enumerate(zip(codes, stretch, strict=False))
            head = next((place for place, (one, other) in pairs if one != other), min(count, len(stretch)))
            added = len(stretch) > count
            if codes[head if added else head + 1 :] != stretch[head + 1 if added else head :]:
                continue
            lost = ADDED + heard.doubt(first + head) if added else MISSING
            agreed = sum(self._evidence) - (0.0 if added else self._evidence[head])
            if lost <= _bearable(agreed):
                return first, end
        return None


def _bearable(agreed: float) -> float:
    """Nats that may be lost where so many speak for the phrase."""
    return min(MOST, SHARE * agreed - MARGIN)
