"""How Chinese characters sound: toneless syllables, common readings of polyphones, pairs that people confuse.

Tables only, built once from pypinyin. It deliberately knows no phrases and no thresholds: `phrases` matches.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from functools import cache
from typing import Final

from pypinyin import Style, lazy_pinyin
from pypinyin.constants import PHRASES_DICT, PINYIN_DICT
from pypinyin.contrib.tone_convert import to_normal

CONFUSIONS: Final = ("z/zh", "c/ch", "s/sh", "n/l", "in/ing", "en/eng", "f/h")
"""Pairs that a rule may declare equal; written in either order."""
RARE: Final = 0.12
"""A reading that makes less than this share of a character's dictionary words is no candidate."""
DIGIT_CHARACTERS: Final = "零一二三四五六七八九"
NOTHING: Final = "\uf8ff"
"""Sound of a character that has none (a symbol, a foreign letter keeps its own)."""

_FIRST_CODE = 0xE000
_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
_INITIAL_FOLDS = {"zh": ("z", "z/zh"), "ch": ("c", "c/ch"), "sh": ("s", "s/sh"), "n": ("l", "n/l"), "f": ("h", "f/h")}
_FINAL_FOLDS = {"ing": ("in", "in/ing"), "eng": ("en", "en/eng")}


class Normal(dict[int, str]):
    """Translation table of `str.translate`: one character to its normal form, or '' when it does not count.

    Full width becomes half width, capital letters small ones; spaces, punctuation and marks do not count.
    """

    def __missing__(self, code: int) -> str:
        character = unicodedata.normalize("NFKC", chr(code))[:1].lower()[:1]
        kept = character if character and (character.isalnum() or character in "%") else ""
        self[code] = kept
        return kept


NORMAL = Normal()


def normal(text: str) -> str:
    """Characters that count, in their normal form."""
    return text.translate(NORMAL)


@cache
def split_syllable(syllable: str) -> tuple[str, str]:
    """(initial, final) of a toneless syllable; the initial may be ''."""
    for initial in _INITIALS:
        if syllable.startswith(initial):
            return initial, syllable[len(initial) :]
    return "", syllable


@cache
def fold(syllable: str, pairs: frozenset[str]) -> str:
    """One name for all syllables that are equal under the confusion pairs."""
    initial, final = split_syllable(syllable)
    to, pair = _INITIAL_FOLDS.get(initial, (initial, ""))
    if pair in pairs:
        initial = to
    to, pair = _FINAL_FOLDS.get(final, (final, ""))
    if pair in pairs:
        final = to
    return initial + final


@cache
def _shares() -> dict[str, Counter[str]]:
    shares: dict[str, Counter[str]] = defaultdict(Counter)
    for phrase, readings in PHRASES_DICT.items():
        if len(phrase) == len(readings):
            for character, reading in zip(phrase, readings, strict=True):
                shares[character][_toneless(reading[0])] += 1
    return shares


@cache
def _toneless(reading: str) -> str:
    return str(to_normal(reading, v_to_u=False))


@cache
def readings(character: str) -> tuple[str, ...]:
    """Common toneless readings of one character, the usual one first; () when it is not Chinese."""
    if character.isascii():
        return readings(DIGIT_CHARACTERS[int(character)]) if character.isdigit() else ()
    listed = PINYIN_DICT.get(ord(character))
    if listed is None:
        return ()
    known = list(dict.fromkeys(_toneless(reading) for reading in listed.split(",")))
    if len(known) == 1:
        return (known[0],)
    shares = _shares().get(character, Counter())
    total = sum(shares[reading] for reading in known)
    if total < 5:
        return tuple(known[:2])
    ranked = sorted(known, key=lambda reading: -shares[reading])
    return tuple(reading for reading in ranked if shares[reading] >= RARE * total)


def phrase_readings(phrase: str) -> list[tuple[str, ...]]:
    """By character of a normal phrase: its reading in this context first, then its other common ones."""
    letters = [character for character in phrase if readings(character)]
    context = iter(lazy_pinyin("".join(letters), style=Style.NORMAL, errors="default"))
    in_context = [next(context, "") if readings(character) else "" for character in phrase]
    if next(context, None) is not None:  # not one syllable a character: do without context
        in_context = [""] * len(phrase)
    return [
        tuple(dict.fromkeys(reading for reading in (read, *readings(character)) if reading)) or (character,)
        for character, read in zip(phrase, in_context, strict=True)
    ]


class Sounds(dict[int, str]):
    """Translation table of `str.translate`: a normal character to one code for its usual syllable, all pairs folded."""

    def __init__(self) -> None:
        super().__init__()
        self._codes: dict[str, str] = {}

    def code(self, syllable: str) -> str:
        """The code of a syllable."""
        folded = fold(syllable, ALL_PAIRS)
        known = self._codes.get(folded)
        if known is None:
            known = self._codes[folded] = chr(_FIRST_CODE + len(self._codes))
        return known

    def __missing__(self, code: int) -> str:
        read = readings(chr(code))
        self[code] = self.code(read[0]) if read else chr(code)
        return self[code]


ALL_PAIRS: Final = frozenset(CONFUSIONS)
SOUNDS = Sounds()
