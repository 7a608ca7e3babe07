"""Finds the phrases of all rules in a text at once: by character, by sound, and as a speech model mishears them.

Two automata for the whole rule set, so that more rules do not make an utterance dearer in proportion: one over normal
characters, one over syllables with all confusion pairs folded, whose finds are then checked against what each rule
allows. A phrase with a wrong syllable in it is looked for where three others of it stand at their places, as heard or
as an alternative (`Seeds`, one table for all rules); `mishearing` then weighs it. Deliberately without times, roles and
windows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from operator import add
from typing import TypeAlias

from ahocorasick_rs import AhoCorasick, MatchKind

from processors.inspect.mishearing import LEAST_SYLLABLES, Heard, Likeness
from processors.inspect.numbers_zh import spellings
from processors.inspect.operators.base import Find
from processors.inspect.sounds import SOUNDS, fold, normal, phrase_readings, readings
from processors.inspect.spoken import Spoken

LEAST_BY_SOUND = 2
"""A single character is found only as it is written: too many others sound the same."""
MAX_VARIANTS = 16
"""Ways of reading one phrase that are looked for; rare combinations of polyphones beyond it are not."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One phrase of one leaf. `pairs`: confusion pairs under which it matches by sound, None = by character only."""

    leaf: int
    slot: int
    phrase: str
    pairs: frozenset[str] | None
    likely: bool = True
    """Whether a phrase that is wanted by sound is also found as it may have been misheard."""


@dataclass(frozen=True, slots=True)
class _Sound:
    """A phrase wanted by sound: its characters and possible readings."""

    phrase: str
    readings: tuple[tuple[str, ...], ...]
    pairs: frozenset[str]
    wanted: tuple[Wanted, ...]


_Seeded: TypeAlias = tuple[Likeness, int, tuple[Wanted, ...]]
"""A phrase, the place in it of the two neighbours by which it was looked up, and by whom it is wanted."""


class PhraseIndex:
    """All phrases of a rule set."""

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        """Compile the automata."""
        by_phrase: dict[str, list[Wanted]] = defaultdict(list)
        by_sound: dict[tuple[str, frozenset[str]], list[Wanted]] = defaultdict(list)
        for one in wanted:
            for phrase in spellings(normal(one.phrase)):
                if phrase:
                    by_phrase[phrase].append(one)
                if len(phrase) >= LEAST_BY_SOUND and one.pairs is not None:
                    by_sound[phrase, one.pairs].append(one)
        self._phrases = [(phrase, tuple(ones)) for phrase, ones in by_phrase.items()]
        self._characters = _automaton([phrase for phrase, _ in self._phrases])
        codes: dict[str, list[_Sound]] = defaultdict(list)
        unsure: dict[str, tuple[list[tuple[str, ...]], dict[Wanted, None]]] = {}
        for (phrase, pairs), ones in by_sound.items():
            read = phrase_readings(phrase)
            sound = _Sound(phrase, tuple(read), pairs, tuple(ones))
            for code in _codes(phrase, read):
                codes[code].append(sound)
            doubtful = [one for one in ones if one.likely]
            if doubtful:
                unsure.setdefault(phrase, (read, {}))[1].update(dict.fromkeys(doubtful))
        self._seeds = Seeds((phrase, read, tuple(ones)) for phrase, (read, ones) in unsure.items())
        self._sounds = [tuple(sounds) for sounds in codes.values()]
        self._syllables = _automaton(list(codes))

    def find(self, spoken: Spoken) -> dict[int, list[Find]]:
        """All finds by leaf, in the order of the text. Finds that lie wholly in the tail are left out."""
        found: dict[int, dict[tuple[int, int, int], Find]] = {}
        if self._characters is not None:
            for index, begin, end in self._characters.find_matches_as_indexes(spoken.normal, overlapping=True):
                self._take(found, spoken, begin, end, self._phrases[index][1])
        if self._syllables is not None:
            heard = _heard(spoken)
            for index, begin, end in self._syllables.find_matches_as_indexes(heard.sounds, overlapping=True):
                for sound in self._sounds[index]:
                    known = len(sound.phrase) > LEAST_BY_SOUND or heard.may_mean(begin, sound.phrase)
                    if known and _sounds_alike(sound, spoken.normal[begin:end]):
                        self._take(found, spoken, begin, end, sound.wanted)
            for begin, end, wanted in self._seeds.find(heard):
                self._take(found, spoken, begin, end, wanted)
        return {leaf: sorted(finds.values(), key=_order) for leaf, finds in found.items()}

    def _take(
        self,
        found: dict[int, dict[tuple[int, int, int], Find]],
        spoken: Spoken,
        begin: int,
        end: int,
        wanted: tuple[Wanted, ...],
    ) -> None:
        first, last = spoken.places[begin], spoken.places[end - 1] + 1
        if last <= spoken.offset:
            return
        for one in wanted:
            found.setdefault(one.leaf, {})[one.slot, first, last] = Find(one.slot, first, last)


