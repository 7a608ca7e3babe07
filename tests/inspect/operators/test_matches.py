"""`matches`: regular expressions over the spoken and the written form."""

from __future__ import annotations

from dataclasses import replace

from processors.inspect.trial import replay
from processors.records import Utterance, Violation
from tests.inspect.rules import book, call, found, rule, starts


def test_finds_an_expression_with_its_place() -> None:
    """Every place is proof."""
    (violation,) = found(rule("{matches: '(保证|肯定).{0,3}(下款|放款)'}"), ["agent 1 我们保证能下款肯定放款"])
    assert [(e.quote, e.char_from) for e in violation.evidence] == [("保证能下款", 2), ("肯定放款", 7)]


def test_many_expressions_in_one_pass() -> None:
    """Each rule gets its own hits."""
    text = "\n---\n".join(f"id: r{i}\nwhen: {{matches: '第{i}[期次]'}}" for i in range(50))
    violations = found(book(text), ["agent 1 第3期和第17次", "agent 9 第49期"])
    assert sorted(v.rule_id for v in violations) == ["r17", "r3", "r49"]


def test_excludes() -> None:
    """`without` takes the hit back."""
    one = rule("{matches: {regex: '信用', without: '信用卡'}}")
    assert starts(one, ["agent 1 您的信用很好"]) == [1.5]
    assert starts(one, ["agent 1 您的信用卡"]) == []


def test_written_form_points_at_the_spoken_characters() -> None:
    """The proof is what was said, not how it is written."""
    records = [
        replace(record, written="年利率36%起") if isinstance(record, Utterance) else record
        for record in call(["agent 1 年利率百分之三十六起"])
    ]
    (violation,) = [
        o for o in replay(rule("{matches: {regex: '[0-9]+%', written: true}}"), records) if isinstance(o, Violation)
    ]
    assert [e.quote for e in violation.evidence] == ["百分之三十六"]


def test_an_expression_across_a_short_pause() -> None:
    """As for phrases."""
    assert starts(rule("{matches: '保证下款'}"), ["agent 1-2 保证", "agent 2.5-3 下款"]) == [1.0]
