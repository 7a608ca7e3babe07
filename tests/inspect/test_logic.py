"""Logic, anchors, windows and positions, as README.md of inspect defines them."""

from __future__ import annotations

from processors.inspect.trial import replay
from processors.records import Violation
from tests.inspect.operators.test_said import partial
from tests.inspect.rules import book, call, found, found_at, rule, starts

PROMISE = "all: [{said: [包过]}, {not: {said: [审批为准]}, within_s: 20}]"
BOTH = "all: [{said: [甲方]}, {said: [乙方], within_s: 10}]"


def test_absence_near_a_promise() -> None:
    """Certain when 20 s after the words have passed; the violation is where the words are."""
    assert found_at(rule(PROMISE), ["agent 12.0 包过", "end 60"]) == [33.0]
    assert starts(rule(PROMISE), ["agent 12.0 包过", "end 60"]) == [12.0]
    assert starts(rule(PROMISE), ["agent 12.0 包过", "agent 18 审批为准", "end 60"]) == []
    assert starts(rule(PROMISE), ["agent 12.0 包过", "agent 40 审批为准", "end 60"]) == [12.0]


def test_a_distance_goes_both_ways() -> None:
    """Said shortly before is near, too; `after` gives it a direction."""
    assert starts(rule(PROMISE), ["agent 5 审批为准", "agent 12 包过", "end 60"]) == []
    after = rule("all: [{said: [包过]}, {not: {said: [审批为准]}, after: {said: [包过]}, within_s: 20}]")
    assert starts(after, ["agent 5 审批为准", "agent 12 包过", "end 60"]) == [12.0]
    assert starts(after, ["agent 12 包过", "agent 15 审批为准", "end 60"]) == []


def test_the_end_of_the_call_closes_an_absence() -> None:
    """The call ends 2 s after the promise."""
    assert found_at(rule(PROMISE), ["agent 12.0 包过"]) == [14.5]


def test_windows_may_stand_inside_not() -> None:
    """not: {said, within_s} means the same."""
    inside = rule("all: [{said: [包过]}, {not: {said: [审批为准], within_s: 20}}]")
    assert starts(inside, ["agent 12 包过", "agent 18 审批为准", "end 60"]) == []
    assert starts(inside, ["agent 12 包过", "agent 40 审批为准", "end 60"]) == [12.0]


def test_each_hit_of_the_first_condition_is_judged_for_itself() -> None:
    """Two promises, one disclaimer."""
    says = ["agent 10-11 包过", "agent 15-16 审批为准", "agent 60-61 包过", "end 100"]
    assert starts(rule(PROMISE), says) == [60.0]
    assert starts(rule(PROMISE), [says[0], says[2], says[3]]) == [10.0, 60.0]


def test_all_within_a_distance() -> None:
    """In either order; 10 s from end to beginning is too far."""
    assert starts(rule(BOTH), ["agent 1-2 甲方", "agent 11-12 乙方"]) == [1.0]
    assert starts(rule(BOTH), ["agent 1-2 乙方", "agent 11-12 甲方"]) == [1.0]
    assert starts(rule(BOTH), ["agent 1-2 甲方", "agent 12-13 乙方"]) == []


def test_all_without_a_distance_is_anywhere_in_the_call() -> None:
    """The violation is found when the last part is there, and keeps the place of the first condition."""
    anywhere = rule("all: [{said: [甲方]}, {said: [乙方]}]")
    violations = found(anywhere, ["agent 1-2 甲方", "agent 300-301 乙方"])
    assert [(v.start_ms, v.end_ms, v.call_ms) for v in violations] == [(1000, 301_000, 301_000)]


def test_within_turns() -> None:
    """An absence in turns is certain when the next turn after them has come."""
    turns = rule("all: [{said: [投诉], role: customer}, {not: {said: [抱歉]}, role: agent, within_turns: 1}]")
    assert starts(turns, ["customer 1-2 投诉", "agent 3-4 抱歉", "customer 5-6 好", "end 30"]) == []
    assert found_at(turns, ["customer 1-2 投诉", "agent 3-4 哦", "customer 5-6 喂", "end 30"]) == [6.0]


