"""Process inspection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.engine import dump_state, load_state, step
from processors.inspect.flow import Flow, Mark, Walk, walk
from processors.inspect.language import parse
from processors.records import FlowProgress, Scorecard, Violation
from tests.inspect.timeline import ended, heard, said, started, tick

FLOW = """
flow: sale
name: 销售
scope: {role: agent}
severity: high
steps:
  - {id: greet, when: {said: [您好]}, first_s: 10, points: -3}
  - {id: rate, when: {said: [年化利率]}, within_s: 30, points: -5, fatal: true}
  - {id: thanks, when: {said: [再见]}, points: 2}
examples:
  - {says: ["agent 1 您好"], done: [greet], missed: [rate, thanks]}
"""


def book(text: str = FLOW) -> RuleBook:
    parsed = parse({"flow.yaml": text})
    assert not parsed.problems, parsed.problems
    return compile_book(parsed, "test")


def run(records: list[Any], text: str = FLOW) -> list[Any]:
    """All outputs; the state is written and read between each two records."""
    compiled, state, out = book(text), None, []
    for position, record in enumerate(records):
        state, more = step(compiled, state, record, position)
        state = load_state(dump_state(state)) if state is not None else None
        out += more
    return out


def states(outputs: list[Any]) -> dict[str, str]:
    last = [one for one in outputs if isinstance(one, FlowProgress)][-1]
    return {one.step_id: one.state for one in last.steps}


def missed(outputs: list[Any]) -> list[tuple[str, int, int]]:
    return [(one.rule_id, one.start_ms, one.end_ms) for one in outputs if isinstance(one, Violation)]


def test_a_call_begins_with_its_first_step_due_and_its_deadline() -> None:
    (progress,) = run([started()])
    assert progress.current == "greet" and not progress.done
    assert [(one.state, one.due_ms) for one in progress.steps] == [
        ("due", 10_000),
        ("waiting", None),
        ("waiting", None),
    ]


def test_steps_that_are_taken_in_order_are_done() -> None:
    lines = [said(0, 1000, 2000, "您好"), said(0, 5000, 8000, "年化利率是百分之十"), said(0, 20_000, 21_000, "再见")]
    out = run([started(), *lines, ended(22_000)])
    assert states(out) == {"greet": "done", "rate": "done", "thanks": "done"}
    assert missed(out) == []
    assert [one for one in out if isinstance(one, FlowProgress)][-1].done


@pytest.mark.parametrize(("start_ms", "found"), [(10_000, []), (10_001, [("sale/greet", 0, 10_000)])])
def test_a_deadline_is_kept_up_to_its_last_millisecond(start_ms: int, found: list[tuple[str, int, int]]) -> None:
    """The greeting is one token long, so its hit begins where the utterance does."""
    out = run([started(), said(0, start_ms, 11_000, "您好"), tick(12_000)])
    assert missed(out) == found


def test_a_step_is_missed_while_the_call_goes_on_as_soon_as_its_deadline_has_passed_for_good() -> None:
    ticks = [tick(second * 1000) for second in range(1, 20)]
    compiled, state = book(), None
    for position, record in enumerate([started(), *ticks]):
        state, out = step(compiled, state, record, position)
        if missed(out):
            assert record.call_ms == 11_000  # type: ignore[union-attr]
            return
    raise AssertionError("not found")


def test_a_step_that_may_still_be_transcribed_is_not_missed() -> None:
    out = run([started(), tick(20_000, 9000, 20_000), said(0, 9000, 20_500, "您好"), tick(21_000)])
    assert missed(out) == []


def test_a_step_that_is_overtaken_is_missed_before_its_deadline() -> None:
    lines = [said(0, 1000, 2000, "您好"), said(0, 4000, 5000, "再见")]
    out = run([started(), *lines, tick(6000)])
    assert missed(out) == [("sale/rate", 1000, 4000)]
    assert states(out)["thanks"] == "done"


def test_two_steps_in_one_utterance_may_come_in_any_order() -> None:
    out = run([started(), said(0, 1000, 4000, "年化利率是百分之十您好"), ended(9000)])
    assert [name for name, _, _ in missed(out)] == ["sale/thanks"]


def test_a_missed_step_says_what_and_costs_its_points() -> None:
    out = run([started(team_id="t"), said(0, 1000, 2000, "您好"), said(0, 4000, 5000, "再见"), ended(6000)])
    (violation,) = [one for one in out if isinstance(one, Violation)]
    assert (violation.points, violation.fatal, violation.severity, violation.state) == (-5, True, "high", "confirmed")
    assert "rate" in violation.explanation and violation.rule_name == "销售：rate"
    card = [one for one in out if isinstance(one, Scorecard)][-1]
    assert card.points == -5 + 2 and card.fatal
    assert {item.item_id: item.violation_ids for item in card.items}["sale/rate"] == (violation.violation_id,)


def test_the_end_of_the_call_misses_what_is_left() -> None:
    out = run([started(), said(0, 1000, 2000, "您好"), ended(5000)])
    assert [name for name, _, _ in missed(out)] == ["sale/rate", "sale/thanks"]
    assert [end for _, _, end in missed(out)] == [5000, 5000]


def test_a_partial_takes_a_step_and_its_utterance_takes_it_back() -> None:
    out = run([started(), heard(0, 1000, 1800, "您好")])
    assert states(out)["greet"] == "done"
    out = run([started(), heard(0, 1000, 1800, "您好"), said(0, 1000, 2000, "你后", no=1000)])
    assert states(out)["greet"] == "due"
    assert missed(out) == []


BRANCHES = """
flow: check
name: 核实
scope: {role: agent}
steps:
  - {id: ask, when: {said: [本人]}, within_s: 10}
  - id: answer
    within_s: 20
    branches:
      - {when: {role: customer, said: [不是]}, go: sorry}
      - {when: {role: customer, said: [是的]}, go: tell}
      - {go: end}
  - {id: sorry, when: {said: [抱歉]}, next: end}
  - {id: tell, when: {said: [欠款]}, skip: {role: customer, said: [还了]}, within_s: 30}
