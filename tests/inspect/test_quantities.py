"""Amounts, rates and dates: what they are worth and where they stand."""

from __future__ import annotations

import pytest

from processors.inspect.quantities import quantities


def read(kind: str, text: str) -> list[tuple[str, float | None]]:
    """(words, value) of everything found."""
    return [(text[one.char_from : one.char_to], one.value) for one in quantities(text, frozenset({kind}))]


@pytest.mark.parametrize(
    ("text", "words", "yuan"),
    [
        ("一共三千五百元", "三千五百元", 3500),
        ("两百块", "两百块", 200),
        ("一万二块钱", "一万二块钱", 12_000),
        ("一万零二百元", "一万零二百元", 10_200),
        ("一亿两千万元", "一亿两千万元", 120_000_000),
        ("三点五万元", "三点五万元", 35_000),
        ("3.5万元", "3.5万元", 35_000),
        ("3,500元", "3,500元", 3500),
        ("￥3,500.50", "￥3,500.50", 3500.5),
        ("人民币五百", "人民币五百", 500),
        ("三块五", "三块五", 3.5),
        ("三块五毛二", "三块五毛二", 3.52),
        ("六十七块八毛九分", "六十七块八毛九分", 67.89),
        ("五毛钱", "五毛钱", 0.5),
        ("五百多块", "五百多块", 500),
        ("十几块", "十几块", 10),
        ("贷款额度是十万", "十万", 100_000),
        ("您还欠了三千五没还", "三千五", 3500),
        ("八十元三月五号还", "八十元", 80),
        ("三块五个人", "三块", 3),
    ],
)
def test_amounts(text: str, words: str, yuan: float) -> None:
    assert read("amount", text) == [(words, yuan)]


@pytest.mark.parametrize(
    "text", ["几百块钱", "一块去吃饭", "三元桥", "三个人", "十万个", "每月还十天", "还三期", "一千遍", "元"]
)
def test_no_amounts(text: str) -> None:
    assert read("amount", text) == []


@pytest.mark.parametrize(
    ("text", "words", "per_cent"),
    [
        ("年化百分之十八点二五", "百分之十八点二五", 18.25),
        ("利率是百分之零点五", "百分之零点五", 0.5),
        ("百分之百", "百分之百", 100),
        ("24%", "24%", 24),
        ("千分之三", "千分之三", 0.3),
        ("万分之五", "万分之五", 0.05),
        ("日息万五", "万五", 0.05),
        ("两个点", "两个点", 2),
        ("三点五个百分点", "三点五个百分点", 3.5),
        ("月息一分五", "一分五", 1.5),
        ("月息两厘", "两厘", 0.2),
        ("年息八厘", "八厘", 8 * 1.0),
        ("利息两分", "两分", 2),
    ],
)
def test_rates(text: str, words: str, per_cent: float) -> None:
    """One 分 a month is a per cent, one 分 a year are ten."""
    assert read("rate", text) == [(words, per_cent)]


@pytest.mark.parametrize("text", ["五分钟", "利息三分钟内到账", "利息三分之一", "五厘米", "八折", "百分", "三点半"])
def test_no_rates(text: str) -> None:
    assert read("rate", text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("三月五号还", "三月五号"),
        ("二零二六年三月五日", "二零二六年三月五日"),
        ("二六年三月", "二六年三月"),
        ("2026-03-05", "2026-03-05"),
        ("二月二十九号", "二月二十九号"),
        ("十五号之前", "十五号"),
        ("十二月三十一号", "十二月三十一号"),
    ],
)
def test_dates(text: str, words: str) -> None:
    assert read("date", text) == [(words, None)]


@pytest.mark.parametrize(
    "text", ["二月三十号", "2025-02-29", "十三月一号", "三月", "三号线", "工号三号", "三十二号", "一号客服"]
)
def test_no_dates(text: str) -> None:
    """Impossible days, months that may be a duration, numbers of things."""
    assert read("date", text) == []
