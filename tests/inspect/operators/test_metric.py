"""`metric`: figures of the whole call at its end."""

from __future__ import annotations

import pytest

from processors.inspect.language import parse
from tests.inspect.rules import found, found_at, rule, starts

# 100 s: agent 30 s and 120 characters, customer 10 s, a hold of 20 s, 2 s of both, the rest is silence.
SAYS = [
    "agent 0-30 " + "好" * 120,
    "customer 28-38 " + "嗯" * 10,
    "hold 50-70",
    "end 100",
]


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("silence_s", 42),
        ("silence_share", 0.42),
        ("longest_silence_s", 30),
        ("hold_s", 20),
        ("hold_share", 0.2),
        ("overlap_s", 2),
        ("overlap_share", 0.02),
        ("overlaps", 1),
        ("utterances", 2),
        ("talk_s, of: agent", 30),
        ("talk_s, of: customer", 10),
        ("chars_per_min, of: agent", 240),
        ("chars_per_min, of: customer", 60),
    ],
)
def test_figures(figure: str, value: float) -> None:
    """Limits are outside: found below and above the figure, not at it."""
    (violation,) = found(
        rule(f"metric: {{is: {figure}, more_than: {value * 0.9}, less_than: {min(value * 1.1, 1e6)}}}"), SAYS
    )
    assert violation.evidence[0].value == pytest.approx(value)
    assert (violation.start_ms, violation.end_ms, violation.call_ms) == (0, 100_000, 100_000)
    assert starts(rule(f"metric: {{is: {figure}, more_than: {value}}}"), SAYS) == []
    assert starts(rule(f"metric: {{is: {figure}, less_than: {value}}}"), SAYS) == []


def test_judged_at_the_end_of_the_call() -> None:
    assert found_at(rule("metric: {is: hold_s, more_than: 5}"), SAYS) == [100.0]


def test_who_says_nothing_is_not_slow() -> None:
    assert starts(rule("metric: {is: chars_per_min, of: customer, less_than: 100}"), ["agent 1-5 您好", "end 9"]) == []
    assert starts(rule("metric: {is: talk_s, of: customer, less_than: 1}"), ["agent 1-5 您好", "end 9"]) == [0.0]


def test_a_party_without_a_channel_of_its_own_has_no_figure() -> None:
    assert starts(rule("metric: {is: talk_s, of: agent, less_than: 100}"), ["mixed 1-5 您好", "end 9"]) == []


def test_the_party_is_that_of_the_scope_when_none_is_named() -> None:
    assert starts(rule("metric: {is: talk_s, more_than: 25}", "scope: {role: agent}"), SAYS) == [0.0]


@pytest.mark.parametrize(
    ("text", "column", "cause"),
    [
        ("{is: silense_s, more_than: 3}", 21, "did you mean 'silence_s'"),
        ("{is: silence_s}", 16, "needs 'more_than' or 'less_than'"),
        ("{more_than: 3}", 16, "needs 'is'"),
        ("{is: silence_share, more_than: 40}", 16, "between 0 and 1"),
        ("{is: talk_s, more_than: 4}", 16, "needs 'of'"),
        ("{is: silence_s, of: agent, more_than: 4}", 36, "figure of the line"),
        ("{is: hold_s, more_than: 4, less_than: 3}", 54, "nothing is more than"),
        ("{is: hold_s, more_than: -1}", 40, "at least 0"),
    ],
)  # fmt: skip
def test_mistakes(text: str, column: int, cause: str) -> None:
    (problem,) = parse({"a.yaml": f"id: r\nwhen: {{metric: {text}}}\n"}).errors
    assert cause in str(problem)
    assert (problem.line, problem.column) == (2, column)
