"""`intent`: what an utterance wants, by measured scores."""

from __future__ import annotations

import pytest

from processors.inspect.language import parse
from processors.inspect.operators.intent import known_intents
from tests.inspect.rules import found, found_at, rule, starts

SAYS = [
    "customer 1-2 {intents: {complaint: 0.9, cancel_service: 0.2}} 我要投诉你们",
    "customer 5-6 {intents: {complaint: 0.59}} 你们这样不好",
    "customer 9-10 {intents: {cancel_service: 0.6}} 我不办了",
    "customer 13-14 我没有被测量",
]


def test_the_threshold_itself_is_reached() -> None:
    """0.6 by default; an utterance that was not measured is no hit."""
    assert starts(rule("intent: {is: complaint}"), SAYS) == [1.0]
    assert starts(rule("intent: {is: [complaint, cancel_service]}"), SAYS) == [1.0, 9.0]
    assert starts(rule("intent: {is: complaint, at_least: 0.5}"), SAYS) == [1.0, 5.0]
    assert starts(rule("intent: {is: complaint, at_least: 0.95}"), SAYS) == []


def test_the_best_score_and_the_whole_utterance_are_the_proof() -> None:
    violation, _ = found(rule("intent: {is: [cancel_service, complaint]}"), SAYS)
    (evidence,) = violation.evidence
    assert (evidence.operator, evidence.quote, evidence.value) == ("intent", "我要投诉你们", 0.9)
    assert (evidence.char_from, evidence.char_to, evidence.utterance_id) == (0, 6, "example/1/0")


def test_roles_and_windows_apply() -> None:
    assert starts(rule("intent: {is: complaint}\n  role: agent"), SAYS) == []
    after = "intent: {{is: cancel_service}}\n  after: {{intent: {{is: complaint}}}}\n  within_s: {}"
    assert found_at(rule(after.format(8)), SAYS) == [10.0]
    assert found_at(rule(after.format(7)), SAYS) == []


def test_the_shipped_intents_are_the_names() -> None:
    """At least twelve of consumer finance; another name is refused with the nearest."""
    assert len(known_intents()) >= 12
    (problem,) = parse({"a.yaml": "id: r\nwhen: {intent: {is: complaintt}}\n"}).errors
    assert (problem.line, problem.hint) == (2, "did you mean 'complaint'?")


@pytest.mark.parametrize(
    "text", ["{}", "{is: []}", "{is: complaint, at_least: 0}", "{is: complaint, at_least: 1.1}", "complaint"]
)
def test_what_is_no_intent_is_refused(text: str) -> None:
    assert parse({"a.yaml": f"id: r\nwhen: {{intent: {text}}}\n"}).errors