def test_before_and_after_without_distance() -> None:
    """Somewhere before, somewhere after."""
    before = rule("said: [欠款]\n  before: {said: [本人]}")
    assert starts(before, ["agent 1-2 欠款", "agent 50-51 本人"]) == [1.0]
    assert starts(before, ["agent 1-2 本人", "agent 50-51 欠款"]) == []
    after = rule("said: [欠款]\n  after: {said: [本人]}")
    assert starts(after, ["agent 1-2 本人", "agent 50-51 欠款"]) == [1.0]


def test_not_before_names_the_same_hit() -> None:
    """The condition written twice in one `all` is one hit: debts before identity."""
    when = "all: [{said: [欠款]}, {not: {said: [本人]}, before: {said: [欠款]}}]"
    assert starts(rule(when), ["agent 1-2 您好", "agent 7-8 欠款", "agent 20-21 本人", "agent 30-31 欠款"]) == [7.0]


def test_before_waits_for_the_other_channel() -> None:
    """The customer is still being transcribed when the agent speaks."""
    when = """all:
    - &debt {said: [欠款], role: agent}
    - {not: {said: [本人], role: customer}, before: *debt}"""
    assert starts(rule(when), ["customer 1-12 本人没错就是我", "agent 6-7 欠款", "end 20"]) == []
    assert found_at(rule(when), ["customer 1-12 你是哪位啊", "agent 6-7 欠款", "end 20"]) == [12.0]


def test_positions() -> None:
    """first_s from the start, last_s from the end."""
    assert starts(rule("{said: [您好], first_s: 5}"), ["agent 1-2 您好", "agent 9-10 您好"]) == [1.0]
    assert starts(rule("{said: [您好], last_s: 5}"), ["agent 1-2 您好", "agent 9-10 您好", "end 12"]) == [9.0]


def test_positions_from_to() -> None:
    """Two numbers bound a position on both sides; its beginning is inside, its end outside."""
    says = ["agent 29-30 您好", "agent 31-32 您好", "agent 59-60 您好", "agent 61-62 您好", "end 90"]
    assert starts(rule("{said: [您好], first_s: [31, 61]}"), says) == [31.0, 59.0]
    assert starts(rule("{said: [您好], last_s: [61, 31]}"), says) == [29.0, 31.0]
    assert starts(rule("{said: [您好], last_s: [30, 60]}"), says) == [31.0, 59.0]
    missing = rule("must_say: [您好]\n  first_s: [32, 59]")
    assert found_at(missing, says) == [59.0]
    assert starts(missing, ["agent 40-41 您好", "end 90"]) == []
    assert starts(missing, ["agent 5-6 您好", "end 20"]) == []  # a call that never came so far
    late = rule("must_say: [您好]\n  last_s: [20, 10]")
    assert found_at(late, says) == [90.0]
    assert starts(late, ["agent 75-76 您好", "end 90"]) == []


def test_any_is_one_violation_for_an_utterance() -> None:
    """With the proof of all that held."""
    (violation,) = found(rule("any: [{said: [甲方]}, {said: [乙方]}]"), ["agent 1 甲方和乙方"])
    assert [e.quote for e in violation.evidence] == ["甲方", "乙方"]


def test_at_least() -> None:
    """Once in a call, when the last one that is needed is there."""
    two = rule("at_least: {n: 2, of: [{said: [姓名]}, {said: [电话]}, {said: [地址]}]}")
    assert starts(two, ["agent 1 姓名"]) == []
    assert found_at(two, ["agent 1-2 姓名", "agent 5-6 地址", "agent 8-9 电话"]) == [6.0]


def test_nested_logic() -> None:
    """all in any in all."""
    when = """all:
    - any: [{all: [{said: [甲方]}, {said: [乙方], within_s: 5}]}, {said: [丙方]}]
    - {not: {said: [丁方]}, within_s: 10}"""
    assert starts(rule(when), ["agent 1-2 甲方", "agent 4-5 乙方", "end 30"]) == [1.0]
    assert starts(rule(when), ["agent 1-2 甲方", "agent 4-5 乙方", "agent 9-10 丁方", "end 30"]) == []
    assert starts(rule(when), ["agent 1-2 丙方", "end 30"]) == [1.0]


