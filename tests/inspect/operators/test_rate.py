"""Rate of speech."""

from __future__ import annotations

import pytest

from processors.inspect.operators.rate import Rate
from tests.inspect.measuring import hits, read, spans, try_read
from tests.inspect.timeline import said, started

TEN = "一二三四五六七八九十"


def rate(text: str) -> Rate:
    found: Rate = read(Rate, text)
    return found


@pytest.mark.parametrize(("end_ms", "found"), [(2000, []), (1999, [(0, 1999)])])
def test_exactly_the_limit_is_not_too_fast(end_ms: int, found: list[tuple[int, int]]) -> None:
    """Ten characters in 2 s are 300 a minute."""
    assert spans(rate("{of: agent, more_than: 300}"), [started(), said(0, 0, end_ms, TEN)]) == found


@pytest.mark.parametrize(("end_ms", "found"), [(5000, []), (5001, [(0, 5001)])])
def test_exactly_the_lower_limit_is_not_too_slow(end_ms: int, found: list[tuple[int, int]]) -> None:
    assert spans(rate("{of: agent, less_than: 120}"), [started(), said(0, 0, end_ms, TEN)]) == found


def test_the_value_is_in_characters_a_minute_and_names_the_utterance() -> None:
    (hit,) = hits(rate("{of: agent, more_than: 300}"), [started(), said(0, 0, 1500, TEN, no=4)])
    assert (hit.value, hit.utterance_no, hit.role) == (400.0, 4, "agent")


def test_pauses_do_not_count_in_a_window() -> None:
    records = [started(), said(0, 0, 1500, TEN), said(0, 6000, 7500, TEN)]
    assert spans(rate("{of: agent, more_than: 300, over_s: 6}"), records) == []
    assert spans(rate("{of: agent, more_than: 300, over_s: 3}"), records) == [(0, 1500)]


def test_a_window_needs_speech_in_at_least_half_of_it() -> None:
    operator = rate("{of: agent, more_than: 300, over_s: 4}")
    assert spans(operator, [started(), said(0, 0, 1999, TEN * 2)]) == []
    assert spans(operator, [started(), said(0, 0, 2000, TEN * 2)]) == [(0, 2000)]


def test_a_window_reaches_back_over_several_utterances_and_shares_out_the_first() -> None:
    slow, fast = said(0, 0, 10_000, TEN), said(0, 10_000, 12_000, TEN * 2)
    (hit,) = hits(rate("{of: agent, more_than: 200, over_s: 4}"), [started(), slow, fast])
    assert hit.start_ms == 8000
    assert hit.value == (20 + 2) * 60_000 / 4000


def test_it_is_told_once_until_the_rate_is_back() -> None:
    records = [started(), *(said(0, n * 2000, n * 2000 + 1500, TEN) for n in range(4))]
    slow = said(0, 9000, 14_000, TEN)
    again = said(0, 15_000, 16_500, TEN)
    assert spans(rate("{of: agent, more_than: 300}"), [*records, slow, again]) == [(0, 1500), (15_000, 16_500)]


def test_few_characters_give_no_rate() -> None:
    assert spans(rate("{of: agent, more_than: 300}"), [started(), said(0, 0, 300, "好的好的")]) == []


def test_the_measured_rate_counts_where_there_is_one() -> None:
    measured = said(0, 0, 4000, TEN, level_db=-20, chars_per_min=350)
    assert spans(rate("{of: agent, more_than: 300}"), [started(), measured]) == [(0, 4000)]


def test_above_the_speakers_own_baseline() -> None:
    usual = [said(0, n * 5000, n * 5000 + 3000, TEN) for n in range(3)]
    records = [started(), *usual, said(0, 20_000, 22_001, TEN), said(0, 25_000, 27_000, TEN)]
    assert spans(rate("{of: agent, above_baseline: 1.5}"), records) == [(25_000, 27_000)]


def test_no_baseline_before_three_utterances() -> None:
    usual = [said(0, n * 5000, n * 5000 + 3000, TEN) for n in range(2)]
    assert spans(rate("{of: agent, above_baseline: 1.5}"), [started(), *usual, said(0, 20_000, 21_000, TEN)]) == []


def test_the_other_party_does_not_count() -> None:
    assert spans(rate("{of: agent, more_than: 300}"), [started(), said(1, 0, 1000, TEN)]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{of: agent}", "exactly one of"),
        ("{of: agent, more_than: 300, less_than: 100}", "exactly one of"),
        ("{of: agent, above_baseline: 1}", "above 1"),
        ("{of: agent, more_than: 300, over_s: 601}", "at most 600"),
        ("{more_than: 300}", "needs 'of'"),
        ("{of: agent, more_then: 300}", "did you mean 'more_than'"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert any(message in str(problem) for problem in try_read(Rate, text)[1])
