"""Expressions over the metadata of the call."""

from __future__ import annotations

import pytest

from processors.inspect.operators.attribute import Attribute
from processors.records import AgentJoined
from tests.inspect.measuring import read, spans, try_read
from tests.inspect.timeline import ended, started, tick

CALL = started(
    attributes={"vip": "1", "amount": "50000", "name": "李四"}, scenario="collection", queue="q-1", direction="outbound"
)


def holds(expression: str, *records: object) -> list[tuple[int, int]]:
    operator: Attribute = read(Attribute, repr(expression) if "'" not in expression else f'"{expression}"')
    return spans(operator, [CALL, *records, tick(1000), ended(2000)])


@pytest.mark.parametrize(
    "expression",
    [
        'attributes.vip == "1" && scenario == "collection"',
        'attributes["name"] == "李四"',
        "double(attributes.amount) > 10000.0",
        "has(attributes.vip) && !has(attributes.blacklist)",
        'queue.startsWith("q-") || direction == "inbound"',
        'scenario in ["collection", "loan-sales"]',
        'scenario.matches("^coll.*")',
        'lane == "live" && language == "zh-CN" && agent_id == "a-1"',
    ],
)
def test_what_is_true_holds_from_the_start(expression: str) -> None:
    assert holds(expression) == [(0, 0)]


@pytest.mark.parametrize(
    "expression",
    [
        'attributes.vip == "0"',
        'attributes.blacklist == "1"',
        "double(attributes.name) > 1.0",
        "attributes.name.contains('张')",
    ],
)
def test_what_is_false_or_cannot_be_said_does_not_hold(expression: str) -> None:
    assert holds(expression) == []


def test_it_holds_from_the_moment_when_another_agent_joins() -> None:
    joined = AgentJoined(call_id="c", call_ms=5000, agent_id="a-2", team_id="t-2")
    assert holds('agent_id == "a-2"', joined) == [(5000, 5000)]


def problem(text: str) -> tuple[int, str]:
    found, (only,) = try_read(Attribute, text)
    assert found is None
    return only.column, only.message + " " + only.hint


@pytest.mark.parametrize(
    ("text", "column", "cause"),
    [
        ("attributes.vip == && x", 19, "not a valid expression"),
        ("scenario == ", 12, "not a valid expression"),
        ("scenrio == collection", 1, "did you mean 'scenario'"),
        ("queue == 'a' && scenrio == 'b'", 17, "did you mean 'scenario'"),
        ("nosuch(scenario)", 1, "no function 'nosuch'"),
        ("matches(scenario, 'x')", 1, "follows its text with a dot"),
        ("attributes.exists(k, k == 'x')", 12, "may not loop"),
        ("true ? 1", 1, "not a valid expression"),
        ("scenario", 1, "must be true or false"),
        ("attributes.vip", 1, "must be true or false"),
        ("attributes.vip == 1", 1, "are texts"),
        ('scenario == "a" && attributes["vip"] == true', 20, "are texts"),
        ("attributes.amount > 1000", 1, "are texts"),
        ("1000 < attributes.amount", 1, "are texts"),
        ("attributes.vip && true", 1, "treats one as a number"),
        ("attributes.amount + 1 == 2", 1, "treats one as a number"),
        ("scenario.matches('(')", 1, "bad regular expression"),
    ],
)
def test_a_mistake_is_reported_at_its_own_column(text: str, column: int, cause: str) -> None:
    at, message = problem(text)
    assert cause in message
    assert at == column


def test_an_expression_is_not_endless() -> None:
    _, problems = try_read(Attribute, "true && " * 80 + "true")
    assert "at most 500" in str(problems[0])
