"""Masks numbers that identify a person before a transcript is stored: identity card, bank card and phone, written or
spoken digit by digit.

It masks every long run of digits without judging it: what looks like a card may be one. Each digit becomes one `*`, so
all other characters keep their places and positions of evidence stay right. Amounts (一百二十万) are no runs of digits.
It sees one text at a time: a number that is spread over several utterances in short groups is not recognised.
"""

from __future__ import annotations

import re

LEAST_DIGITS = 7
"""A landline number without area code."""
MASK = "*"

_DIGIT = "0-9０-９零〇一二三四五六七八九幺两"
_BETWEEN = r"[\s,，、。.\-－—嗯呃啊哦]{0,3}"
_GROUP = rf"(?:[二两三四]个)?[{_DIGIT}]"
_RUN = re.compile(rf"{_GROUP}(?:{_BETWEEN}{_GROUP}){{{LEAST_DIGITS - 3},}}(?:{_BETWEEN}(?:[xXＸ叉]))?")
_MASKED = re.compile(rf"[{_DIGIT}xXＸ叉]")
_TIMES = re.compile(rf"([二两三四])个[{_DIGIT}]")
_COUNT = {"二": 2, "两": 2, "三": 3, "四": 4}


def redact(text: str) -> str:
    """The text with the digits of long numbers masked; as long as before."""
    return _RUN.sub(_mask, text) if len(text) >= LEAST_DIGITS - 2 else text


def _mask(match: re.Match[str]) -> str:
    run = match[0]
    repeated = sum(_COUNT[times[1]] - 2 for times in _TIMES.finditer(run))
    digits = len(_MASKED.findall(run)) + repeated
    return _MASKED.sub(MASK, run) if digits >= LEAST_DIGITS else run
