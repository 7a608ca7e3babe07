"""Finds amounts of money, rates and dates in what was spoken, with their values.

    quantities("一共三千五百块", frozenset({"amount"}))       # 三千五百块 = 3500 yuan
    quantities("月息一分五", frozenset({"rate"}))             # 一分五 = 1.5 per cent

Spoken and written forms alike; the places are those of the text, so that evidence points at the spoken characters. A
quantity that nobody can put a number to (几百块) is none. Pure functions over one string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from processors.inspect.numbers_zh import NUMBER, digit, value

WORDED: Final = ("amount", "rate", "date")

_ONE: Final = "[0-9零〇一二三四五六七八九两]"
_ABOUT: Final = "(?:多|几|来|余)?"
_NOT_PART: Final = r"(?<![几数\d.,，点零〇一二三四五六七八九两十百千万亿])"
"""A number begins here: 百块 in 几百块 is none."""
_MONEY: Final = re.compile(
    rf"{_NOT_PART}[¥￥]?({NUMBER}){_ABOUT}(万|亿)?\s*(?:元整|元(?![旦桥])|块钱|块|圆|人民币)"
    rf"(?:({_ONE})(?:毛|角)(?:钱|({_ONE})分?)?|({_ONE})(?![0-9零〇一二三四五六七八九两十百千万亿点个毛角分年月日号]))?"
)
_SMALL: Final = re.compile(rf"{_NOT_PART}({NUMBER})(?:毛|角)(?:({_ONE})分?)?(?:钱)?|{_NOT_PART}({NUMBER})分钱")
_SYMBOL: Final = re.compile(rf"(?:[¥￥]|人民币|RMB)\s*({NUMBER})")
_OWED: Final = re.compile(
    r"(?:额度|金额|本金|余额|欠款|账单|利息|费用|手续费|服务费|违约金|保证金|押金|月供|每月|一共|总共|总计|最低|最高|"
    r"欠|还|贷|借|转|付|交|存|取|扣|收)[了您你我他的款到是为有约共个大概差不多左右]{0,4}"
    rf"({NUMBER})(?![个天年月日号期次位岁人名点分笔家台遍句种百千万亿])"
)
"""Words after which a number with 百, 千, 万 or 亿 is money without 元: 额度是十万, 欠了三千五."""
_TOGETHER: Final = re.compile(r"一块(?=[儿去来吃走做办过学玩])")

_PERCENT: Final = re.compile(rf"(百分之|千分之|万分之)({NUMBER})|{_NOT_PART}({NUMBER})\s*(%|％|‰|个百分点|个点)")
_INTEREST: Final = re.compile(
    rf"([年月日天])?(?:化)?(?:利率|利息|息|费率|利)[是为约大概差不多的]{{0,4}}(?:({_ONE})分(?![钟之])(?:({_ONE})厘?)?|({_ONE})厘({_ONE})?)"
    rf"|{_NOT_PART}({_ONE})分(?:利|息)|{_NOT_PART}({_ONE})厘(?!米)"
)
_SHORT: Final = re.compile(rf"(?:利率|利息|息|费率|手续费|费)[是为约大概的]{{0,3}}(百|千|万)({_ONE})(?![0-9十百千万])")
_SHARE: Final = {"百分之": 1.0, "千分之": 0.1, "万分之": 0.01, "‰": 0.1, "百": 1.0, "千": 0.1, "万": 0.01}
_TENTH: Final = {"年": 10.0, "月": 1.0, "日": 0.1, "天": 0.1}
"""Per cent of one 分 of interest by year, month and day; a 厘 is a tenth of it."""

_DAY: Final = re.compile(
    r"(?:([0-9零〇一二三四五六七八九]{4}|[0-9零〇一二三四五六七八九]{2})年)?"
    r"([0-9一二三四五六七八九十]{1,3})月(?:份)?(?:([0-9一二三四五六七八九十]{1,3})(?:日|号))?"
    r"|(?<![0-9.])([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?![0-9.])"
    r"|(?<![第工编账卡车型号0-9零一二三四五六七八九十])([0-9一二三四五六七八九十]{1,3})(?:号|日)"
    r"(?![0-9楼线店院门厅机房位柜桌台坐客码员窗床线元])"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something found in characters [char_from, char_to). value: amount in yuan, rate in per cent, None of a date."""

    kind: str
    char_from: int
    char_to: int
    value: float | None = None


