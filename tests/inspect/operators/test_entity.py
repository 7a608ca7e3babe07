"""`entity`: valid numbers in a call, over turns, with their proof."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest

from processors.inspect.entities import is_bank_card
from processors.inspect.numbers_zh import spoken_digits
from tests.inspect.rules import found, found_at, rule, starts

ID, CARD, MOBILE = "11010519491231002X", "6222020123456789015", "13800138000"


def spoken(number: str) -> str:
    """Digit by digit, X as 叉."""
    return "".join("叉" if one == "X" else spoken_digits(one) for one in number)


def proof(kind: str, says: list[str]) -> list[list[tuple[str, str, int, int]]]:
    """By violation: (channel/utterance, quote, char_from, char_to) of each piece of evidence."""
    return [
        [(e.utterance_id.partition("/")[2], e.quote, e.char_from, e.char_to) for e in violation.evidence]
        for violation in found(rule(f"entity: {{kind: {kind}}}"), says)
    ]


@pytest.mark.parametrize(("kind", "number"), [("id_card", ID), ("bank_card", CARD), ("phone", MOBILE)])
def test_read_in_one_utterance(kind: str, number: str) -> None:
    words = spoken(number)
    assert proof(kind, [f"customer 1 我的是{words}对吗"]) == [[("1/0", words, 3, 3 + len(words))]]
    other = spoken(number[:-2] + str((int(number[-2]) + 1) % 10) + number[-1])
    assert proof(kind, [f"customer 1 我的是{other}"]) == ([] if kind != "phone" else [[("1/0", other, 3, 14)]])
    assert proof(kind, [f"customer 1 我的是{words[:-1]}"]) == []


@pytest.mark.parametrize(("kind", "number"), [("id_card", ID), ("bank_card", CARD), ("phone", MOBILE)])
@pytest.mark.parametrize("cuts", [[3], [4, 8], [6, 14], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])
def test_read_over_turns_while_the_other_party_reads_back(kind: str, number: str, cuts: list[int]) -> None:
    """Wherever it is cut; the reading back in groups is no number of its own."""
    words = spoken(number)
    edges = [0, *(cut for cut in cuts if cut < len(words)), len(words)]
    groups = [words[begin:end] for begin, end in pairwise(edges)]
    says = []
    for index, group in enumerate(groups):
        says.append(f"customer {index * 6 + 1}-{index * 6 + 3} {group}")
        if index < len(groups) - 1:
            says.append(f"agent {index * 6 + 4}-{index * 6 + 6} {group}嗯")
    (evidence,) = proof(kind, says)
    assert [(utterance, quote) for utterance, quote, _, _ in evidence] == [
        (f"1/{index}", group) for index, group in enumerate(groups)
    ][:16]


def test_acknowledgements_and_remarks_do_not_end_a_number() -> None:
    says = [
        "customer 1-3 我的号码是一三八",
        "customer 4-5 稍等我看一下",
        "customer 6-8 对，零零一三",
        "customer 9-11 八零零零没错",
    ]
    assert proof("phone", says) == [[("1/0", "一三八", 5, 8), ("1/2", "零零一三", 2, 6), ("1/3", "八零零零", 0, 4)]]


def test_other_words_before_digits_begin_a_new_number() -> None:
    assert proof("phone", ["customer 1-3 一三八", "customer 4-8 房间号是零零一三八零零零"]) == []


def test_a_number_goes_on_for_twenty_seconds_only() -> None:
    assert proof("phone", ["customer 1-3 一三八", "customer 24-29 零零一三八零零零"]) == []
    assert len(proof("phone", ["customer 1-3 一三八", "customer 22-27 零零一三八零零零"])) == 1


def test_both_parties_do_not_read_one_number() -> None:
    assert proof("phone", ["customer 1-3 一三八", "agent 4-8 零零一三八零零零"]) == []


def test_read_back_on_one_channel_counts_once() -> None:
    says = ["mixed 1-2 一三八", "mixed 3-4 一三八", "mixed 5-6 零零一三", "mixed 7-8 零零一三", "mixed 9-10 八零零零"]
    ((*parts,),) = proof("phone", says)
    assert [quote for _, quote, _, _ in parts] == ["一三八", "零零一三", "八零零零"]


def test_two_numbers_in_one_breath_have_a_proof_each() -> None:
    """The hits of one utterance are one violation, with both as its evidence."""
    (evidence,) = proof("[phone, id_card]", [f"customer 1 {spoken(MOBILE)}{spoken(ID)}"])
    assert [(begin, end) for _, _, begin, end in evidence] == [(0, 11), (11, 29)]
    (evidence,) = proof("id_card", [f"customer 1 {spoken(MOBILE)}{spoken(ID)}"])
    assert [(begin, end) for _, _, begin, end in evidence] == [(11, 29)]


def test_the_speaker_and_the_times_are_those_of_the_digits() -> None:
    book = rule("entity: {kind: phone}\n  role: customer")
    assert starts(book, [f"agent 1 {spoken(MOBILE)}"]) == []
    (violation,) = found(book, ["customer 10-15 号码一三八零零", "customer 16-22 一三八零零零"])
    assert (violation.start_ms, violation.end_ms, violation.role) == (10_000 + 5000 * 2 // 7, 22_000, "customer")


LONG, SHORT = CARD, CARD[:16]
"""A card of 19 digits whose first 16 are a card as well."""


def read_in_groups(number: str, *sizes: int) -> list[str]:
    """Lines of a customer who reads groups of digits, a group every four seconds."""
    edges = [0, *accumulate(sizes)]
    groups = [spoken(number[begin:end]) for begin, end in pairwise(edges)]
    return [f"customer {index * 4 + 1}-{index * 4 + 3} {group}" for index, group in enumerate(groups)]


def cards(says: list[str]) -> list[str]:
    """Digits of the cards found, as spoken."""
    return ["".join(quote for _, quote, _, _ in parts) for parts in proof("bank_card", says)]


@pytest.mark.parametrize("sizes", [(4, 4, 4, 4, 3), (16, 3), (6, 10, 3), (16, 1, 2), (4, 4, 4, 4, 1, 1, 1)])
def test_a_card_that_is_whole_by_chance_waits_for_its_last_digits(sizes: tuple[int, ...]) -> None:
    assert is_bank_card(SHORT) and is_bank_card(LONG)
    assert cards(read_in_groups(LONG, *sizes)) == [spoken(LONG)]


def test_a_short_card_is_found_after_five_seconds_of_silence_or_at_the_end() -> None:
    book = rule("entity: {kind: bank_card}")
    says = read_in_groups(SHORT, 4, 4, 4, 4)
    assert found_at(book, [*says, "agent 16-17 好的", "end 60"]) == [20.0]
    assert found_at(book, [*says, "end 17"]) == [17.0]
    assert cards([*says, "customer 17-30 你等一下我再看一眼卡片上面写的是什么", "end 60"]) == [spoken(SHORT)]


def test_words_behind_a_short_card_end_it_at_once() -> None:
    book = rule("entity: {kind: bank_card}")
    assert found_at(book, [f"customer 1-9 {spoken(SHORT)}没错", "end 60"]) == [9.0]
    says = [*read_in_groups(SHORT, 16), "customer 4-6 有效期是零八二六", "end 60"]
    assert (cards(says), found_at(book, says)) == ([spoken(SHORT)], [6.0])


def test_digits_that_do_not_belong_to_a_short_card_leave_it_as_it_is() -> None:
    assert cards([*read_in_groups(SHORT + "9", 16, 1), "end 60"]) == [spoken(SHORT)]
    says = [f"customer 1-5 {spoken(SHORT)}", f"customer 6-7 {spoken('138')}", f"customer 8-9 {spoken(MOBILE[3:])}"]
    (card,), (phone,) = proof("bank_card", says), proof("phone", says)
    assert [quote for _, quote, _, _ in card] == [spoken(SHORT)]
    assert [quote for _, quote, _, _ in phone] == [spoken("138"), spoken(MOBILE[3:])]
    assert len(found(rule("entity: {kind: [bank_card, phone]}"), says)) == 2


def test_only_cards_wait() -> None:
    book = rule("entity: {kind: [phone, id_card]}")
    assert found_at(book, [f"customer 1-5 {spoken(MOBILE)}", "end 60"]) == [5.0]


def test_amounts_and_rates_with_bounds() -> None:
    """In yuan and in per cent; the bounds themselves are outside."""
    assert starts(
        rule("entity: {kind: rate, more_than: 24}"), ["agent 1-2 百分之二十四", "agent 5-6 百分之三十六"]
    ) == [5.0]
    assert starts(rule("entity: {kind: rate, more_than: 24}"), ["agent 1-2 月息三分"]) == []
    between = rule("entity: {kind: amount, more_than: 1000, less_than: 50000}")
    assert starts(between, ["agent 1-2 一千元", "agent 5-6 三万五块钱", "agent 9-10 五万元"]) == [5.0]
    (violation,) = found(between, ["agent 5-6 大概三万五块钱"])
    (evidence,) = violation.evidence
    assert (evidence.quote, evidence.value, evidence.operator) == ("三万五块钱", 35_000.0, "entity")


def test_dates() -> None:
    book = rule("entity: {kind: date}\n  role: customer")
    assert starts(book, ["customer 1-2 三月五号还", "customer 5-6 二月三十号还"]) == [1.0]
