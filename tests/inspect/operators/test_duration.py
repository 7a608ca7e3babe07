"""Length of the call."""

from __future__ import annotations

import pytest

from processors.inspect.operators.duration import Duration
from tests.inspect.measuring import observe, read, spans, try_read
from tests.inspect.timeline import ended, said, started, tick


def duration(text: str) -> Duration:
    found: Duration = read(Duration, text)
    return found


@pytest.mark.parametrize(("end_ms", "found"), [(900_000, []), (900_001, [(0, 900_000)])])
def test_a_call_of_exactly_the_limit_is_not_longer(end_ms: int, found: list[tuple[int, int]]) -> None:
    assert spans(duration("{more_than_s: 900}"), [started(), ended(end_ms)]) == found


def test_a_long_call_is_found_while_it_lasts_and_once() -> None:
    records = [started(), *(tick(second * 1000) for second in range(1, 20)), said(0, 18_000, 19_000), ended(20_000)]
    ((record, hit),) = observe(duration("{more_than_s: 10}"), records)
    assert (record.call_ms, hit.value) == (11_000, 10.0)


@pytest.mark.parametrize(("end_ms", "found"), [(10_000, []), (9999, [(0, 9999)])])
def test_a_call_of_exactly_the_limit_is_not_shorter(end_ms: int, found: list[tuple[int, int]]) -> None:
    assert spans(duration("{less_than_s: 10}"), [started(), tick(5000), ended(end_ms)]) == found


def test_a_call_that_goes_on_is_not_short_yet() -> None:
    assert spans(duration("{less_than_s: 10}"), [started(), tick(5000)]) == []


@pytest.mark.parametrize("text", ["{}", "{more_than_s: 1, less_than_s: 2}"])
def test_exactly_one_limit(text: str) -> None:
    assert any("either" in str(problem) for problem in try_read(Duration, text)[1])