def test_facts_about_the_call_do_not_become_the_anchor() -> None:
    """attribute first, and the distance still counts from the words."""
    when = """all: [{attribute: 'scenario == "sales"'}, {said: [包过]}, {not: {said: [审批为准]}, within_s: 20}]"""
    assert starts(rule(when), ["agent 12 包过", "end 60"], scenario="sales") == [12.0]
    assert starts(rule(when), ["agent 12 包过", "end 60"], scenario="service") == []


def test_measurements_combine_with_words() -> None:
    """A silence after a word."""
    when = "all: [{said: [稍等]}, {silence: {of: line, at_least_s: 5}, within_s: 3}]"
    assert starts(rule(when), ["agent 1-2 请稍等", "agent 10-11 久等了"]) == [1.333]
    assert starts(rule(when), ["agent 1-2 您好", "agent 10-11 请稍等"]) == []


def test_an_absence_of_silence_waits_for_its_length() -> None:
    """A silence that begins in the window is known only when it is long enough."""
    when = "all: [{said: [稍等]}, {not: {silence: {of: line, at_least_s: 8}}, within_s: 5}]"
    assert starts(rule(when), ["agent 1-2 请稍等", "agent 12-13 久等了", "end 40"]) == []
    assert starts(rule(when), ["agent 1-2 请稍等", "agent 4-5 久等了", "customer 6-12 好的", "end 18"]) == [1.333]


def test_scope() -> None:
    """Scenario, queue, team, direction, time of effect; what a call does not say excludes nothing."""
    scoped = rule("{said: [您好]}", "scope: {scenario: [sales], queue: vip, team: [a, b], direction: outbound}")
    beside = {"scenario": "sales", "queue": "vip", "team": "b", "direction": "outbound"}
    assert starts(scoped, ["agent 1 您好"], **beside) == [1.0]
    assert starts(scoped, ["agent 1 您好"]) == [1.0]
    for key, value in (("scenario", "x"), ("queue", "x"), ("team", "x"), ("direction", "inbound")):
        assert starts(scoped, ["agent 1 您好"], **{**beside, key: value}) == [], key
    for effect, hit in (("from: 2027-01-01", 0), ("until: 2027-01-01", 1), ("from: 2026-01-05, until: 2026-01-06", 1)):
        timed = rule("{said: [您好]}", f"scope: {{{effect}}}")
        assert len(starts(timed, ["agent 1 您好"])) == hit, effect


def test_role_of_the_scope_is_the_default() -> None:
    """A condition may name another one, or any."""
    text = "scope: {role: agent}"
    assert starts(rule("{said: [您好]}", text), ["customer 1 您好"]) == []
    assert starts(rule("{said: [您好], role: customer}", text), ["customer 1 您好"]) == [1.0]
    assert starts(rule("{said: [您好], role: any}", text), ["customer 1 您好"]) == [1.0]


def test_a_provisional_anchor_stays_provisional_until_its_utterance() -> None:
    """all of two partials; one is taken back."""
    records = call(["agent 1-2 甲方", "agent 4-6 丙方"])
    records.insert(3, partial("example", 1, 4000, 5500, "乙方"))
    records.sort(key=lambda r: getattr(r, "end_ms", getattr(r, "call_ms", 0)))
    outputs = [o for o in replay(rule(BOTH), records) if isinstance(o, Violation)]
    assert [o.state for o in outputs] == ["provisional", "retracted"]


def test_violations_carry_rule_call_and_proof() -> None:
    """Everything that a downstream system needs."""
    one = book("""
id: guaranteed
name: 承诺下款
severity: high
points: -15
scope: {role: agent}
when: {said: [包过]}
explain: 坐席承诺
""")
    (violation,) = found(one, ["agent 12.0-13.0 包过"], scenario="sales", team="t1")
    assert violation.rule_name == "承诺下款"
    assert (violation.severity, violation.points, violation.fatal, violation.role) == ("high", -15, False, "agent")
    assert (violation.scenario, violation.team_id, violation.agent_id) == ("sales", "t1", "example-agent")
    assert violation.explanation == "坐席承诺"
    assert (violation.ruleset, violation.ruleset_version) == (one.name, one.version)
    assert violation.detected_at_ms == 0


def test_audio_time_of_an_absence_is_its_deadline() -> None:
    """Latency counts from the moment at which it could be known."""
    (violation,) = found(rule(PROMISE), ["agent 12.0-12.5 包过", "end 60"])
    assert violation.audio_at_ms - 1_767_578_400_000 == 32_500
