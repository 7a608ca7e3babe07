"""One party talks over the other."""

from __future__ import annotations

import pytest

from processors.inspect.operators.overlap import Overlap
from tests.inspect.measuring import hits, read, spans, try_read
from tests.inspect.timeline import ended, said, started


def overlap(text: str = "{by: agent, at_least_ms: 800}") -> Overlap:
    found: Overlap = read(Overlap, text)
    return found


@pytest.mark.parametrize(("end_ms", "found"), [(4799, []), (4800, [(4000, 4800)])])
def test_it_counts_from_exactly_the_limit(end_ms: int, found: list[tuple[int, int]]) -> None:
    assert spans(overlap(), [started(), said(1, 1000, end_ms), said(0, 4000, 9000), ended(9000)]) == found


@pytest.mark.parametrize(("start_ms", "found"), [(1000, []), (1001, [(1001, 5000)])])
def test_who_begins_in_the_same_moment_does_not_interrupt(start_ms: int, found: list[tuple[int, int]]) -> None:
    assert spans(overlap(), [started(), said(1, 1000, 5000), said(0, start_ms, 9000), ended(9000)]) == found


def test_who_was_there_first_is_not_the_one_who_interrupts() -> None:
    records = [started(), said(0, 1000, 8000), said(1, 3000, 6000), ended(9000)]
    assert spans(overlap(), records) == []
    assert spans(overlap("{by: customer, at_least_ms: 800}"), records) == [(3000, 6000)]


def test_the_order_in_which_the_two_close_does_not_matter() -> None:
    customer, agent = said(1, 1000, 8000), said(0, 4000, 6000)
    assert spans(overlap(), [started(), customer, agent, ended(9000)]) == [(4000, 6000)]
    assert spans(overlap(), [started(), agent, customer, ended(9000)]) == [(4000, 6000)]


def test_it_names_the_utterance_and_the_milliseconds() -> None:
    (hit,) = hits(overlap(), [started(), said(1, 1000, 8000), said(0, 4000, 6000, no=7), ended(9000)])
    assert (hit.channel, hit.role, hit.utterance_no, hit.value) == (0, "agent", 7, 2000.0)


def test_one_utterance_interrupts_once_even_when_it_meets_two() -> None:
    records = [started(), said(1, 1000, 3000), said(1, 3500, 6000), said(0, 2000, 7000), ended(8000)]
    assert spans(overlap(), records) == [(2000, 3000)]


def test_speech_after_the_other_has_finished_is_no_overlap() -> None:
    assert spans(overlap(), [started(), said(1, 1000, 3000), said(0, 3000, 6000), ended(6000)]) == []


def test_noise_without_words_interrupts_nobody() -> None:
    assert spans(overlap(), [started(), said(1, 1000, 5000), said(0, 2000, 4000, ""), ended(6000)]) == []


def test_the_third_time_alone_when_three_are_asked_for() -> None:
    pairs = []
    for n in range(5):
        pairs += [said(1, n * 10_000, n * 10_000 + 5000), said(0, n * 10_000 + 1000, n * 10_000 + 6000)]
    records = [started(), *pairs, ended(60_000)]
    assert spans(overlap("{by: agent, at_least_ms: 800, times: 3}"), records) == [(21_000, 25_000)]
    assert len(spans(overlap(), records)) == 5


def test_the_memory_of_a_long_call_stays_small() -> None:
    operator = overlap()
    from tests.inspect.measuring import follow, start

    call, memory = start(started()), operator.start(start(started()))
    for n in range(500):
        record = said(n % 2, n * 900, n * 900 + 1000)
        call = follow(call, record)
        memory, _ = operator.observe(memory, record, call)
    assert len(str(memory)) < 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{by: agent}", "needs 'at_least_ms'"),
        ("{at_least_ms: 800}", "needs 'by'"),
        ("{by: agent, at_least_ms: 0}", "above 0"),
        ("{of: agent, at_least_ms: 800}", "has no key 'of'"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert any(message in str(problem) for problem in try_read(Overlap, text)[1])
