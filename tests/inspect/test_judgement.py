"""Emotion, scorecards and alerts around the rules, through the engine."""

from __future__ import annotations

from typing import Any

import pytest

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.engine import dump_state, load_state, step
from processors.inspect.language import parse
from processors.records import Alert, EmotionPoint, Scorecard, Violation
from tests.inspect.timeline import AT_MS, ended, heard, said, started, tick

RULE = """
id: promise
severity: high
points: -15
when: {said: [包过]}
alert: ALERT
explain: 承诺
examples: [{says: [agent 1 包过], hit: true}]
"""
QUIET = "{id: q, when: {said: [甲]}, examples: [{says: [agent 1 甲], hit: true}]}"


def book(text: str) -> RuleBook:
    parsed = parse({"a.yaml": text})
    assert not parsed.problems, parsed.problems
    return compile_book(parsed, "test")


def run(text: str, records: list[Any]) -> list[Any]:
    """All outputs; the state is written and read between each two records."""
    compiled, state, out = book(text), None, []
    for position, record in enumerate(records):
        state, more = step(compiled, state, record, position)
        state = load_state(dump_state(state)) if state is not None else None
        out += more
    return out


def alerts(out: list[Any]) -> list[Alert]:
    return [one for one in out if isinstance(one, Alert)]


def test_a_violation_is_told_at_once_with_what_it_needs() -> None:
    rule = RULE.replace("ALERT", "{to: [supervisor]}")
    out = run(rule, [started(team_id="t-1"), heard(0, 60_000, 61_000, "我们包过")])
    (alert,) = alerts(out)
    (violation,) = [one for one in out if isinstance(one, Violation)]
    assert violation.state == "provisional"
    assert alert.violation_id == violation.violation_id and alert.rule_id == "promise"
    assert (alert.recipients, alert.severity, alert.team_id, alert.agent_id) == (("supervisor",), "high", "t-1", "a-1")
    assert "承诺" in alert.text and "包过" in alert.text
    assert alert.at_ms == violation.audio_at_ms


def test_a_confirmation_is_not_told_again_and_a_retraction_is() -> None:
    rule = RULE.replace("ALERT", "{to: [supervisor]}")
    same = [started(), heard(0, 1000, 1800, "我们包过"), said(0, 1000, 2000, "我们包过", no=1000), ended(3000)]
    assert [one.state for one in alerts(run(rule, same))] == ["raised"]
    other = [*same[:2], said(0, 1000, 2000, "我们包装", no=1000), ended(3000)]
    told = alerts(run(rule, other))
    assert [one.state for one in told] == ["raised", "retracted"]
    assert told[0].alert_id == told[1].alert_id


def test_a_rule_without_alert_tells_nobody() -> None:
    assert alerts(run(RULE.replace("alert: ALERT\n", ""), [started(), said(0, 0, 1000, "包过"), ended(2000)])) == []


def test_every_part_of_a_strategy_can_be_written() -> None:
    text = RULE.replace(
        "ALERT",
        '{min_hits: 2, within_s: 60, every_s: 30, max: 5, quiet: ["22:00-07:30", "12:00-13:00"], utc_offset: "+00:00",'
        ' to: {"*": [supervisor], t-1: [lead, manager]}}',
    )
    strategy = book(text).rules[0].rule.alert
    assert (strategy.min_hits, strategy.within_ms, strategy.every_ms, strategy.most) == (2, 60_000, 30_000, 5)
    assert strategy.quiet == ((79_200_000, 27_000_000), (43_200_000, 46_800_000))
    assert strategy.utc_offset_ms == 0
    assert strategy.recipients("t-1") == ("lead", "manager") and strategy.recipients("t-2") == ("supervisor",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{min_hit: 1}", "did you mean 'min_hits'"),
        ("{min_hits: 0}", "at least 1"),
        ("{every_s: soon}", "must be a number"),
        ("{max: 1.5}", "whole number"),
        ("{quiet: night}", "hours of the day"),
        ('{quiet: "25:00-07:00"}', "hours of the day"),
        ('{quiet: "07:00-07:00"}', "no stretch of a day"),
        ('{quiet: "24:30-07:00"}', "no stretch of a day"),
        ("{utc_offset: 8}", "must be like +08:00"),
        ("{to: {t-1: [lead]}}", "needs '*'"),
        ("{to: []}", "is empty"),
        ("supervisor", "must be a mapping"),
    ],
)
def test_what_is_wrong_with_an_alert_is_said_with_its_place(text: str, message: str) -> None:
    problems = parse({"a.yaml": RULE.replace("ALERT", text)}).errors
    assert any(message in str(problem) and problem.line == 6 for problem in problems), problems


def angry_call() -> list[Any]:
    calm = [said(1, n * 5000, n * 5000 + 2000, "我想问一下账单", level_db=-26, pitch_hz=200) for n in range(5)]
    angry = [
        said(1, 25_000 + n * 4000, 27_000 + n * 4000, "你们就是骗子太过分了", level_db=-10, pitch_hz=290)
        for n in range(5)
    ]
    return [started(), *calm, *angry, ended(60_000)]


def test_a_point_for_each_utterance_and_one_alert_for_a_customer_who_stays_angry() -> None:
    out = run(QUIET, angry_call())
    points = [one for one in out if isinstance(one, EmotionPoint)]
    assert len(points) == 10
    assert points[0].label == "calm" and points[-1].label == "angry"
    (alert,) = alerts(out)
    assert (alert.cause, alert.violation_id, alert.recipients) == ("emotion", "", ("supervisor",))
    assert alert.at_ms == AT_MS + alert.call_ms


def test_a_rule_about_emotion_that_tells_somebody_replaces_that_alert() -> None:
    rule = (
        "{id: angry, when: {emotion: {of: customer, label: angry}}, alert: {to: [lead]},"
        " examples: [{says: [customer 1 你们就是骗子太过分了气死我了], hit: true}]}"
    )
    told = alerts(run(rule, angry_call()))
    assert [(one.cause, one.recipients) for one in told] == [("violation", ("lead",))]


def test_repeats_and_replays_give_the_same_outputs() -> None:
    records = [*angry_call()[:-1], said(0, 50_000, 52_000, "我们包过"), tick(58_000), ended(60_000)]
    rule = RULE.replace("ALERT", "{to: [supervisor]}")
    once = run(rule, records)
    doubled = [record for record in records for _ in (0, 1)]
    compiled, state, out = book(rule), None, []
    for position, record in enumerate(doubled[:-1]):
        state, more = step(compiled, state, record, position)
        out += more
    assert out == once
    assert len([one for one in once if isinstance(one, Scorecard)]) == 2


def test_a_long_call_with_many_emotions_keeps_a_small_state() -> None:
    compiled, state = book(QUIET), None
    state, _ = step(compiled, state, started(), 0)
    for n in range(1, 600):
        record = said(n % 2, n * 3000, n * 3000 + 2500, "我想问一下账单", level_db=-26 + n % 5, pitch_hz=200)
        state, _ = step(compiled, state, record, n)
        if n % 10 == 0:
            state, _ = step(compiled, state, tick(n * 3000 + 2600), n)
    assert state is not None and len(dump_state(state)) < 1500
