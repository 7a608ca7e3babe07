"""Voiceprint checks."""

from __future__ import annotations

import pytest

from processors.inspect.operators.speaker import Speaker
from processors.records import Role, SpeakerCheck
from tests.inspect.measuring import hits, read, spans, try_read
from tests.inspect.timeline import started


def speaker(text: str = "{mismatch: agent}") -> Speaker:
    found: Speaker = read(Speaker, text)
    return found


def check(call_ms: int, matched: bool, role: Role = "agent") -> SpeakerCheck:
    return SpeakerCheck(
        call_id="c", channel=0, role=role, call_ms=call_ms, agent_id="a-1", score=0.4, threshold=0.7, matched=matched
    )


def test_a_failed_check_is_found_once_until_one_passes() -> None:
    checks = [check(n * 1000, matched) for n, matched in enumerate((True, False, False, True, False))]
    assert spans(speaker(), [started(), *checks]) == [(1000, 1000), (4000, 4000)]


def test_two_failures_in_a_row() -> None:
    checks = [check(n * 1000, matched) for n, matched in enumerate((False, True, False, False, False))]
    assert spans(speaker("{mismatch: agent, times: 2}"), [started(), *checks]) == [(2000, 3000)]


def test_a_check_of_the_other_party_is_not_his() -> None:
    assert spans(speaker(), [started(), check(0, False, "customer")]) == []


def test_the_value_is_the_score() -> None:
    assert hits(speaker(), [started(), check(0, False)])[0].value == 0.4


@pytest.mark.parametrize(("text", "message"), [("{}", "needs 'mismatch'"), ("{mismatch: x}", "can not be 'x'")])
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert any(message in str(problem) for problem in try_read(Speaker, text)[1])
