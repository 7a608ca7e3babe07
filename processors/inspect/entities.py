"""Finds numbers that are read out: identity cards, bank cards, telephones.

Works on the characters as spoken, so that the places found are those of the utterance: digits read one by one, in
groups, with 幺 or 洞, as 双零 or 三个零, with pauses and fillers in between; or written, when a recogniser does. What
has a checksum is checked. Pure functions over one string; joining several turns is the work of `operators.entity`,
amounts, rates and dates that of `quantities`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from processors.inspect.numbers_zh import digit

NUMBERED: Final = ("id_card", "bank_card", "phone")
"""Kinds that are strings of digits, and may be read out over several turns."""

CARD_DIGITS_MOST: Final = 19

_FILLER: Final = re.compile(
    r"(?:[\s,，.。、…~\-－—–+()（）嗯呃额啊哦喔呐呢杠]|那个|这个|就是|然后|接着|后面|再来|再|对的|对|是的|是|好的|好|"
    r"等一下|等等|稍等)+"
)
"""What may stand between two digits of one number. A correction (不对, 错了) is none: the number begins anew."""
_SEVERAL: Final = re.compile(r"(?:(双)|([两二三四五六七八])个)(?=([零〇一二三四五六七八九幺洞拐勾0-9]))")
_X: Final = re.compile(r"叉|[xXｘＸ]|[埃艾爱诶]克[斯司丝]")

_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
_PROVINCES: Final = frozenset(
    f"{region}{number}" for region, last in zip("1234567", (5, 3, 7, 6, 4, 5, 1), strict=True)
    for number in range(1, last + 1)
) | {"50", "81", "82", "83"}  # fmt: skip
_MOBILE: Final = re.compile(r"(?:(?:00)?86|0)?1[3-9]\d{9}")
_LANDLINE: Final = re.compile(r"0(?:10|2\d|[3-9]\d{2})[2-8]\d{6,7}|400\d{7}|800\d{7}")


@dataclass(frozen=True, slots=True)
class Digits:
    """A run of digits: what they are and where each stands."""

    digits: str
    spans: tuple[tuple[int, int], ...]
    """Characters [from, to) of each digit; the digits of 三个零 share theirs."""
    opens: bool
    """Nothing but fillers stands before it: it may go on with the number of the turn before."""
    closes: bool
    """Nothing but fillers stands after it: the number may go on in the next turn."""


def digit_runs(text: str) -> list[Digits]:
    """All runs of digits in the order of the text: two at least, or a single one that is all that was said."""
    runs: list[Digits] = []
    found: list[tuple[str, int, int]] = []
    at = 0
    while at < len(text):
        token = _token(text, at, more=bool(found))
        filler = None if token is not None else _FILLER.match(text, at)
        if token is not None:
            digits, end = token
            found += [(one, at, end) for one in digits]
            over, at = digits == "X", end
        elif filler is not None:
            over, at = False, filler.end()
        else:
            over, at = True, at + 1
        if over:
            runs += _run(text, found)
            found = []
    return runs + _run(text, found)


def _token(text: str, at: int, *, more: bool) -> tuple[str, int] | None:
    """(digits, end) of what stands at `at`, when it is digits. X is the last one of a number."""
    several = _SEVERAL.match(text, at)
    if several is not None:
        times = 2 if several[1] else int(digit(several[2]))
        return digit(several[3]) * times, several.end() + 1
    one = digit(text[at])
    if one:
        return one, at + 1
    last = _X.match(text, at)
    if last is not None and (more or _only_fillers(text[:at])):
        return "X", last.end()
    return None


def _run(text: str, found: list[tuple[str, int, int]]) -> list[Digits]:
    if not found:
        return []
    first, last = found[0][1], found[-1][2]
    opens, closes = _only_fillers(text[:first]), _only_fillers(text[last:])
    if len(found) < 2 and not (opens and closes):
        return []
    return [Digits("".join(one for one, *_ in found), tuple((start, end) for _, start, end in found), opens, closes)]


def _only_fillers(text: str) -> bool:
    return not text or _FILLER.fullmatch(text) is not None


def numbers(digits: str) -> list[tuple[str, int, int]]:
    """(kind, from, to) of the valid numbers of which a string of digits is made, [] when it is not.

    All digits must belong to one: a number that stands in the middle of others is none. Only a false start (138, then
    the whole number) and the beginning of a repetition may be left over.
    """
    tiles = _tiled(digits)
    for skipped in range(len(digits) // 2 + 1):
        tile = tiles.get(skipped)
        if tile is not None and digits[tile[0][1] :].startswith(digits[:skipped]):
            return tile
    return []


def _tiled(digits: str) -> dict[int, list[tuple[str, int, int]]]:
    """The numbers from each place on to the end."""
    tiles: dict[int, list[tuple[str, int, int]]] = {}
    for at in range(len(digits) - 1, -1, -1):
        for kind, lengths, valid in _CHECKS:
            for end in (at + length for length in lengths):
                if at in tiles or end > len(digits) or not valid(digits[at:end]):
                    continue
                if digits[at:end].startswith(digits[end:]):
                    tiles[at] = [(kind, at, end)]
                elif end in tiles:
                    tiles[at] = [(kind, at, end), *tiles[end]]
    return tiles


def is_id_card(number: str) -> bool:
    """GB 11643-1999: region, date of birth, check character. Those of 15 digits are no longer valid."""
    if re.fullmatch(r"[0-9]{17}[0-9X]", number) is None or number[:2] not in _PROVINCES:
        return False
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(one) for weight, one in zip(_ID_WEIGHTS, number, strict=False))
    return born.year >= 1880 and _ID_CHECKS[total % 11] == number[17]


def is_bank_card(number: str) -> bool:
    """UnionPay (62, 60, 81) with 16 to 19 digits, the older ranges of banks and other networks with 16 or 19; Luhn."""
    if not number.isdecimal():
        return False
    union = number[:2] in ("62", "60", "81") and 16 <= len(number) <= 19
    older = number[0] in "49" or "51" <= number[:2] <= "55" or "2221" <= number[:4] <= "2720"
    other = older or "3528" <= number[:4] <= "3589"
    if not (union or (other and len(number) in (16, 19))) or len(set(number)) == 1:
        return False
    total = 0
    for index, one in enumerate(reversed(number)):
        doubled = int(one) * (1 + index % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_phone(number: str) -> bool:
    """Mobile (with 0 or 86 before it, too), landline with area code, or 400/800."""
    return _MOBILE.fullmatch(number) is not None or _LANDLINE.fullmatch(number) is not None


_CHECKS: Final[tuple[tuple[str, tuple[int, ...], Callable[[str], bool]], ...]] = (
    ("id_card", (18,), is_id_card),
    ("bank_card", tuple(range(CARD_DIGITS_MOST, 15, -1)), is_bank_card),
    ("phone", (15, 13, 12, 11, 10), is_phone),
)