class Seeds:
    """Where phrases with a wrong, missing or added syllable may stand: where three others fit.

    A syllable fits as it was heard or by one of its likeliest alternatives. In phrases of two both have to fit. Of a
    longer one a few threes are enough, such that one of them is left whichever syllable is wrong. They are looked up by
    the two that are neighbours, then by the third at its distance from these: most neighbours in a text are in no
    phrase.
    """

    def __init__(self, phrases: Iterable[tuple[str, list[tuple[str, ...]], tuple[Wanted, ...]]]) -> None:
        """`phrases` are (normal phrase, readings of its characters, by whom it is wanted)."""
        self._couples: dict[str, list[_Seeded]] = {}
        """Phrases of two syllables."""
        self._thirds: dict[str, dict[int, dict[str, list[_Seeded]]]] = {}
        """Of longer ones, by two neighbours, distance of the third from the first of them, and the third."""
        for phrase, read, wanted in phrases:
            if len(phrase) < LEAST_SYLLABLES:
                continue
            codes = "".join(
                SOUNDS.code(allowed[0]) if readings(character) else character
                for character, allowed in zip(phrase, read, strict=True)
            )
            like = Likeness(phrase, read, codes)
            if len(codes) == 2:
                self._couples.setdefault(codes, []).append((like, 0, wanted))
            for place, distance in _seeds(len(codes)):
                thirds = self._thirds.setdefault(codes[place : place + 2], {}).setdefault(distance, {})
                thirds.setdefault(codes[place + distance], []).append((like, place, wanted))

    def find(self, heard: Heard) -> Iterator[tuple[int, int, tuple[Wanted, ...]]]:
        """(begin, end, by whom it is wanted) of each phrase that may have been spoken."""
        for (like, begin), wanted in self._candidates(heard.codes).items():
            span = like.within(heard, begin)
            if span is not None:
                yield *span, wanted

    def _candidates(self, codes: list[str]) -> dict[tuple[Likeness, int], tuple[Wanted, ...]]:
        """By (phrase, its place): who wants it. `codes` are those that each syllable may be.

        Two syllables are a seed where one of them is in doubt: the others are found without seeds.
        """
        found: dict[tuple[Likeness, int], tuple[Wanted, ...]] = {}
        for place, couple in enumerate(map(add, codes, codes[1:])):
            if len(couple) == 2:
                thirds = self._thirds.get(couple)
                if thirds is not None:
                    _collect(found, thirds, codes, place)
                continue
            for first, second in product(codes[place], codes[place + 1]):
                for like, _, wanted in self._couples.get(first + second, ()):
                    found[like, place] = wanted
                thirds = self._thirds.get(first + second)
                if thirds is not None:
                    _collect(found, thirds, codes, place)
        return found


def _collect(
    found: dict[tuple[Likeness, int], tuple[Wanted, ...]],
    thirds: dict[int, dict[str, list[_Seeded]]],
    codes: list[str],
    place: int,
) -> None:
    """Add the phrases of two neighbours at `place` whose third syllable may be where it belongs."""
    for distance, seeded in thirds.items():
        if 0 <= place + distance < len(codes):
            for code in codes[place + distance]:
                for like, offset, wanted in seeded.get(code, ()):
                    found[like, place - offset] = wanted


def _seeds(count: int) -> Iterator[tuple[int, int]]:
    """(place of two neighbours, distance of the third) such that one seed fits whichever syllable is wrong."""
    if count == 4:
        yield from ((0, 2), (0, 3), (2, -2), (1, 2))
    elif count == 5:
        yield from ((0, 2), (0, 3), (2, 2))
    else:
        yield from ((place, 2) for place in range(0, count - 2, 3))


def _heard(spoken: Spoken) -> Heard:
    sure, others = spoken.confidences(), spoken.alternatives()
    if len(spoken.normal) == len(spoken.text):
        return Heard(spoken.normal, sure, others)
    return Heard(
        spoken.normal,
        None if sure is None else [sure[place] for place in spoken.places],
        None if others is None else [others[place] for place in spoken.places],
    )


def _order(find: Find) -> tuple[int, int, int]:
    return find.char_from, -find.char_to, find.slot


def _automaton(patterns: list[str]) -> AhoCorasick | None:
    return AhoCorasick(patterns, matchkind=MatchKind.Standard) if patterns else None


def _codes(phrase: str, read: list[tuple[str, ...]]) -> list[str]:
    """The folded syllable strings of a phrase, the reading in context first."""
    choices = [
        tuple(dict.fromkeys(SOUNDS.code(one) for one in allowed)) if readings(character) else (character,)
        for character, allowed in zip(phrase, read, strict=True)
    ]
    return list(dict.fromkeys("".join(combination) for combination in islice(product(*choices), MAX_VARIANTS)))


def _sounds_alike(sound: _Sound, text: str) -> bool:
    """Whether each character of `text` can be read like that of the phrase, under the rule's confusion pairs."""
    for character, wanted, allowed in zip(text, sound.phrase, sound.readings, strict=True):
        if character == wanted:
            continue
        folded = {fold(reading, sound.pairs) for reading in allowed}
        if not any(fold(reading, sound.pairs) in folded for reading in readings(character)):
            return False
    return True
