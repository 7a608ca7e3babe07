"""Share of the speech."""

from __future__ import annotations

import pytest

from processors.inspect.operators.talk_ratio import TalkRatio
from tests.inspect.measuring import observe, read, spans, try_read
from tests.inspect.timeline import ended, said, started, tick


def ratio(text: str) -> TalkRatio:
    found: TalkRatio = read(TalkRatio, text)
    return found


def test_without_a_second_it_is_judged_at_the_end_of_the_call() -> None:
    records = [started(), said(0, 0, 9000), tick(60_000), said(1, 60_000, 61_000), ended(61_000)]
    ((_, hit),) = observe(ratio("{of: agent, more_than: 0.8}"), records)
    assert (hit.start_ms, hit.end_ms, hit.value, hit.role) == (0, 61_000, 0.9, "agent")


@pytest.mark.parametrize(("agent_ms", "found"), [(8000, []), (8001, [(0, 20_000)])])
def test_exactly_the_limit_is_not_more(agent_ms: int, found: list[tuple[int, int]]) -> None:
    records = [started(), said(0, 0, agent_ms), said(1, 10_000, 12_000), ended(20_000)]
    assert spans(ratio("{of: agent, more_than: 0.8}"), records) == found


@pytest.mark.parametrize(("agent_ms", "found"), [(2000, []), (1999, [(0, 20_000)])])
def test_exactly_the_lower_limit_is_not_less(agent_ms: int, found: list[tuple[int, int]]) -> None:
    records = [started(), said(0, 0, agent_ms), said(1, 10_000, 18_000), ended(20_000)]
    assert spans(ratio("{of: agent, less_than: 0.2}"), records) == found


def test_from_a_second_on_it_is_found_at_the_first_second_at_which_it_holds() -> None:
    records = [started(), said(1, 0, 10_000), said(0, 10_000, 130_000), tick(130_000), ended(140_000)]
    assert spans(ratio("{of: agent, more_than: 0.8, from_s: 30}"), records) == [(0, 51_000)]


def test_before_that_second_nothing_is_judged() -> None:
    records = [started(), said(0, 0, 100_000), ended(119_999)]
    assert spans(ratio("{of: agent, more_than: 0.8, from_s: 120}"), records) == []
    assert spans(ratio("{of: agent, more_than: 0.8, from_s: 120}"), [*records[:-1], ended(120_000)]) == [(0, 120_000)]


def test_the_second_waits_until_everything_before_it_is_transcribed() -> None:
    operator = ratio("{of: agent, more_than: 0.8, from_s: 20}")
    open_ = [started(), said(0, 0, 10_000), tick(21_000, 21_000, 5000)]
    assert spans(operator, open_) == []
    assert spans(operator, [*open_, said(1, 5000, 19_000), ended(22_000)]) == []


def test_the_order_in_which_utterances_close_does_not_matter() -> None:
    long, short = said(0, 0, 40_000), said(1, 5000, 6000)
    for first, second in ((long, short), (short, long)):
        records = [started(), first, second, tick(41_000), ended(41_000)]
        assert spans(ratio("{of: agent, more_than: 0.8, from_s: 30}"), records) == [(0, 30_000)]


def test_a_silent_call_has_no_share() -> None:
    assert spans(ratio("{of: agent, less_than: 0.2}"), [started(), ended(60_000)]) == []


def test_a_recording_with_both_on_one_channel_tells_nothing() -> None:
    assert spans(ratio("{of: agent, less_than: 0.2}"), [started(channels=("mixed",)), ended(60_000)]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{of: agent}", "either 'more_than' or 'less_than'"),
        ("{of: agent, more_than: 80}", "at most 1"),
        ("{of: agent, more_than: 0.8, from_s: 0}", "above 0"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert any(message in str(problem) for problem in try_read(TalkRatio, text)[1])
