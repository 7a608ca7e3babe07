"""`sequence`: in this order, each close to the one before."""

from __future__ import annotations

from tests.inspect.rules import found_at, rule, starts

SEQUENCE = """sequence:
    - {said: [确认], role: agent}
    - {said: [好的], role: customer}
    - {said: [办理], role: agent}
  within_s: 10"""
SAYS = ["agent 1-2 请确认", "customer 5-6 好的", "agent 9-10 马上办理"]


def test_in_order() -> None:
    """The hit begins with the first step."""
    assert starts(rule(SEQUENCE), SAYS) == [1.333]
    assert starts(rule(SEQUENCE), ["customer 1-2 好的", "agent 5-6 请确认", "agent 9-10 马上办理"]) == []


def test_each_step_counts_from_the_one_before() -> None:
    """From the end of one to the beginning of the next, half open."""
    assert starts(rule(SEQUENCE), ["agent 1-2 确认", "customer 11-12 好的", "agent 21-22 办理"]) == [1.0]
    assert starts(rule(SEQUENCE), ["agent 1-2 确认", "customer 12-13 好的", "agent 21-22 办理"]) == []


def test_one_hit_for_each_end() -> None:
    """Two beginnings and one end are one hit, from the nearest beginning."""
    assert starts(rule(SEQUENCE), ["agent 1-2 确认", "agent 3-4 确认", "customer 5-6 好的", "agent 7-8 办理"]) == [3.0]


def test_within_turns() -> None:
    """The distance may be turns."""
    one = rule("sequence: [{said: [甲方]}, {said: [乙方]}]\n  within_turns: 1")
    assert starts(one, ["agent 1-2 甲方", "customer 3-4 乙方"]) == [1.0]
    assert starts(one, ["agent 1-2 甲方", "customer 3-4 嗯", "agent 5-6 乙方"]) == []


def test_a_step_with_a_distance_of_its_own() -> None:
    """It replaces that of the sequence."""
    one = rule("sequence: [{said: [甲方]}, {said: [乙方], within_s: 3}]\n  within_s: 60")
    assert starts(one, ["agent 1-2 甲方", "agent 6-7 乙方"]) == []


def test_nothing_between() -> None:
    """An absence between two steps."""
    one = rule("sequence: [{said: [扣款]}, {not: {said: [授权]}}, {said: [成功]}]")
    assert starts(one, ["agent 1-2 扣款", "agent 5-6 授权", "agent 9-10 成功", "end 20"]) == []
    assert starts(one, ["agent 1-2 扣款", "agent 9-10 成功", "agent 12-13 授权", "end 20"]) == [1.0]


def test_nothing_afterwards() -> None:
    """Not followed by: certain when the time has passed."""
    one = rule("sequence: [{said: [投诉]}, {not: {said: [抱歉]}}]\n  within_s: 10")
    assert found_at(one, ["customer 1-2 投诉", "agent 15-16 抱歉", "end 40"]) == [12.0]
    assert starts(one, ["customer 1-2 投诉", "agent 9-10 抱歉", "end 40"]) == []
