"""Finds the phrases of all rules in a text at once: by character, and by sound where a rule allows it.

Two automata for the whole rule set, so that more rules do not make an utterance dearer in proportion: one over normal
characters, one over syllables with all confusion pairs folded, whose finds are then checked against what each rule
allows. Deliberately without times, roles and windows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice, product

from ahocorasick_rs import AhoCorasick, MatchKind

from processors.inspect.numbers_zh import spellings
from processors.inspect.operators.base import Find
from processors.inspect.sounds import SOUNDS, fold, normal, phrase_readings, readings
from processors.inspect.spoken import Spoken

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
    """Whether it may also be found on a suspicion."""


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
                if phrase and one.pairs is not None:
                    by_sound[phrase, one.pairs].append(one)
        self._phrases = [(phrase, tuple(ones)) for phrase, ones in by_phrase.items()]
        self._characters = _automaton([phrase for phrase, _ in self._phrases])
        codes: dict[str, list[_Sound]] = defaultdict(list)
        for (phrase, pairs), ones in by_sound.items():
            read = phrase_readings(phrase)
            sound = _Sound(phrase, tuple(read), pairs, tuple(ones))
            for code in _codes(phrase, read):
                codes[code].append(sound)
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
