"""`rule`: one rule speaks of another."""

from __future__ import annotations

from processors.inspect.trial import replay
from processors.records import Violation
from tests.inspect.operators.test_said import partial
from tests.inspect.rules import book, call, found

TWO = """
id: both
when:
  all:
    - rule: {hit: rude}
    - said: [投诉]
      role: customer
      within_s: 30
---
id: rude
scope: {role: agent}
when: {said: [神经病]}
---
id: no-greeting-and-rude
when:
  all:
    - rule: {hit: rude}
    - rule: {missed: greeting-given}
---
id: greeting-given
when: {said: [您好], role: agent}
"""


def ids(*says: str) -> list[str]:
    return sorted(violation.rule_id for violation in found(book(TWO), says))


def test_hit() -> None:
    """With windows like any other condition; the order in the file does not matter."""
    assert ids("agent 1 您好", "agent 5-6 神经病", "customer 9-10 我要投诉") == ["both", "greeting-given", "rude"]
    assert ids("agent 1 您好", "agent 5-6 神经病", "customer 50-51 我要投诉") == ["greeting-given", "rude"]


def test_missed() -> None:
    """Certain at the end of the call."""
    assert ids("agent 5 神经病", "end 9") == ["no-greeting-and-rude", "rude"]


def test_a_retracted_hit_takes_back_what_was_built_on_it() -> None:
    """Provisional on provisional."""
    records = call(["customer 1-2 我要投诉", "agent 5-7 什么情况"])
    records.insert(-4, partial("example", 0, 5000, 6500, "神经病"))
    records.sort(key=lambda r: getattr(r, "end_ms", getattr(r, "call_ms", 0)))
    outputs = [o for o in replay(book(TWO), records) if isinstance(o, Violation) and o.rule_id == "both"]
    assert [o.state for o in outputs] == ["provisional", "retracted"]


def test_a_rule_out_of_scope_is_neither_hit_nor_missed() -> None:
    """It does not apply to the call."""
    text = """
id: a
scope: {scenario: [sales]}
when: {said: [您好]}
---
id: b
when: {rule: {missed: a}}
"""
    assert [v.rule_id for v in found(book(text), ["agent 1 嗯"], scenario="sales")] == ["b"]
    assert found(book(text), ["agent 1 嗯"], scenario="service") == []
