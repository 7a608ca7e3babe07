"""Why a rule did or did not hit, condition by condition."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from processors.inspect.book import compile_book
from processors.inspect.condition_text import worded
from processors.inspect.examples import timeline
from processors.inspect.explain import Explanation, Told, explain, lines
from processors.inspect.language import parse
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.records import CallEnded, CallStarted
from processors.runtime.errors import UserError
from tests.inspect.rules import book, call, rule


def told(when: str, says: Sequence[str], rest: str = "", **beside: str) -> Explanation:
    return explain(rule(when, rest), call(says, **beside), "r")


def tree(explanation: Explanation) -> Told:
    assert explanation.when is not None
    return explanation.when


def reasons(one: Told) -> list[str]:
    return [reason for place in one.places for reason in place.why_not]


PROMISE = """
  all:
    - said: [保证下款]
    - not:
        said: [以审批为准]
      within_s: 20
"""


def test_a_hit_is_told_with_its_quote_and_the_span_of_the_absence() -> None:
    made = told(PROMISE, ["agent 12.0 我们保证下款", "end 60"])
    first, second = tree(made).of
    assert made.hit and made.reason == "hit 1 time, at 0:12.5"
    assert [(one.start_ms, one.quote, one.role, one.counts) for one in first.places] == [
        (12_500, "保证下款", "agent", True)
    ]
    assert second.holds and second.reason == "missing 0:00.0 to 0:33.5"


def test_what_stands_in_the_way_of_an_absence_is_quoted() -> None:
    made = told(PROMISE, ["agent 12.0 我们保证下款", "agent 18.0 最终以审批为准", "end 60"])
    second = tree(made).of[1]
    assert not made.hit and second.holds is False and second.reason == "it is there, so it is not missing"
    assert [one.quote for one in second.places] == ["以审批为准"]


def test_the_same_words_too_far_away_are_not_in_the_way() -> None:
    made = told(PROMISE, ["agent 12.0 我们保证下款", "agent 50.0 最终以审批为准", "end 60"])
    second = tree(made).of[1]
    assert made.hit and second.holds and second.reason.startswith("missing")
    assert [one.quote for one in second.of[0].places] == ["以审批为准"]


def test_a_condition_that_nobody_asked_is_marked_and_tells_its_places() -> None:
    made = told("\n  all:\n    - said: [保证下款]\n    - said: [包过]\n      within_s: 20\n", ["agent 5 包过", "end 9"])
    missing, other = tree(made).of
    assert (missing.holds, missing.reason) == (False, "not found in the call")
    assert other.holds is None and [one.quote for one in other.places] == ["包过"]


@pytest.mark.parametrize(
    ("when", "says", "reason"),
    [
        ("\n  said: [您好]\n  first_s: 10\n", ["agent 12 您好"], "not within the first 10 s"),
        ("\n  said: [您好]\n  last_s: 10\n", ["agent 2 您好", "end 60"], "not within the last 10 s"),
        ("\n  said: [下款]\n  after: {said: [审批]}\n", ["agent 2 下款", "agent 9 审批"], "not after 0:09.0"),
        ("\n  said: [下款]\n  after: {said: [审批]}\n", ["agent 2 下款"], "what it must come after is not there"),
        ("\n  said: [下款]\n  before: {said: [审批]}\n", ["agent 9 审批", "agent 12 下款"], "not before 0:09.0"),
        (
            "\n  said: [下款]\n  after: {said: [审批]}\n  within_s: 5\n", ["agent 2 审批", "agent 12 下款"],
            "9.5 s from 0:02.0, not within 5 s",
        ),
        (
            "\n  all:\n    - said: [审批]\n    - {said: [下款], within_turns: 1}\n",
            ["agent 2 审批", "customer 5 好", "agent 7 行", "customer 9 下款"],
            "3 turns away, not within 1 turns",
        ),
    ],
)  # fmt: skip
def test_the_window_that_turns_a_hit_away_is_named(when: str, says: Sequence[str], reason: str) -> None:
    made = told(when, says)
    found = [tree(made), *tree(made).of]
    assert not made.hit and reason in [each for one in found for each in reasons(one)]


def test_measurements_are_told_with_their_value() -> None:
    made = told("silence: {of: line, at_least_s: 8}", ["agent 0 您好", "agent 20 喂", "end 24"])
    assert [one.value for one in tree(made).places] == [8]
    assert lines(made)[-1].endswith("• 0:00.5 to 0:08.5  value 8")


@pytest.mark.parametrize(
    ("scope", "beside", "reason"),
    [
        ("scope: {scenario: [collection]}", {"scenario": "loan-sales"}, "collection, the call has 'loan-sales'"),
        ("scope: {team: a}", {"team": "b"}, "for the team a"),
        ("scope: {direction: inbound}", {"direction": "outbound"}, "for the direction inbound"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_apply_says_so(scope: str, beside: dict[str, str], reason: str) -> None:
    made = told("said: [您好]", ["agent 1 您好"], scope, **beside)
    assert not made.hit and made.when is None and reason in made.reason


def test_a_rule_before_its_time_says_so() -> None:
    records = call(["agent 1 您好"])
    judge = rule("said: [您好]", "scope: {from: 2030-01-01}")
    assert "before the rule took effect" in explain(judge, records, "r").reason


def test_a_call_that_goes_on_is_told_as_far_as_it_is_known() -> None:
    records = [one for one in call(["agent 1 您好", "end 30"]) if not isinstance(one, CallEnded)][:4]
    made = explain(rule("\n  not:\n    said: [再见]\n  first_s: 20\n"), records, "r")
    assert not made.hit and not made.ended
    assert tree(made).reason == "it is not known for good: its time had not passed when the records end"
    assert "(the end of the call is not stored)" in "\n".join(lines(made))


def test_another_rule_is_told_as_a_condition() -> None:
    rules = book("id: a\nwhen: {said: [您好]}\n---\nid: b\nwhen:\n  all:\n    - rule: {hit: a}\n    - said: [再见]\n")
    made = explain(rules, call(["agent 1 您好", "agent 5 再见"]), "b")
    assert made.hit and [one.condition for one in tree(made).of] == ["rule: hit a", "said: any [再见]"]


def test_an_unknown_rule_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"no rule 'promis'.*promise"):
        explain(book("id: promise\nwhen: {said: [您好]}\n"), call(["agent 1 您好"]), "promis")


def test_a_call_without_its_beginning_is_refused() -> None:
    records = [one for one in call(["agent 1 您好"]) if not isinstance(one, CallStarted)]
    with pytest.raises(UserError, match="beginning of the call"):
        explain(rule("said: [您好]"), records, "r")


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ("said: {all: [a1, b2], on: final}", "said: all [a1, b2]; on final"),
        ("said: {at_least: 2, of: [a1, b2, c3]}", "said: at_least 2 [a1, b2, c3]"),
        ("said: {none: [a1]}", "said: none [a1]"),
        ("said: {any: [a1], homophones: false}", "said: any [a1]; only as written"),
        ("said: {any: [a1], except: [b2], homophones: [n/l]}", "said: any [a1]; except [b2]; homophones [n/l]"),
        ("\n  said: [a1]\n  first_s: [9.5, 30]\n", "said: any [a1] (first_s: [9.5, 30])"),
        ("\n  said: [a1]\n  last_s: [10, 60]\n", "said: any [a1] (last_s: [60, 10])"),
        ("\n  said: [a1]\n  role: agent\n  first_s: 9.5\n", "said: any [a1] (role: agent, first_s: 9.5)"),
        ("response_time: {of: agent, more_than_s: 5}", "response_time: of agent, more_than_s 5"),
        ("repeated: {times: 3, within_s: 60, like: [a1]}", "repeated 3 times (within_s: 60)"),
        ('attribute: attributes.vip == "1"', 'attribute: expression attributes.vip == "1"'),
    ],
)
def test_conditions_are_told_much_as_they_are_written(when: str, text: str) -> None:
    assert worded(rule(when).rules[0].rule.when) == text


def test_every_example_of_the_shipped_rules_is_explained_as_it_is_judged() -> None:
    shipped = compile_book(parse(read_rule_files(shipped_folder())), "default")
    explained = 0
    for compiled in shipped.rules:
        for example in compiled.rule.examples:
            made = explain(shipped, timeline(example), compiled.rule.rule_id)
            assert made.hit == bool(example.hit), lines(made)
            assert made.when is None or not made.hit or made.when.holds, lines(made)
            explained += 1
    assert explained > 30
