"""Holds."""

from __future__ import annotations

import pytest

from processors.inspect.operators.hold import Hold
from tests.inspect.measuring import hits, observe, read, spans, try_read
from tests.inspect.timeline import ended, held, started, tick


def hold(text: str) -> Hold:
    found: Hold = read(Hold, text)
    return found


@pytest.mark.parametrize(("end_ms", "found"), [(64_999, []), (65_000, [(5000, 65_000)])])
def test_a_hold_is_long_from_exactly_the_limit(end_ms: int, found: list[tuple[int, int]]) -> None:
    assert spans(hold("{at_least_s: 60}"), [started(), held(5000), held(end_ms, False), ended(90_000)]) == found


def test_it_is_found_while_the_hold_lasts_and_once() -> None:
    records = [started(), held(5000), *(tick(second * 1000) for second in range(5, 90)), held(90_000, False)]
    ((record, hit),) = observe(hold("{at_least_s: 60}"), records)
    assert (record.call_ms, hit.value) == (65_000, 60.0)


def test_a_hold_that_lasts_to_the_end_counts_to_the_end() -> None:
    assert spans(hold("{at_least_s: 60}"), [started(), held(5000), ended(65_000)]) == [(5000, 65_000)]


def test_each_long_hold_is_found() -> None:
    records = [started(), held(0), held(60_000, False), held(70_000), held(130_000, False)]
    assert spans(hold("{at_least_s: 60}"), records) == [(0, 60_000), (70_000, 130_000)]


def test_the_third_hold_when_it_begins() -> None:
    records = [started()]
    for n in range(5):
        records += [held(n * 10_000), held(n * 10_000 + 1000, False)]  # type: ignore[list-item]
    (hit,) = hits(hold("{times: 3}"), records)
    assert (hit.start_ms, hit.value) == (20_000, 3)


def test_the_second_hold_that_is_long() -> None:
    records = [started(), held(0), held(5000, False), held(10_000), held(11_000, False), held(20_000), tick(26_000)]
    assert spans(hold("{times: 2, at_least_s: 5}"), records) == [(20_000, 25_000)]


def test_all_holds_together_once() -> None:
    records = [started(), held(0), held(40_000, False), held(50_000), tick(70_000), held(99_000, False), held(100_000)]
    assert spans(hold("{total_s: 60}"), [*records, tick(200_000)]) == [(50_000, 70_000)]


def test_a_repeated_hold_record_changes_nothing() -> None:
    assert spans(hold("{times: 2}"), [started(), held(0), held(1000), held(2000, False), held(2500, False)]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "hold needs"),
        ("{total_s: 60, times: 2}", "hold needs"),
        ("{times: 0}", "at least 1"),
        ("{at_least_ms: 60}", "did you mean 'at_least_s'"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert any(message in str(problem) for problem in try_read(Hold, text)[1])
