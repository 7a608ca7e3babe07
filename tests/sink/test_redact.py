"""Numbers that identify a person are masked, everything else stays."""

from __future__ import annotations

import pytest

from processors.sink.redact import redact

MASKED = [
    "13800138000",
    "138-0013-8000",
    "１３８００１３８０００",
    "一三八零零一三八零零零",
    "幺三八 零零幺三 八零零零",
    "一三八嗯零零一三啊八零零零",
    "110101199003077123",
    "11010119900307712X",
    "幺幺零幺零幺一九九零零三零七幺二三叉",
    "6222 0200 0011 2233 445",
    "零幺零八八八八六六六六",
    "一三八三个零二三四五六",
]
KEPT = [
    "您欠款一百二十万三千五百元",
    "利率是百分之三点五",
    "2024年11月5日下午3点30分",
    "尾号一二三四",
    "一二三四五六",
    "二零二四年十一月五号",
    "第一第二第三",
    "",
]


@pytest.mark.parametrize("number", MASKED)
def test_a_long_number_loses_all_its_digits_and_no_place(number: str) -> None:
    said = f"我的号码是{number}对吗"
    stored = redact(said)
    assert len(stored) == len(said)
    assert stored.startswith("我的号码是*")
    assert stored.endswith("*对吗")
    assert not set(stored) & set("0123456789一二三四五六七八九零幺Xx叉") - set("三个")


@pytest.mark.parametrize("text", KEPT)
def test_short_numbers_amounts_and_dates_stay(text: str) -> None:
    assert redact(text) == text


def test_a_masked_text_is_not_masked_further() -> None:
    once = redact("电话13800138000")
    assert redact(once) == once
