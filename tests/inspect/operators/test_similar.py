"""`similar`: calibrated nearness of meaning, through the engine and in examples of rules."""

from __future__ import annotations

import pytest

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.examples import timeline
from processors.inspect.language import parse
from processors.inspect.trial import replay, run_examples, standing
from processors.runtime.errors import UserError
from processors.runtime.sentences import sentence_encoder
from tests.inspect.rules import example

SAYS = ["customer 1-3 你好我问一下天气", "customer 5-7 我想提前把这笔贷款结清", "agent 9-11 我要提前结清这笔贷款"]
RULE = """
id: settle
when: {similar: {to: [我要提前结清这笔贷款, 能不能一次性还清]}, role: customer}
examples:
  - {says: ["customer 1 我想提前把这笔贷款结清"], hit: true}
  - {says: ["customer 1 你好我问一下天气"], hit: false}
"""


def book(text: str) -> RuleBook:
    parsed = parse({"a.yaml": text})
    assert not parsed.errors, parsed.errors
    return compile_book(parsed, "test", encoder=sentence_encoder())


def test_a_paraphrase_is_found_with_its_nearness() -> None:
    (violation,) = standing(replay(book(RULE), timeline(example(SAYS), encoder=sentence_encoder())))
    (evidence,) = violation.evidence
    assert (violation.start_ms, evidence.quote, evidence.operator) == (5000, "我想提前把这笔贷款结清", "similar")
    assert evidence.value is not None and 0.6 <= evidence.value <= 1


def test_only_the_sentence_itself_reaches_one() -> None:
    strict = book(RULE.replace("还清]", "还清], at_least: 0.99").replace(", role: customer", ""))
    violations = standing(replay(strict, timeline(example(SAYS), encoder=sentence_encoder())))
    assert [violation.start_ms for violation in violations] == [9000]


def test_an_utterance_without_a_vector_is_never_similar() -> None:
    """Overload, or no encoder where it was transcribed."""
    assert standing(replay(book(RULE), timeline(example(SAYS)))) == []


def test_examples_of_rules_are_measured_like_calls() -> None:
    """Else such a rule could not be proven, and not be published."""
    outcomes = run_examples(book(RULE))
    assert [outcome.message for outcome in outcomes] == ["", ""]
    wrong = run_examples(book(RULE.replace("hit: false", "hit: true")))
    assert [outcome.passed for outcome in wrong] == [True, False]


def test_without_an_encoder_it_does_not_compile() -> None:
    with pytest.raises(UserError, match="TINGJIAN_SENTENCE_ENCODER"):
        compile_book(parse({"a.yaml": RULE}), "test")


@pytest.mark.parametrize("text", ["{}", "{to: []}", "{to: 我}", "{to: [我], at_least: 2}", "{to: [我], atleast: 0.5}"])
def test_what_is_not_similar_is_refused(text: str) -> None:
    assert parse({"a.yaml": f"id: r\nwhen: {{similar: {text}}}\n"}).errors
