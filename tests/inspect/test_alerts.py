"""Alert strategies."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from processors.inspect.alerts import (
    HITS_MAX,
    EmotionAlerts,
    EmotionStrategy,
    RuleAlerts,
    Strategy,
    dump_emotions,
    dump_rule,
    load_emotions,
    load_rule,
    on_emotion,
    on_violation,
)
from processors.records import Alert, EmotionLabel, EmotionPoint, Evidence, Violation, ViolationState
from tests.inspect.timeline import AT_MS

HOUR_MS = 3_600_000


def violation(name: str, call_ms: int, state: ViolationState = "confirmed", at_ms: int | None = None) -> Violation:
    return Violation(
        violation_id=name,
        call_id="c",
        rule_id="r",
        rule_version="1",
        ruleset_version="1",
        state=state,
        severity="high",
        points=-5,
        fatal=False,
        role="agent",
        start_ms=call_ms - 500,
        end_ms=call_ms,
        call_ms=call_ms,
        audio_at_ms=AT_MS + call_ms if at_ms is None else at_ms,
        detected_at_ms=0,
        team_id="t-1",
        evidence=(Evidence(start_ms=0, end_ms=1, operator="said", quote="包过"),),
        explanation="承诺",
    )


def run(strategy: Strategy, *violations: Violation) -> list[tuple[str, str]]:
    """(state, violation) of every alert, with the state written and read between each two violations."""
    state, out = RuleAlerts(), []
    for each in violations:
        state, alerts = on_violation(strategy, state, each)
        state = load_rule(json.loads(json.dumps(dump_rule(state))))
        out += [(alert.state, alert.violation_id) for alert in alerts]
    return out


def test_a_hit_is_told_at_once_and_once() -> None:
    told = run(Strategy(), violation("a", 1000, "provisional"), violation("a", 1000, "confirmed"))
    assert told == [("raised", "a")]


def test_an_alert_says_who_when_what_and_why() -> None:
    _, alerts = on_violation(Strategy(by_team={"t-1": ("lead",)}), RuleAlerts(), violation("a", 65_000))
    (alert,) = alerts
    assert alert.recipients == ("lead",)
    assert (alert.call_ms, alert.at_ms, alert.cause, alert.severity) == (65_000, AT_MS + 65_000, "violation", "high")
    assert "01:04" in alert.text and "承诺" in alert.text and "包过" in alert.text


def test_the_id_of_an_alert_is_the_same_in_every_run() -> None:
    def first() -> Alert:
        return on_violation(Strategy(), RuleAlerts(), violation("a", 1000))[1][0]

    assert first() == first()


def test_a_retracted_violation_takes_its_alert_back_under_the_same_id() -> None:
    state, (raised,) = on_violation(Strategy(), RuleAlerts(), violation("a", 1000, "provisional"))
    _, (taken_back,) = on_violation(Strategy(), state, violation("a", 1000, "retracted"))
    assert taken_back.alert_id == raised.alert_id
    assert taken_back.state == "retracted"


def test_hits_below_the_minimum_are_not_told() -> None:
    strategy = Strategy(min_hits=3)
    hits = [violation("a", 1000), violation("b", 2000), violation("c", 3000)]
    assert run(strategy, *hits) == [("raised", "c")]


@pytest.mark.parametrize(("second_ms", "told"), [(60_999, 1), (61_000, 0)])
def test_the_minimum_must_be_reached_within_the_duration(second_ms: int, told: int) -> None:
    strategy = Strategy(min_hits=2, within_ms=60_000)
    assert len(run(strategy, violation("a", 1000), violation("b", second_ms))) == told


@pytest.mark.parametrize(("second_ms", "told"), [(60_999, 1), (61_000, 2)])
def test_the_interval_is_over_exactly_at_its_end(second_ms: int, told: int) -> None:
    assert len(run(Strategy(every_ms=60_000), violation("a", 1000), violation("b", second_ms))) == told


def test_no_more_alerts_than_the_maximum() -> None:
    assert len(run(Strategy(most=2), *(violation(str(n), n * 1000) for n in range(1, 9)))) == 2


def test_a_retraction_lets_a_hit_through_that_its_interval_held_back() -> None:
    hits = [violation("a", 1000, "provisional"), violation("b", 2000), violation("a", 1000, "retracted")]
    assert run(Strategy(every_ms=60_000), *hits) == [("raised", "a"), ("retracted", "a"), ("raised", "b")]


def test_an_earlier_hit_that_is_found_later_takes_nobodys_alert_back() -> None:
    """Of two channels the one that closes later may have spoken earlier; its place and interval are taken."""
    seen = [violation("b", 10_000), violation("a", 9_500), violation("c", 75_000)]
    assert run(Strategy(every_ms=60_000), *seen) == [("raised", "b"), ("raised", "c")]
    assert run(Strategy(most=1), *seen) == [("raised", "b")]
    assert run(Strategy(every_ms=60_000), *seen[:2], violation("b", 10_000, "retracted")) == [
        ("raised", "b"),
        ("retracted", "b"),
        ("raised", "a"),
    ]


def test_quiet_hours_count_hits_and_tell_nobody_afterwards() -> None:
    """Two hits are needed; the first lies in the quiet hours, the second behind them."""
    night = Strategy(min_hits=2, quiet=((0, 8 * HOUR_MS),), utc_offset_ms=0)
    day_ms = AT_MS - AT_MS % (24 * HOUR_MS)
    first = violation("a", 1000, at_ms=day_ms + 8 * HOUR_MS - 1)
    assert run(night, first, violation("b", 2000, at_ms=day_ms + 8 * HOUR_MS)) == [("raised", "b")]
    assert run(replace(night, min_hits=1), first) == []


def test_a_retraction_below_the_minimum_takes_back_the_alert_of_the_other_hit() -> None:
    hits = [violation("a", 1000, "provisional"), violation("b", 2000), violation("a", 1000, "retracted")]
    assert run(Strategy(min_hits=2), *hits) == [("raised", "b"), ("retracted", "b")]


@pytest.mark.parametrize(
    ("local_ms", "told"),
    [
        (22 * HOUR_MS - 1, True),
        (22 * HOUR_MS, False),
        (3 * HOUR_MS, False),
        (8 * HOUR_MS - 1, False),
        (8 * HOUR_MS, True),
    ],
)
def test_quiet_hours_are_half_open_and_run_over_midnight(local_ms: int, told: bool) -> None:
    strategy = Strategy(quiet=((22 * HOUR_MS, 8 * HOUR_MS),))
    at_ms = 20_000 * 24 * HOUR_MS + local_ms - 8 * HOUR_MS
    assert bool(run(strategy, violation("a", 1000, at_ms=at_ms))) == told


def test_quiet_hours_within_a_day() -> None:
    strategy = Strategy(quiet=((12 * HOUR_MS, 13 * HOUR_MS),), utc_offset_ms=0)
    noon_ms = 20_000 * 24 * HOUR_MS + 12 * HOUR_MS
    assert run(strategy, violation("a", 1, at_ms=noon_ms)) == []
    assert run(strategy, violation("a", 1, at_ms=noon_ms + HOUR_MS)) == [("raised", "a")]


def test_a_rule_that_hits_without_end_keeps_a_small_state_and_its_limits() -> None:
    state, alerts = RuleAlerts(), []
    for n in range(1, 500):
        state, more = on_violation(Strategy(every_ms=10_000, most=20), state, violation(f"v{n}", n * 1000))
        alerts += more
    assert len(state.hits) == HITS_MAX
    assert [alert.call_ms for alert in alerts] == [1000 + 10_000 * n for n in range(20)]


def point(call_ms: int, label: EmotionLabel, role: str = "customer") -> EmotionPoint:
    return EmotionPoint(
        call_id="c",
        channel=1,
        role=role,  # type: ignore[arg-type]
        call_ms=call_ms,
        arousal=2,
        valence=-1,
        label=label,
        trend="rising",
        at_ms=AT_MS + call_ms,
    )


def emotions(*points: EmotionPoint, strategy: EmotionStrategy | None = None) -> list[int]:
    """Call time of every alert; each utterance has lasted 2 s."""
    state, out = EmotionAlerts(), []
    for each in points:
        state, alerts = on_emotion(strategy or EmotionStrategy(), state, each, each.call_ms - 2000, "a", "t")
        state = load_emotions(json.loads(json.dumps(dump_emotions(state))))
        out += [alert.call_ms for alert in alerts]
    return out


def test_a_customer_who_stays_angry_is_told_once() -> None:
    assert emotions(*(point(ms, "angry") for ms in (10_000, 15_000, 20_000, 25_000))) == [15_000]


@pytest.mark.parametrize(("second_ms", "told"), [(12_999, []), (13_000, [13_000])])
def test_the_label_must_hold_for_the_whole_time(second_ms: int, told: list[int]) -> None:
    assert emotions(point(10_000, "angry"), point(second_ms, "angry")) == told


def test_calm_in_between_begins_the_time_anew() -> None:
    assert emotions(point(10_000, "angry"), point(12_000, "calm"), point(14_000, "angry")) == []


def test_an_angry_agent_is_not_the_customers_emotion() -> None:
    assert emotions(*(replace(point(ms, "angry"), role="agent") for ms in (10_000, 20_000))) == []


def test_a_second_stretch_of_anger_is_told_after_the_interval() -> None:
    stretches = [point(ms, label) for ms, label in ((10_000, "angry"), (20_000, "angry"), (30_000, "calm"))]
    again = [point(ms, "angry") for ms in (40_000, 50_000, 139_000, 140_000)]
    assert emotions(*stretches, *again) == [20_000, 140_000]