examples:
  - {says: ["agent 1 您是本人吗", "customer 3 是的", "agent 5 您有欠款"], done: [tell], missed: []}
"""


@pytest.mark.parametrize(
    ("answer", "then", "wanted"),
    [
        ("不是", "抱歉", {"answer": "done", "sorry": "done", "tell": "skipped"}),
        ("是的", "您有欠款", {"answer": "done", "sorry": "skipped", "tell": "done"}),
        ("什么", "您有欠款", {"answer": "done", "sorry": "skipped", "tell": "skipped"}),
    ],
)
def test_the_answer_chooses_the_branch(answer: str, then: str, wanted: dict[str, str]) -> None:
    lines = [said(0, 1000, 2000, "您是本人吗"), said(1, 3000, 4000, answer), said(0, 5000, 6000, then)]
    out = run([started(), *lines, ended(40_000)], BRANCHES)
    assert states(out) == {"ask": "done", **wanted}
    assert missed(out) == []


def test_a_skip_condition_makes_a_step_needless() -> None:
    lines = [said(0, 1000, 2000, "您是本人吗"), said(1, 3000, 4000, "是的"), said(1, 5000, 6000, "我还了")]
    assert states(run([started(), *lines, ended(60_000)], BRANCHES))["tell"] == "skipped"


MORE = """
flow: more
name: 更多
ordered: false
steps:
  - {id: a, when: {said: [甲]}, first_s: 10, on_missed: c}
  - {id: b, when: {said: [乙]}, optional: true}
  - {id: c, when: {said: [丙]}, skip_when_missed: [a]}
  - {id: d, when: {said: [丁]}}
examples:
  - {says: ["agent 1 丁", "agent 3 丙", "agent 5 甲"], done: [a, c, d], missed: []}
