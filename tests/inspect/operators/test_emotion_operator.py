"""Emotion as a condition."""

from __future__ import annotations

import pytest

from processors.inspect.operators.emotion import Emotion
from processors.records import EmotionLabel, EmotionPoint, EmotionTrend, Utterance
from tests.inspect.measuring import hits, read, spans, try_read
from tests.inspect.timeline import AT_MS, said, started


def emotion(text: str) -> Emotion:
    found: Emotion = read(Emotion, text)
    return found


def felt(
    start_ms: int, end_ms: int, label: EmotionLabel, trend: EmotionTrend = "steady", channel: int = 1
) -> list[Utterance | EmotionPoint]:
    """An utterance and its point."""
    utterance = said(channel, start_ms, end_ms)
    point = EmotionPoint(
        call_id="c",
        channel=channel,
        role=utterance.role,
        call_ms=end_ms,
        arousal=2.0,
        valence=-1.0,
        label=label,
        trend=trend,
        at_ms=AT_MS + end_ms,
    )
    return [utterance, point]


def test_a_label_is_found_with_its_first_utterance_and_told_once() -> None:
    records = [started(), *felt(0, 1000, "calm"), *felt(2000, 4000, "angry"), *felt(5000, 6000, "angry")]
    assert spans(emotion("{of: customer, label: angry}"), records) == [(2000, 4000)]


@pytest.mark.parametrize(("end_ms", "found"), [(11_999, []), (12_000, [(2000, 12_000)])])
def test_it_must_hold_from_the_first_start_to_the_last_end(end_ms: int, found: list[tuple[int, int]]) -> None:
    records = [started(), *felt(2000, 4000, "angry"), *felt(9000, end_ms, "angry")]
    assert spans(emotion("{of: customer, label: angry, for_s: 10}"), records) == found


def test_another_label_in_between_begins_anew() -> None:
    angry = [*felt(2000, 4000, "angry"), *felt(5000, 6000, "calm"), *felt(11_000, 13_000, "angry")]
    assert spans(emotion("{of: customer, label: angry, for_s: 10}"), [started(), *angry]) == []


def test_one_of_several_labels() -> None:
    records = [started(), *felt(2000, 4000, "tense"), *felt(5000, 12_000, "angry")]
    assert spans(emotion("{of: customer, label: [angry, tense], for_s: 10}"), records) == [(2000, 12_000)]


def test_trend_alone_and_with_a_label() -> None:
    records = [started(), *felt(0, 1000, "calm", "rising"), *felt(2000, 3000, "angry", "rising")]
    assert spans(emotion("{of: customer, trend: rising}"), records) == [(0, 1000)]
    assert spans(emotion("{of: customer, trend: rising, label: angry}"), records) == [(2000, 3000)]


@pytest.mark.parametrize(
    ("bound", "found"),
    [
        ("valence_below: -0.5", [(0, 1000)]),
        ("valence_below: -1", []),
        ("valence_above: -0.5", []),
        ("valence_above: -1", []),
        ("arousal_above: 1.9", [(0, 1000)]),
        ("arousal_above: 2", []),
        ("arousal_above: 1.9, label: calm", []),
    ],
)
def test_bounds_on_the_figures(bound: str, found: list[tuple[int, int]]) -> None:
    """The utterance has arousal 2 and valence -1; the bounds themselves are outside."""
    assert spans(emotion(f"{{of: customer, {bound}}}"), [started(), *felt(0, 1000, "angry")]) == found


def test_the_other_party_feels_for_itself() -> None:
    records = [started(), *felt(0, 1000, "angry", channel=0)]
    assert spans(emotion("{of: customer, label: angry}"), records) == []
    (hit,) = hits(emotion("{of: agent, label: angry}"), records)
    assert (hit.role, hit.channel, hit.value, hit.utterance_no) == ("agent", 0, 2.0, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{of: customer}", "needs 'label' or 'trend'"),
        ("{of: customer, label: furious}", "can not be 'furious'"),
        ("{of: customer, trend: risng}", "did you mean 'rising'"),
        ("{label: angry}", "needs 'of'"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert any(message in str(problem) for problem in try_read(Emotion, text)[1])
