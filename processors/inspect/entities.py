"""Finds numbers that mean something: identity cards, bank cards, telephones, amounts, rates, dates.

Works on the characters as spoken, so that the places found are those of the utterance: digits read one by one, in
groups, with 幺, with pauses and fillers in between; or written, when a recogniser writes digits. What has a checksum is
checked. Pure functions over one string; joining several turns is the operator's work (`operators.entity`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from processors.inspect.numbers_zh import NUMBER, digit, value

KINDS: Final = ("id_card", "bank_card", "phone", "amount", "rate", "date")
NUMBERED: Final = ("id_card", "bank_card", "phone")
"""Kinds that are strings of digits, and may be read out over several turns."""
FILLERS: Final = frozenset(" \t,，.。、-－—嗯呃啊哦杠")
"""What may stand between two digits of one number."""
X_SPOKEN: Final = {"x": "X", "X": "X", "叉": "X"}

_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
_PROVINCES: Final = frozenset(
    f"{region}{number}" for region, last in zip("1234567", (5, 3, 7, 6, 4, 5, 1), strict=True)
    for number in range(1, last + 1)
) | {"50", "81", "82", "83"}  # fmt: skip
_MOBILE: Final = re.compile(r"1[3-9]\d{9}")
_LANDLINE: Final = re.compile(r"0(?:10|2\d|[3-9]\d{2})[2-8]\d{6,7}|400[0-9]\d{6}|800[0-9]\d{6}")
_MONEY: Final = re.compile(rf"[¥￥]?({NUMBER})\s*(?:多|几)?\s*(?:元|块钱|块|人民币|¥)([一二三四五六七八九1-9](?!\d))?")
_SYMBOL: Final = re.compile(r"[¥￥]\s*([0-9][0-9,]*(?:\.[0-9]+)?)")
_PERCENT: Final = re.compile(rf"(百分之|千分之|万分之)({NUMBER})|({NUMBER})\s*(%|％|‰|个百分点|个点|厘|分(?:利|息))")
_DAY: Final = re.compile(
    r"(?:([0-9零〇一二三四五六七八九]{4}|[0-9零〇一二三四五六七八九]{2})年)?"
    r"([0-9一二三四五六七八九十]{1,3})月(?:份)?(?:([0-9一二三四五六七八九十]{1,3})(?:日|号))?"
    r"|([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})"
)
_SHARE: Final = {"百分之": 1.0, "千分之": 0.1, "万分之": 0.01, "‰": 0.1, "厘": 0.1}


@dataclass(frozen=True, slots=True)
class Entity:
    """Something found in characters [char_from, char_to). value: amount in yuan, rate in per cent, else None."""

    kind: str
    char_from: int
    char_to: int
    text: str
    """Digits of a number, or the words."""
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Digits:
    """A run of digits: what they are and where each stands."""

    digits: str
    places: tuple[int, ...]
    opens: bool
    """Nothing but fillers stands before it."""
    closes: bool
    """Nothing but fillers stands after it."""


def digit_runs(text: str) -> list[Digits]:
    """All runs of at least two digits read one by one, in the order of the text."""
    runs: list[Digits] = []
    found: list[tuple[str, int]] = []
    for place, character in enumerate(text):
        known = digit(character)
        if not known and found and len(found) >= 17:
            known = X_SPOKEN.get(character, "")
        if known:
            found.append((known, place))
        elif character not in FILLERS and found:
            runs += _run(text, found)
            found = []
    return runs + _run(text, found)


def _run(text: str, found: list[tuple[str, int]]) -> list[Digits]:
    if not found:
        return []
    first, last = found[0][1], found[-1][1]
    opens = all(character in FILLERS for character in text[:first])
    closes = all(character in FILLERS for character in text[last + 1 :])
    if len(found) < 2 and not (opens and closes):
        return []
    return [Digits("".join(one for one, _ in found), tuple(place for _, place in found), opens, closes)]


def numbers(digits: str) -> list[tuple[str, int, int]]:
    """(kind, from, to) of the valid numbers in a string of digits: the whole, or a part that nothing else fits."""
    found: list[tuple[str, int, int]] = []
    at = 0
    while at < len(digits):
        best = next(
            (
                (kind, at, at + length)
                for kind, lengths, valid in _CHECKS
                for length in lengths
                if at + length <= len(digits) and _alone(digits, at, length) and valid(digits[at : at + length])
            ),
            None,
        )
        if best is None:
            at += 1
        else:
            found.append(best)
            at = best[2]
    return found


def _alone(digits: str, at: int, length: int) -> bool:
    """Whether a number may begin here: at the beginning of what was read, or the rest is a repetition of it."""
    number = digits[at : at + length]
    return (at == 0 or digits[:at].endswith(number)) and (
        at + length == len(digits) or digits[at + length :].startswith(number[: len(digits) - at - length])
    )


def is_id_card(number: str) -> bool:
    """GB 11643-1999: region, date of birth, check character."""
    if re.fullmatch(r"\d{17}[\dX]", number) is None or number[:2] not in _PROVINCES:
        return False
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(one) for weight, one in zip(_ID_WEIGHTS, number, strict=False))
    return born.year >= 1880 and _ID_CHECKS[total % 11] == number[17]


def is_bank_card(number: str) -> bool:
    """UnionPay (62, 60, 81) with 16 to 19 digits, other networks with 16; Luhn checksum."""
    if not number.isdigit():
        return False
    union = number[:2] in ("62", "60", "81") and 16 <= len(number) <= 19
    other = len(number) == 16 and (number[0] == "4" or "51" <= number[:2] <= "55" or "3528" <= number[:4] <= "3589")
    if not (union or other) or len(set(number)) == 1:
        return False
    total = 0
    for index, one in enumerate(reversed(number)):
        doubled = int(one) * (1 + index % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_phone(number: str) -> bool:
    """Mobile, landline with area code, or 400/800."""
    return _MOBILE.fullmatch(number) is not None or _LANDLINE.fullmatch(number) is not None


_CHECKS: Final[tuple[tuple[str, tuple[int, ...], Callable[[str], bool]], ...]] = (
    ("id_card", (18,), is_id_card),
    ("bank_card", (19, 18, 17, 16), is_bank_card),
    ("phone", (12, 11, 10), is_phone),
)


def worded(text: str, kinds: frozenset[str]) -> list[Entity]:
    """Amounts, rates and dates in one text."""
    found: list[Entity] = []
    if "amount" in kinds:
        found += _amounts(text)
    if "rate" in kinds:
        found += _rates(text)
    if "date" in kinds:
        found += _dates(text)
    return found


def _amounts(text: str) -> Iterator[Entity]:
    taken: list[tuple[int, int]] = []
    for match in _MONEY.finditer(text):
        number = value(match[1])
        if number is None:
            continue
        if match[2]:  # 三块五
            number += int(digit(match[2]) or 0) / 10
        taken.append(match.span())
        yield Entity("amount", match.start(), match.end(), match[0], number)
    for match in _SYMBOL.finditer(text):
        number = value(match[1])
        if number is not None and not any(begin < match.end() and match.start() < end for begin, end in taken):
            yield Entity("amount", match.start(), match.end(), match[0], number)


def _rates(text: str) -> Iterator[Entity]:
    for match in _PERCENT.finditer(text):
        number = value(match[2] or match[3])
        unit = match[1] or match[4]
        if number is not None:
            rate = round(number * _SHARE.get(unit, 1.0), 6)
            yield Entity("rate", match.start(), match.end(), match[0], rate)


def _dates(text: str) -> Iterator[Entity]:
    for match in _DAY.finditer(text):
        year, month, day = (match[1], match[2], match[3]) if match[2] else (match[4], match[5], match[6])
        if match[2] and year is None and day is None:
            continue  # 三月 alone may be three months
        months, days = value(month or ""), value(day) if day else 1.0
        if months is None or days is None or not 1 <= months <= 12:
            continue
        try:
            date(2024 if year is None else max(1, int(value(year) or 1)), int(months), int(days))
        except ValueError:
            continue
        yield Entity("date", match.start(), match.end(), match[0])
