"""Numbers as they are spoken in Chinese: single digits, and values with units.

digit("幺") == "1"        value("十二万三千") == 123000        value("三点五") == 3.5        value("一万二") == 12000
"""

from __future__ import annotations

import re
from typing import Final

DIGITS: Final = {
    **{character: str(index) for index, character in enumerate("零一二三四五六七八九")},
    **{character: str(index) for index, character in enumerate("0123456789")},
    **{character: str(index) for index, character in enumerate("０１２３４５６７８９")},
    "〇": "0", "幺": "1", "两": "2", "洞": "0", "拐": "7", "勾": "9",
}  # fmt: skip
"""Characters that stand for one digit when a number is read out digit by digit."""
UNITS: Final = {"十": 10, "百": 100, "千": 1_000}
LARGE: Final = {"万": 10_000, "亿": 100_000_000}
NUMBER: Final = r"[0-9零〇一二三四五六七八九两十百千万亿]+(?:[点.][0-9零〇一二三四五六七八九]+)?"
_PLAIN: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def digit(character: str) -> str:
    """The digit that a character stands for, or ''."""
    return DIGITS.get(character, "")


def value(text: str) -> float | None:
    """The value of a spoken or written number; None when it is none."""
    text = text.replace(",", "").replace("，", "").replace("点", ".")
    if not text:
        return None
    if _PLAIN.fullmatch(text):
        return float(text)
    whole, point, fraction = text.partition(".")
    scale = 1.0
    while point and fraction and fraction[-1] in LARGE:
        scale *= LARGE[fraction[-1]]
        fraction = fraction[:-1]
    number = _whole(whole)
    if number is None:
        return None
    if point:
        digits = "".join(digit(character) or "?" for character in fraction)
        if not digits.isdigit():
            return None
        return (number + float(f"0.{digits}")) * scale
    return number


def _whole(text: str) -> float | None:
    if not any(character in UNITS or character in LARGE for character in text):
        digits = "".join(digit(character) or "?" for character in text)
        return float(digits) if digits.isdigit() and len(digits) <= 15 else None
    total, section, current = 0.0, 0.0, -1.0
    unit = 1.0  # of the latest unit word: 一万二 means 12,000
    pending = ""
    for character in text:
        known = digit(character)
        if known:
            pending += known
            if len(pending) > 12:
                return None
            current = float(pending)
            if character in "零〇":
                unit = 10.0
        elif character in UNITS:
            section += (1.0 if current < 0 else current) * UNITS[character]
            current, pending, unit = -1.0, "", float(UNITS[character])
        elif character in LARGE:
            section += max(current, 0.0)
            total = (total + section if total and LARGE[character] > total else section) * LARGE[character] + (
                0.0 if total and LARGE[character] > total else total
            )
            section, current, pending, unit = 0.0, -1.0, "", float(LARGE[character])
        else:
            return None
    if current >= 0:
        colloquial = len(pending) == 1 and unit >= 100 and text[-2] in (*UNITS, *LARGE)
        section += current * (unit / 10 if colloquial else 1.0)
    return total + section
