"""Silence of the line or of one role."""

from __future__ import annotations

import pytest

from processors.inspect.operators.silence import Silence
from processors.records import Tick, Utterance
from tests.inspect.measuring import observe, read, spans, try_read
from tests.inspect.timeline import ended, held, said, started, tick

EIGHT = "{of: line, at_least_s: 8}"


def silence(text: str = EIGHT) -> Silence:
    found: Silence = read(Silence, text)
    return found


@pytest.mark.parametrize(("until_ms", "found"), [(10_999, []), (11_000, [(3000, 11_000)])])
def test_silence_is_found_exactly_at_its_limit(until_ms: int, found: list[tuple[int, int]]) -> None:
    assert spans(silence(), [started(), said(0, 0, 3000), tick(11_500, until_ms, until_ms)]) == found


@pytest.mark.parametrize(("next_ms", "found"), [(10_999, []), (11_000, [(3000, 11_000)])])
def test_speech_one_ms_earlier_breaks_it(next_ms: int, found: list[tuple[int, int]]) -> None:
    records = [started(), said(0, 0, 3000), said(1, next_ms, 13_000), tick(13_000), ended(13_000)]
    assert spans(silence(), records) == found


def test_it_is_found_while_it_lasts_and_only_once() -> None:
    records = [started(), said(0, 0, 3000), *(tick(second * 1000) for second in range(4, 40))]
    ((record, _),) = observe(silence(), records)
    assert isinstance(record, Tick) and record.call_ms == 11_000


def test_an_utterance_that_is_still_open_is_no_silence() -> None:
    """The customer speaks from 4 s to 20 s: until then the ticks say so, since the channel is not final."""
    open_ = [tick(second * 1000, second * 1000, 4000) for second in range(4, 20)]
    assert spans(silence(), [started(), said(0, 0, 3000), *open_, said(1, 4000, 20_000), ended(20_500)]) == []


def test_silence_before_an_utterance_that_closes_late_is_found() -> None:
    records = [started(), said(0, 0, 3000), said(1, 12_000, 30_000), ended(30_000)]
    ((_, hit),) = observe(silence(), records)
    assert (hit.start_ms, hit.end_ms, hit.value, hit.channel, hit.role) == (3000, 11_000, 8.0, -1, "")


def test_the_order_in_which_two_utterances_close_does_not_matter() -> None:
    long, short = said(0, 1000, 18_000), said(1, 2000, 3000)
    for first, second in ((long, short), (short, long)):
        assert spans(silence(), [started(), first, second, tick(26_000), ended(26_000)]) == [(18_000, 26_000)]


def test_the_beginning_and_the_end_of_a_call_count() -> None:
    assert spans(silence(), [started(), said(0, 8000, 9000), ended(17_000)]) == [(0, 8000), (9000, 17_000)]


def test_a_hold_ends_the_stretch_and_a_new_one_begins_after_it() -> None:
    records = [started(), said(0, 0, 1000), held(3000), tick(40_000), held(40_000, False), tick(47_999)]
    assert spans(silence(), records) == []
    assert spans(silence(), [*records, tick(48_000)]) == [(40_000, 48_000)]


def test_silence_before_a_hold_counts_up_to_it() -> None:
    assert spans(silence(), [started(), held(8000), tick(9000), ended(60_000)]) == [(0, 8000)]


def test_a_hold_counts_when_the_rule_says_so() -> None:
    records = [started(), said(0, 0, 1000), held(3000), tick(9000)]
    assert spans(silence("{at_least_s: 8, holds: true}"), records) == [(1000, 9000)]


def test_silence_of_a_role_does_not_care_who_else_speaks() -> None:
    records = [started(), said(0, 0, 1000), said(1, 1000, 9500), tick(9500)]
    ((_, hit),) = observe(silence("{of: agent, at_least_s: 8}"), records)
    assert (hit.start_ms, hit.end_ms, hit.channel, hit.role) == (1000, 9000, 0, "agent")
    assert spans(silence("{of: customer, at_least_s: 8}"), records) == []


def test_silence_of_a_role_waits_for_that_role_only() -> None:
    records = [started(), said(0, 0, 1000), tick(9000, 9000, 0)]
    assert spans(silence("{of: agent, at_least_s: 8}"), records) == [(1000, 9000)]
    assert spans(silence(), records) == []


def test_noise_without_words_is_silence() -> None:
    assert spans(silence(), [started(), said(0, 4000, 4300, ""), tick(8000)]) == [(0, 8000)]


def test_each_stretch_is_found() -> None:
    records = [started(), said(0, 10_000, 11_000), said(0, 20_000, 21_000), ended(22_000)]
    assert spans(silence(), records) == [(0, 8000), (11_000, 19_000)]


def test_the_second_stretch_alone_when_two_are_asked_for() -> None:
    records = [started(), said(0, 10_000, 11_000), said(0, 20_000, 21_000), ended(40_000)]
    assert spans(silence("{at_least_s: 8, times: 2}"), records) == [(11_000, 19_000)]


def test_a_channel_without_any_progress_does_not_fill_the_memory() -> None:
    records: list[Utterance] = [said(0, n * 100, n * 100 + 90) for n in range(1000)]
    assert spans(silence("{at_least_s: 8}"), [started(), *records, ended(100_000)]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{of: line}", "needs 'at_least_s'"),
        ("{of: lin, at_least_s: 3}", "can not be 'lin'"),
        ("{at_least_s: 0}", "must be above 0"),
        ("{at_least_s: -1}", "must be above 0"),
        ("{at_least_s: soon}", "must be a number"),
        ("{at_least: 8}", "has no key 'at_least'"),
        ("8", "must be a mapping"),
        ("{at_least_s: 8, holds: maybe}", "true or false"),
        ("{at_least_s: 8, times: 1.5}", "whole number"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert any(message in str(problem) for problem in try_read(Silence, text)[1])
