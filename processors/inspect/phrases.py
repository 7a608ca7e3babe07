"""Finds the phrases of all rules in a text at once: by character, by sound, and as a speech model mishears them.

Two automata for the whole rule set, so that more rules do not make an utterance dearer in proportion: one over normal
characters, one over syllables with all confusion pairs folded, whose finds are then checked against what each rule
allows. A phrase with wrong syllables in it is looked for where three of four syllables stand at their places, as heard
or as an alternative (`Seeds`, one table for all rules); `mishearing` then weighs it. Deliberately without times, roles
and windows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product

from ahocorasick_rs import AhoCorasick, MatchKind

from processors.inspect.mishearing import LEAST_SYLLABLES, Heard, Likeness
from processors.inspect.numbers_zh import spellings
from processors.inspect.operators.base import Find
from processors.inspect.sounds import SOUNDS, fold, normal, phrase_readings, readings
from processors.inspect.spoken import Spoken

LEAST_BY_SOUND = 2
"""A single character is found only as it is written: too many others sound the same."""
LATE, EARLY = ".", ":"
"""Before a seed in which the third of four syllables is left out, and the second."""
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
            sounds = spoken.normal.translate(SOUNDS)
            for index, begin, end in self._syllables.find_matches_as_indexes(sounds, overlapping=True):
                for sound in self._sounds[index]:
                    if _sounds_alike(sound, spoken.normal[begin:end]):
                        self._take(found, spoken, begin, end, sound.wanted)
            for begin, end, wanted in self._seeds.find(spoken):
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
    """Where phrases with wrong, missing or added syllables may stand: where three of four neighbours fit.

    A syllable fits as it was heard or by one of its likeliest alternatives. In phrases of two both have to fit.
    """

    def __init__(self, phrases: Iterable[tuple[str, list[tuple[str, ...]], tuple[Wanted, ...]]]) -> None:
        """`phrases` are (normal phrase, readings of its characters, by whom it is wanted)."""
        self._at: dict[str, list[tuple[Likeness, int, tuple[Wanted, ...]]]] = {}
        for phrase, read, wanted in phrases:
            if len(phrase) < LEAST_SYLLABLES:
                continue
            codes = "".join(
                SOUNDS.code(allowed[0]) if readings(character) else character
                for character, allowed in zip(phrase, read, strict=True)
            )
            like = Likeness(phrase, read, codes)
            for place, key in _keys(codes) if len(codes) > 2 else [(0, codes)]:
                self._at.setdefault(key, []).append((like, place, wanted))
        self._starts = {key.removeprefix(LATE)[:2] for key in self._at if key[0] != EARLY}
        self._ends = {key[-2:] for key in self._at if key[0] == EARLY}

    def find(self, spoken: Spoken) -> Iterator[tuple[int, int, tuple[Wanted, ...]]]:
        """(begin, end, by whom it is wanted) of each phrase that may have been spoken."""
        at = self._at
        if not at:
            return
        tried: set[tuple[int, int]] = set()
        heard = _heard(spoken)
        for place, key in self._keys_of(heard.codes()):
            if key not in at:
                continue
            for like, offset, wanted in at[key]:
                candidate = id(like), place - offset
                if candidate in tried:
                    continue
                tried.add(candidate)
                span = like.within(heard, place - offset)
                if span is not None:
                    yield *span, wanted

    def _keys_of(self, codes: Sequence[str]) -> Iterator[tuple[int, str]]:
        """(place, key) of all seeds in a text; `codes` are those that each syllable may be.

        Most neighbours neither begin nor end a seed, which saves the third. Two syllables are a seed where one of them
        is in doubt: the others are found without seeds.
        """
        starts, ends, count = self._starts, self._ends, len(codes)
        for place, (a, b) in enumerate(pairwise(codes)):
            couples = (a + b,) if len(a) == len(b) == 1 else [x + y for x in a for y in b]
            for couple in couples:
                if couple in starts:
                    if len(couples) > 1:
                        yield place, couple
                    if place + 2 < count:
                        for c in codes[place + 2]:
                            yield place, couple + c
                    if place + 3 < count:
                        for d in codes[place + 3]:
                            yield place, LATE + couple + d
                if place > 1 and couple in ends:
                    for first in codes[place - 2]:
                        yield place - 2, EARLY + first + couple


def _keys(codes: str) -> Iterator[tuple[int, str]]:
    """(place, key) of each three of four neighbours in a phrase."""
    for place in range(len(codes) - 2):
        a, b, c, *more = list(codes[place : place + 4])
        yield place, a + b + c
        for d in more:
            yield place, LATE + a + b + d
            yield place, EARLY + a + c + d


def _heard(spoken: Spoken) -> Heard:
    sure, others = spoken.confidences, spoken.alternatives
    if len(spoken.normal) == len(spoken.text):
        return Heard.of(spoken.normal, sure, others)
    return Heard.of(
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
