"""Measurements of a call."""

from __future__ import annotations

import json

import pytest

from processors.inspect.call_metrics import Line, coverage, dump_line, load_line, metrics, observe
from processors.inspect.operators.base import Call
from processors.records import CallEnded, CallMetrics, Coverage, MediaGap, Skipped
from tests.inspect.measuring import follow
from tests.inspect.measuring import start as begin
from tests.inspect.timeline import ended, held, said, started, tick


def run(*records: object) -> tuple[Line, Call]:
    """Line and call after all records; the line goes through JSON between each two of them."""
    call = begin(started())
    line = Line()
    for record in records:
        call = follow(call, record)
        line = load_line(json.loads(json.dumps(dump_line(observe(line, record, call)))))
    return line, call


def measure(*records: object) -> CallMetrics:
    return metrics(*run(*records))


def test_talk_and_its_ratio_are_counted_by_role() -> None:
    found = measure(said(0, 0, 3000), said(1, 3000, 4000), ended(5000))
    assert found.talk_ms == {"agent": 3000, "customer": 1000}
    assert found.talk_ratio_agent == 0.75
    assert found.duration_ms == 5000
    assert found.utterances == 2


def test_silence_is_where_nobody_speaks() -> None:
    found = measure(said(0, 1000, 2000), said(1, 5000, 6000), ended(8000))
    assert found.silence_ms == 1000 + 3000 + 2000
    assert found.longest_silence_ms == 3000


def test_the_order_in_which_overlapping_utterances_close_does_not_matter() -> None:
    a, b = said(0, 0, 9000), said(1, 4000, 6000)
    assert measure(b, tick(7000, 0, 7000), a, ended(9000)) == measure(a, b, ended(9000))


def test_two_voices_at_once_are_overlap() -> None:
    found = measure(said(0, 0, 4000), said(1, 3000, 6000), ended(6000))
    assert (found.overlap_ms, found.overlaps, found.silence_ms) == (1000, 1, 0)


@pytest.mark.parametrize(("shared_ms", "events"), [(299, 0), (300, 1)])
def test_an_overlap_counts_as_an_event_from_300_ms(shared_ms: int, events: int) -> None:
    found = measure(said(0, 0, 4000), said(1, 4000 - shared_ms, 6000), ended(6000))
    assert (found.overlap_ms, found.overlaps) == (shared_ms, events)


def test_a_hold_is_no_silence() -> None:
    found = measure(said(0, 0, 1000), held(2000), held(32_000, False), said(0, 33_000, 34_000), ended(34_000))
    assert found.hold_ms == 30_000
    assert found.silence_ms == 1000 + 1000
    assert found.longest_silence_ms == 1000


def test_a_hold_that_lasts_to_the_end_is_counted_to_the_end() -> None:
    assert measure(held(2000), ended(10_000)).hold_ms == 8000


def test_an_open_hold_counts_while_the_call_goes_on() -> None:
    assert measure(held(2000), tick(7000)).hold_ms == 5000


def test_an_utterance_without_words_is_no_speech() -> None:
    found = measure(said(0, 1000, 2000, ""), ended(5000))
    assert (found.talk_ms, found.silence_ms, found.utterances) == ({}, 5000, 0)


def test_running_figures_go_only_as_far_as_everything_is_final() -> None:
    running = measure(said(0, 0, 1000), tick(10_000, 10_000, 4000))
    assert running.silence_ms == 3000, "the customer may still be heard from 4.0 s on"


def test_rates_are_characters_per_minute_of_speech() -> None:
    found = measure(said(0, 0, 2000, "一二三四五六七八九十"), said(0, 10_000, 11_000, "一二三四五"), ended(20_000))
    assert found.chars_per_min == {"agent": 300.0}


def test_coverage_of_a_finished_call_is_what_speech_reports() -> None:
    told = Coverage(audio_ms=20_000, transcribed_ms=19_000, skipped=(Skipped(reason="overload_meaning", count=2),))
    end = CallEnded(call_id="c", call_ms=10_000, at_ms=0, coverage=told)
    found = coverage(*run(end), end)
    assert (found.audio_ms, found.transcribed_ms, found.evaluated_ms) == (20_000, 19_000, 19_000)
    assert found.skipped == told.skipped


def test_media_gaps_are_skipped_audio_and_not_told_twice() -> None:
    gap = MediaGap(call_id="c", channel=0, start_ms=1000, end_ms=1500, reason="packet_loss")
    line, call = run(gap, tick(4000))
    found = coverage(line, call)
    assert found.audio_ms == 7500
    assert found.skipped == (Skipped(reason="media_gap", amount_ms=500),)
    told = Coverage(audio_ms=7500, transcribed_ms=7500, skipped=(Skipped(reason="media_gap", amount_ms=500),))
    end = CallEnded(call_id="c", call_ms=4000, at_ms=0, coverage=told)
    assert coverage(line, call, end).skipped == told.skipped


def test_what_rules_left_out_is_not_evaluated() -> None:
    left_out = (Skipped(reason="rule_time", amount_ms=300),)
    told = CallEnded(call_id="c", call_ms=1000, at_ms=0, coverage=Coverage(audio_ms=1000, transcribed_ms=1000))
    assert coverage(*run(), told, left_out).evaluated_ms == 700


def test_a_channel_that_never_becomes_final_does_not_grow_the_state() -> None:
    records = [said(0, n * 1000, n * 1000 + 500) for n in range(1000)]
    line, _ = run(*records)
    assert len(json.dumps(dump_line(line))) < 800
    assert measure(*records, ended(1_000_000)).silence_ms == 500_000
