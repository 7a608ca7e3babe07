"""Time until one party answers the other."""

from __future__ import annotations

import pytest

from processors.inspect.operators.response_time import ResponseTime
from processors.records import CallStarted, Tick
from tests.inspect.measuring import observe, read, spans, try_read
from tests.inspect.timeline import ended, held, said, started, tick


def response(text: str = "{of: agent, more_than_s: 5}") -> ResponseTime:
    found: ResponseTime = read(ResponseTime, text)
    return found


@pytest.mark.parametrize(("answer_ms", "found"), [(8000, []), (8001, [(3000, 8000)])])
def test_an_answer_exactly_at_the_limit_is_in_time(answer_ms: int, found: list[tuple[int, int]]) -> None:
    records = [started(), said(1, 1000, 3000), said(0, answer_ms, 10_000), ended(10_000)]
    assert spans(response(), records) == found


def test_a_long_wait_is_found_while_it_lasts() -> None:
    records = [
        started(),
        said(1, 1000, 3000),
        *(tick(second * 1000) for second in range(3, 20)),
        said(0, 20_000, 21_000),
    ]
    ((record, hit),) = observe(response(), records)
    assert isinstance(record, Tick) and record.call_ms == 9000
    assert (hit.role, hit.channel, hit.value) == ("agent", 0, 5.0)


def test_an_agent_who_is_still_being_transcribed_may_have_answered() -> None:
    records = [started(), said(1, 1000, 3000), tick(20_000, 4000, 20_000), said(0, 4000, 21_000), ended(22_000)]
    assert spans(response(), records) == []


def test_the_customer_who_goes_on_begins_the_wait_anew() -> None:
    records = [started(), said(1, 1000, 3000), said(1, 5000, 9000), said(0, 13_000, 14_000), ended(14_000)]
    assert spans(response(), records) == []


def test_a_customer_who_asks_again_after_the_limit_has_waited() -> None:
    records = [started(), said(1, 1000, 3000), said(1, 9000, 9500), said(0, 10_000, 11_000), ended(11_000)]
    assert spans(response(), records) == [(3000, 8000)]


def test_a_short_sound_in_the_middle_of_the_question_is_no_answer() -> None:
    records = [started(), said(0, 2000, 2300), said(1, 1000, 6000), said(0, 12_000, 13_000), ended(13_000)]
    assert spans(response(), records) == [(6000, 11_000)]


def test_an_agent_who_talks_beyond_the_end_of_the_question_has_answered() -> None:
    for first in (0, 3000):
        records = [started(), said(1, 1000, 6000), said(0, first, 8000), ended(20_000)]
        assert spans(response(), records) == []


def test_a_hold_ends_the_wait() -> None:
    assert spans(response(), [started(), said(1, 1000, 3000), held(5000), tick(30_000), ended(30_000)]) == []


def test_a_hold_after_the_limit_does_not_excuse_the_wait() -> None:
    assert spans(response(), [started(), said(1, 1000, 3000), held(9000), ended(30_000)]) == [(3000, 8000)]


def test_silence_before_the_first_word_of_the_other_is_no_wait() -> None:
    assert spans(response(), [started(), tick(20_000), said(0, 21_000, 22_000), ended(22_000)]) == []


def test_an_answer_that_comes_too_soon() -> None:
    records = [started(), said(1, 1000, 3000), said(0, 3200, 5000), ended(5000)]
    assert spans(response("{of: agent, less_than_s: 0.3}"), records) == [(3000, 3200)]
    assert spans(response("{of: agent, less_than_s: 0.2}"), records) == []


def test_the_second_wait_alone_when_two_are_asked_for() -> None:
    one = [said(1, 1000, 2000), said(0, 10_000, 11_000)]
    two = [said(1, 12_000, 13_000), said(0, 20_000, 21_000)]
    assert spans(response("{of: agent, more_than_s: 5, times: 2}"), [started(), *one, *two, ended(22_000)]) == [
        (13_000, 18_000)
    ]


def test_a_recording_with_both_on_one_channel_tells_nothing() -> None:
    call: CallStarted = started(channels=("mixed",))
    assert spans(response(), [call, tick(60_000, 60_000), ended(60_000)]) == []


def test_the_role_of_the_scope_is_the_default() -> None:
    assert read(ResponseTime, "{more_than_s: 5}", role="customer").of == "customer"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{of: agent}", "needs 'more_than_s' or 'less_than_s'"),
        ("{of: agent, more_than_s: 5, less_than_s: 1}", "nothing is longer"),
        ("{more_than_s: 5}", "needs 'of'"),
        ("{of: line, more_than_s: 5}", "can not be 'line'"),
        ("{of: agent, more_than: 5}", "did you mean 'more_than_s'"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert any(message in str(problem) for problem in try_read(ResponseTime, text)[1])


def test_between_two_limits_is_known_when_the_answer_comes() -> None:
    """Longer than 3 s and shorter than 8 s; the limits are outside."""
    operator = read(ResponseTime, "{of: agent, more_than_s: 3, less_than_s: 8}")
    for wait_ms, hits in ((3000, []), (3001, [(2000, 5001)]), (7999, [(2000, 9999)]), (8000, []), (20_000, [])):
        records = [
            started(),
            said(1, 1000, 2000),
            said(0, 2000 + wait_ms, 3000 + wait_ms),
            tick(4000 + wait_ms),
            ended(30_000),
        ]
        assert spans(operator, records) == hits, wait_ms
