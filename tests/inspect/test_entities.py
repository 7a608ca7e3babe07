"""Numbers that are read out: which strings of digits are valid, and where digits stand in what was spoken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.inspect.entities import digit_runs, is_bank_card, is_id_card, is_phone, numbers

ID = "11010519491231002X"
UNION_19, UNION_16, VISA = "6222020123456789015", "6225880123456783", "4111111111111111"
MOBILE, OTHER = "13800138000", "13900139000"


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        (ID, True),
        ("440524188001010014", True),
        ("110105194912310021", False),  # wrong check character
        ("11010519491231002", False),  # 17 digits
        ("130503670401001", False),  # the old form of 15 digits has been invalid since 2013
        ("990105194912310026", False),  # no such region
        ("110105194913310021", False),  # month 13
        ("11010518001231002X", False),
        ("1101051949123100X2", False),
    ],
)
def test_identity_cards(number: str, valid: bool) -> None:
    assert is_id_card(number) is valid


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        (UNION_19, True),
        (UNION_16, True),
        (VISA, True),
        ("6225880123456784", False),  # Luhn
        ("6222222222222222", False),
        ("0000000000000000", False),
        ("1234567890123452", False),  # Luhn is right, but no network has it
        (UNION_16[:-1], False),
        (UNION_16[:-1] + "X", False),
    ],
)
def test_bank_cards(number: str, valid: bool) -> None:
    assert is_bank_card(number) is valid


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        (MOBILE, True),
        ("86" + MOBILE, True),
        ("0086" + MOBILE, True),
        ("12800138000", False),
        ("1380013800", False),
        ("01062781234", True),
        ("02162781234", True),
        ("075526781234", True),
        ("01012781234", False),  # no local number begins with 1
        ("4008820088", True),
        ("95588", False),
    ],
)
def test_telephones(number: str, valid: bool) -> None:
    assert is_phone(number) is valid


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([ID, UNION_19, UNION_16, "440524188001010014"]), st.integers(0, 18), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(number: str, place: int, more: int) -> None:
    """Both checksums find every single error."""
    place %= len(number)
    if number[place] != "X":
        wrong = number[:place] + str((int(number[place]) + more) % 10) + number[place + 1 :]
        assert not is_id_card(wrong) and not is_bank_card(wrong)


@pytest.mark.parametrize(
    ("digits", "found"),
    [
        (MOBILE, ["phone"]),
        (MOBILE + ID, ["phone", "id_card"]),
        (MOBILE + OTHER, ["phone", "phone"]),
        (MOBILE + MOBILE[:4], ["phone"]),  # begins to be read again
        (MOBILE[:3] + MOBILE, ["phone"]),  # a false start
        ("7" + MOBILE, []),  # stands in the middle of other digits
        (MOBILE + "7", []),
        (UNION_19, ["bank_card"]),
        ("", []),
        ("1" * 200, []),
    ],
)
def test_all_digits_must_belong_to_a_number(digits: str, found: list[str]) -> None:
    assert [kind for kind, _, _ in numbers(digits)] == found


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("一三八零零", ["13800"]),
        ("幺三八洞洞拐勾两〇", ["138007920"]),
        ("一三八，嗯，零零一三 那个 八零零零", ["13800138000"]),
        ("138-0013 8000", ["13800138000"]),
        ("１３８", ["138"]),
        ("一三八双零三个八", ["13800888"]),
        ("号码是一三八对零零", ["13800"]),
        ("一三八不对一三九", ["138", "139"]),
        ("两个号码一三八", ["138"]),  # 两 counts, and is no digit here
        ("一", ["1"]),
        ("我有一个", []),
        ("零零二叉", ["002X"]),
        ("零零二埃克斯对吗", ["002X"]),
        ("叉", ["X"]),
        ("打叉", []),
        ("一百三十八", []),  # a value is not read digit by digit
        ("", []),
    ],
)
def test_digits_as_they_are_spoken(text: str, digits: list[str]) -> None:
    assert [run.digits for run in digit_runs(text)] == digits


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="一二三零幺两双个叉X1嗯，那个不对的 是", max_size=40))
def test_each_digit_has_its_place_in_the_text(text: str) -> None:
    """Places ascend and lie within the text; a run that is cut out reads the same."""
    for run in digit_runs(text):
        assert len(run.spans) == len(run.digits)
        assert all(0 <= begin < end <= len(text) for begin, end in run.spans)
        assert list(run.spans) == sorted(run.spans)
        again = digit_runs(text[run.spans[0][0] : run.spans[-1][1]])
        assert [one.digits for one in again] == [run.digits]


def test_a_run_says_whether_it_may_go_on() -> None:
    """Only fillers before it, only fillers after it."""
    ends = [(run.opens, run.closes) for run in digit_runs("嗯一三八 那个")]
    assert ends == [(True, True)]
    assert [(run.opens, run.closes) for run in digit_runs("号码是一三八")] == [(False, True)]
    assert [(run.opens, run.closes) for run in digit_runs("零零一三没错")] == [(True, False)]
