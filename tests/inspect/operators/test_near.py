"""`near`: words close to each other, in characters, seconds or turns."""

from __future__ import annotations

import pytest

from tests.inspect.rules import rule, starts


@pytest.mark.parametrize(
    ("argument", "text", "hit"),
    [
        ("{words: [先交, 保证金], chars: 3}", "先交一笔保证金", True),
        ("{words: [先交, 保证金], chars: 1}", "先交一笔保证金", False),
        ("{words: [先交, 保证金], chars: 2}", "先交一笔保证金", True),
        ("{words: [先交, 保证金], chars: 3}", "保证金要先交", True),
        ("{words: [先交, 保证金], chars: 3, ordered: true}", "保证金要先交", False),
        ("{words: [先交, 保证金], chars: 2}", "先交，一，笔，保证金", True),
        ("{words: [先, 交, 钱], chars: 1}", "先把交了钱", True),
        ("{words: [保证, 保证金], chars: 5}", "保证金", False),
        ("{words: [先交, 保证金], chars: 3, homophones: true}", "先脚一笔保正金", True),
    ],
)
def test_in_one_utterance(argument: str, text: str, hit: bool) -> None:
    """Characters that count between the words; the same characters are not two words."""
    assert bool(starts(rule(f"{{near: {argument}}}"), [f"agent 1 {text}"])) == hit


def test_in_seconds() -> None:
    """From the end of one to the beginning of the other, in either order unless `ordered`."""
    near = rule("{near: {words: [转账, 个人账户], seconds: 10}}")
    assert starts(near, ["agent 1-2 转账", "agent 11-12 个人账户"]) == [1.0]
    assert starts(near, ["agent 1-2 个人账户", "agent 11-12 转账"]) == [1.0]
    assert starts(near, ["agent 1-2 转账", "agent 12-13 个人账户"]) == []
    ordered = rule("{near: {words: [转账, 个人账户], seconds: 10, ordered: true}}")
    assert starts(ordered, ["agent 1-2 个人账户", "agent 5-6 转账"]) == []


def test_in_turns() -> None:
    """A turn is a change of the speaker."""
    near = rule("{near: {words: [投诉, 没用], turns: 1}}")
    assert starts(near, ["customer 1-2 我要投诉", "agent 3-4 没用"]) == [1.5]
    assert starts(near, ["customer 1-2 我要投诉", "agent 3-4 嗯", "customer 5-6 啊", "agent 7-8 没用"]) == []
