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
SCALES: Final = {**UNITS, **LARGE}
NUMBER: Final = (
    r"(?:[0-9]{1,3}(?:[,，][0-9]{3})+(?![0-9])(?:\.[0-9]+)?|"
    r"[0-9零〇一二三四五六七八九两十百千万亿]+(?:[点.][0-9零〇一二三四五六七八九]+)?)[百千万亿]*"
)
"""A number as spoken or written: 三千五, 三点五万, 3,500.50."""
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
    while point and fraction and fraction[-1] in SCALES:
        scale *= SCALES[fraction[-1]]
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


MAX_SPELLINGS: Final = 8
_ARABIC: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_PERCENT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")
_SPOKEN_PERCENT: Final = re.compile(rf"百分之({NUMBER})")
_SPOKEN: Final = re.compile(r"[零〇一二三四五六七八九两幺十百千万]{2,}")
_CHINESE: Final = "零一二三四五六七八九"


def spoken_number(digits: str) -> str:
    """Whole number to Chinese words: 100 -> 一百, 10500 -> 一万零五百; digit by digit beyond 12 digits."""
    number = int(digits)
    if number == 0:
        return "零"
    if len(digits) > 12:
        return spoken_digits(digits)
    words, gap = "", False
    for unit, name in ((10**8, "亿"), (10**4, "万"), (1, "")):
        group, number = divmod(number, unit)
        if group:
            words += ("零" if words and (gap or group < 1_000) else "") + _group(group) + name
            gap = False
        else:
            gap = bool(words)
    return words[1:] if words.startswith("一十") else words


def _group(number: int) -> str:
    words, zero = "", False
    for unit, name in ((1_000, "千"), (100, "百"), (10, "十"), (1, "")):
        one, number = divmod(number, unit)
        if one:
            words += ("零" if zero else "") + _CHINESE[one] + name
            zero = False
        elif words:
            zero = True
    return words


def spoken_digits(digits: str) -> str:
    """Digit by digit."""
    return "".join(_CHINESE[int(one)] for one in digits)


def spellings(phrase: str) -> list[str]:
    """The phrase with its numbers as they may be spoken or written: 100%通过 is 百分之百通过, 12期 is 十二期."""
    found = {phrase: None}
    if not _ARABIC.search(phrase) and not _SPOKEN.search(phrase) and "百分之" not in phrase:
        return [phrase]
    percent = _PERCENT.sub(lambda match: "百分之" + _cardinal(match[1]), phrase)
    found[percent] = None
    if "百分之一百" in percent:
        found[percent.replace("百分之一百", "百分之百")] = None
    found[_ARABIC.sub(lambda match: _cardinal(match[0]), percent)] = None
    by_digit = _ARABIC.sub(lambda match: _by_digit(match[0]), percent)
    found[by_digit] = None
    found[_ARABIC.sub(lambda match: _by_digit(match[0]).replace("一", "幺"), percent)] = None
    found[_SPOKEN_PERCENT.sub(_written_percent, phrase)] = None
    found[_SPOKEN.sub(_written, phrase)] = None
    return list(found)[:MAX_SPELLINGS]


def _cardinal(number: str) -> str:
    whole, point, fraction = number.partition(".")
    return spoken_number(whole) + ("点" + spoken_digits(fraction) if point else "")


def _by_digit(number: str) -> str:
    return spoken_digits(number.replace(".", "")) if "." not in number else _cardinal(number)


def _written_percent(match: re.Match[str]) -> str:
    number = value("一百" if match[1] == "百" else match[1])
    return match[0] if number is None else f"{number:g}%"


def _written(match: re.Match[str]) -> str:
    number = value(match[0])
    whole = number is not None and number == int(number) and number < 1e9
    return f"{int(number)}" if whole and number is not None else match[0]