def quantities(text: str, kinds: frozenset[str]) -> list[Quantity]:
    """Amounts, rates and dates in one text, those of `kinds`."""
    found: list[Quantity] = []
    if "amount" in kinds:
        found += _amounts(text)
    if "rate" in kinds:
        found += _rates(text)
    if "date" in kinds:
        found += _dates(text)
    return found


def _amounts(text: str) -> list[Quantity]:
    taken = [match.span() for match in _TOGETHER.finditer(text)]
    found: list[Quantity] = []
    for read in (_in_yuan, _in_coins, _by_symbol, _owed):
        for begin, end, yuan in read(text):
            if not any(start < end and begin < stop for start, stop in taken):
                taken.append((begin, end))
                found.append(Quantity("amount", begin, end, yuan))
    return sorted(found, key=lambda one: one.char_from)


def _in_yuan(text: str) -> Iterator[tuple[int, int, float]]:
    for match in _MONEY.finditer(text):
        number = value(match[1] + (match[2] or ""))
        if number is not None:  # 三块五, 三块五毛二
            coins = int(digit(match[3] or match[5] or "零")) / 10 + int(digit(match[4] or "零")) / 100
            yield match.start(), match.end(), round(number + coins, 2)


def _in_coins(text: str) -> Iterator[tuple[int, int, float]]:
    for match in _SMALL.finditer(text):
        number = value(match[1] or match[3])
        if number is not None:
            cents = int(digit(match[2] or "零")) / 100
            yield match.start(), match.end(), round(number / (10 if match[1] else 100) + cents, 2)


def _by_symbol(text: str) -> Iterator[tuple[int, int, float]]:
    for match in _SYMBOL.finditer(text):
        number = value(match[1])
        if number is not None:
            yield match.start(), match.end(), number


def _owed(text: str) -> Iterator[tuple[int, int, float]]:
    for match in _OWED.finditer(text):
        number = value(match[1])
        if number is not None and number >= 100 and any(unit in match[1] for unit in "百千万亿"):
            yield match.start(1), match.end(1), number


def _rates(text: str) -> list[Quantity]:
    found: dict[tuple[int, int], float] = {}
    for match in _PERCENT.finditer(text):
        number = value(match[2] or match[3])
        if number is not None:
            found[match.span()] = number * _SHARE.get(match[1] or match[4], 1.0)
    for match in _SHORT.finditer(text):
        found[match.span(1)[0], match.end()] = int(digit(match[2])) * _SHARE[match[1]]
    for match in _INTEREST.finditer(text):
        first = next(group for group in (2, 4, 6, 7) if match[group])
        scale = _TENTH.get(match[1] or "月", 1.0) / (10 if first in (4, 7) else 1)
        tenths = int(digit(match[3] or match[5] or "零")) / 10
        found[match.start(first), match.end()] = (int(digit(match[first])) + tenths) * scale
    return [Quantity("rate", begin, end, round(rate, 6)) for (begin, end), rate in sorted(found.items())]


def _dates(text: str) -> Iterator[Quantity]:
    for match in _DAY.finditer(text):
        if match[2]:
            year, month, day = match[1], match[2], match[3]
        elif match[4]:
            year, month, day = match[4], match[5], match[6]
        else:
            year, month, day = None, "1", match[7]
        if match[2] and year is None and day is None:
            continue  # 三月 alone may be three months
        months, days = value(month or ""), value(day) if day else 1.0
        if months is None or days is None:
            continue
        try:  # 2024 had a 29th of February
            date(2024 if year is None else max(1, int(value(year) or 1)), int(months), int(days))
        except ValueError:
            continue
        yield Quantity("date", match.start(), match.end())
