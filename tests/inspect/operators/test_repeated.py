"""`repeated`: the same again and again."""

from __future__ import annotations

from tests.inspect.rules import rule, starts

LIKE = "{repeated: {times: 3, within_s: 60, like: [什么时候还, 还不还]}, role: agent}"


def test_three_times() -> None:
    """In three utterances, of any of the phrases; the hit begins with the first."""
    assert starts(rule(LIKE), ["agent 5 什么时候还", "agent 12 还不还", "agent 20 什么时候还"]) == [5.0]
    assert starts(rule(LIKE), ["agent 5 什么时候还", "agent 12 还不还"]) == []


def test_twice_in_one_utterance_is_once() -> None:
    """Utterances count, not words."""
    assert starts(rule(LIKE), ["agent 5 什么时候还还不还什么时候还", "agent 12 还不还"]) == []


def test_within_the_time() -> None:
    """Of the latest three."""
    says = ["agent 5-6 什么时候还", "agent 50-51 还不还", "agent 90-91 还不还"]
    assert starts(rule(LIKE), says) == []
    assert starts(rule(LIKE), [*says, "agent 100-101 还不还"]) == [50.0]


def test_counting_begins_anew() -> None:
    """Six times are two hits."""
    assert starts(rule(LIKE), [f"agent {second} 还不还" for second in (1, 3, 5, 7, 9, 11)]) == [1.0, 7.0]


def test_by_similarity() -> None:
    """Nearly the same sentence, by the same speaker."""
    again = rule("{repeated: {times: 3, within_s: 60, similarity: 0.75}}")
    says = ["customer 1 我的账单为什么不对", "customer 9 我的账单为啥不对", "customer 20 我的账单为什么不对啊"]
    assert starts(again, says) == [1.0]
    assert starts(again, [says[0], says[1].replace("customer", "agent"), says[2]]) == []
    assert starts(again, ["customer 1 嗯嗯", "customer 5 嗯嗯", "customer 9 嗯嗯"]) == []