"""


def test_without_an_order_steps_may_be_taken_at_any_time() -> None:
    lines = [said(0, 1000, 2000, "丁"), said(0, 3000, 4000, "丙"), said(0, 5000, 6000, "甲")]
    out = run([started(), *lines, ended(20_000)], MORE)
    assert states(out) == {"a": "done", "b": "skipped", "c": "done", "d": "done"}
    assert missed(out) == []


def test_a_missed_step_may_lead_elsewhere_and_make_others_needless() -> None:
    out = run([started(), tick(12_000), said(0, 13_000, 14_000, "丁"), ended(20_000)], MORE)
    assert states(out) == {"a": "missed", "b": "skipped", "c": "skipped", "d": "done"}


def test_calls_outside_the_scope_and_the_expression_have_no_flow() -> None:
    text = FLOW.replace("scope: {role: agent}", 'scope: {role: agent, scenario: [sale]}\napplies: attributes.x == "1"')
    text = text.replace('{says: ["agent 1 您好"]', '{scenario: sale, attributes: {x: "1"}, says: ["agent 1 您好"]')
    assert run([started(scenario="sale", attributes={"x": "1"})], text)
    assert not run([started(scenario="sale")], text)
    assert not run([started(scenario="other", attributes={"x": "1"})], text)


def test_walking_twice_is_walking_once() -> None:
    flow: Flow = book().flows[0]
    marks: dict[str, tuple[Mark, ...]] = {"greet": ((1000, 1500, 0, 1000),), "thanks": ((9000, 9500, 0, 9000),)}

    def shown(walked: Walk) -> str:
        return json.dumps([one.to_avro() for one in walked.steps.values()])

    assert shown(walk(flow, marks, 50_000, False)) == shown(walk(flow, dict(reversed(marks.items())), 50_000, False))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("points: 2}", "points: 2, next: gret}", "did you mean 'greet'"),
        ("points: 2}", "points: 2, next: greet}", "lead back to each other"),
        ("{id: rate,", "{id: greet,", "stands twice"),
        ("{id: rate,", "{id: end,", "can be called 'end'"),
        ("when: {said: [再见]}", "within_s: 3", "either 'when' or 'branches'"),
        ("when: {said: [再见]}", "when: {sad: [再见]}", "no operator or modifier 'sad'"),
        ("points: 2}", "points: -2, optional: true}", "an optional step is never missed"),
        ("within_s: 30", "within_s: long", "must be a number"),
        ("severity: high", "severity: hi", "did you mean 'high'"),
        ("steps:", "step:", "did you mean 'steps'"),
        ("missed: [rate,", "missed: [rat,", "did you mean 'rate'"),
        ("points: 2}", "points: 2, skip_when_missed: [thanks]}", "no step 'thanks' before this one"),
        ("scope: {role: agent}", "applies: attribute.x == '1'", "did you mean 'attributes'"),
        ("points: 2}", "points: 2, branches: [{go: end}, {go: greet}]}", "either 'when' or 'branches'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, message: str) -> None:
    parsed = parse({"flow.yaml": FLOW.replace(old, new, 1)})
    assert any(message in str(problem) and problem.line > 1 for problem in parsed.errors), parsed.problems


def test_a_flow_without_examples_is_warned_about() -> None:
    (problem,) = parse({"flow.yaml": FLOW.partition("examples:")[0]}).problems
    assert problem.warning and "no examples" in problem.message


def test_a_scheme_counts_missed_steps_and_the_points_of_done_ones() -> None:
    """A step that was done is no hit, so it neither fails a call nor makes an item applicable."""
    scheme = """
scheme: sales
items:
  - {id: thanks, rules: [sale/thanks], fatal: true, points: -50}
  - {id: greet, rules: [sale/greet], points: -8}
  - {id: later, rules: [sale/rate], only_after: [sale/thanks], points: -20}
"""
    records = [started(), said(0, 1000, 2000, "年化利率"), said(0, 3000, 4000, "再见"), tick(20_000), ended(21_000)]
    card = [one for one in run(records, FLOW + "---\n" + scheme) if isinstance(one, Scorecard)][-1]
    lines = {item.item_id: (item.points, item.hits, item.applicable) for item in card.items}
    assert lines == {"thanks": (2, 0, True), "greet": (-8, 1, True), "later": (0, 0, False)}
    assert (card.points, card.fatal) == (94, False)
    assert [len(item.violation_ids) for item in card.items] == [0, 1, 0]
