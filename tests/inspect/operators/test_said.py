"""`said`: which words count as spoken, and where the proof points."""

from __future__ import annotations

import pytest

from processors.inspect.engine import step
from processors.inspect.trial import replay, standing
from processors.records import Partial, Violation
from tests.inspect.rules import call, found, rule, starts


def hits(when: str, *says: str) -> int:
    """How many violations stand."""
    return len(found(rule(when), says))


@pytest.mark.parametrize(
    ("kind", "text", "hit"),
    [
        ("{any: [保证下款, 包过]}", "我们包过的", True),
        ("[保证下款, 包过]", "我们包过的", True),
        ("{any: [保证下款, 包过]}", "我们不保证", False),
        ("{all: [利率, 浮动]}", "浮动的利率", True),
        ("{all: [利率, 浮动]}", "利率固定", False),
        ("{at_least: 2, of: [姓名, 电话, 地址]}", "您的电话和姓名", True),
        ("{at_least: 2, of: [姓名, 电话, 地址]}", "电话电话", False),
        ("{none: [您, 请]}", "你说吧", True),
        ("{none: [您, 请]}", "您说吧", False),
    ],
)
def test_kinds(kind: str, text: str, hit: bool) -> None:
    """any, all, a number of different ones, none."""
    assert hits(f"{{said: {kind}}}", f"agent 1 {text}") == hit


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("我们保证下款", True),
        ("我们不能保证下款", False),
        ("我们部能保证下款", False),
        ("我们不能保证时间但是保证下款", True),
        ("不能保证下款的是别家我们保证下款", True),
        ("不能保证", False),
    ],
)
def test_words_that_deny_the_phrase_spare_it(text: str, hit: bool) -> None:
    """Only where they overlap it, by sound as well; elsewhere in the utterance the phrase counts."""
    assert hits("{said: {any: [保证下款], except: [不能保证], homophones: true}}", f"agent 1 {text}") == hit


def test_a_phrase_that_is_denied_is_never_provisional() -> None:
    """The words before it are heard first, in partials, too."""
    book = rule("{said: {any: [保证下款], except: [不能保证]}}")
    records = call(["agent 1-4 我们不能保证下款的"])
    shared = {"call_id": "example", "channel": 0, "role": "agent", "utterance_no": 0, "start_ms": 1000}
    heard = [
        Partial(**shared, end_ms=2000 + 300 * n, text=text, at_ms=0)
        for n, text in enumerate(["我们不", "我们不能保证", "我们不能保证下款"])
    ]
    assert not [one for one in replay(book, [records[0], *heard, *records[1:]]) if isinstance(one, Violation)]


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("保证 下款", "我们保证下款"),
        ("保证下款", "我们保证，下款。"),
        ("保证下款", "我们 保证 下 款"),
        ("ＡＰＰ", "打开app"),
        ("'App'", "打开ＡＰＰ"),
        ("'100%通过'", "百分之百通过"),
        ("百分之百通过", "100%通过"),
        ("'3期'", "分三期还"),
        ("'12期'", "分十二期还"),
        ("'12378'", "打幺二三七八"),
        ("十二期", "分12期"),
    ],
)
def test_spelling_does_not_matter(phrase: str, text: str) -> None:
    """Spaces, punctuation, width, case; digits as they are spoken."""
    assert hits(f"{{said: [{phrase}]}}", f"agent 1 {text}") == 1


def test_one_violation_for_an_utterance_with_all_places_as_proof() -> None:
    """Said twice in one utterance is one violation; in two utterances, two."""
    (violation,) = found(rule("{said: [包过]}"), ["agent 1 包过的真的包过"])
    assert [(e.quote, e.char_from, e.char_to) for e in violation.evidence] == [("包过", 0, 2), ("包过", 5, 7)]
    assert hits("{said: [包过]}", "agent 1 包过", "agent 5 包过") == 2


def test_of_overlapping_phrases_the_longer_one_is_the_proof() -> None:
    """百分百通过 contains 通过."""
    (violation,) = found(rule("{said: [通过, 百分百通过]}"), ["agent 1 肯定百分百通过"])
    assert [e.quote for e in violation.evidence] == ["百分百通过"]


def test_proof_points_at_characters_and_their_times() -> None:
    """Punctuation inside the words belongs to the quote."""
    (violation,) = found(rule("{said: [保证下款]}"), ["agent 10.0-13.0 我们，保证。下款吗"])
    (proof,) = violation.evidence
    assert (proof.quote, proof.char_from, proof.char_to) == ("保证。下款", 3, 8)
    assert (proof.start_ms, proof.end_ms) == (11000, 12666)
    assert (violation.start_ms, violation.end_ms) == (proof.start_ms, proof.end_ms)
    assert proof.utterance_id == "example/0/0"


def test_only_the_given_role_counts() -> None:
    """And everybody on a mixed channel."""
    agent = rule("{said: [包过], role: agent}")
    assert starts(agent, ["customer 1 包过"]) == []
    assert starts(agent, ["agent 1 包过"]) == [1.0]
    assert starts(agent, ["mixed 1 包过"]) == [1.0]


@pytest.mark.parametrize(
    ("homophones", "text", "hit"),
    [
        ("true", "我们宝正下宽", True),
        ("false", "我们宝正下宽", False),
        ("true", "我们保证下馆", False),
        ("[n/l]", "他是蓝人", True),
        ("true", "他是蓝人", False),
        ("[zh/z, in/ing]", "你造林了", False),
    ],
)
def test_homophones(homophones: str, text: str, hit: bool) -> None:
    """By toneless syllable when the rule says so; confusion pairs only when they are named."""
    when = f"{{said: {{any: [保证下款, 男人], homophones: {homophones}}}}}"
    assert hits(when, f"agent 1 {text}") == hit


@pytest.mark.parametrize(
    ("phrase", "text"),
    [("还款", "环款"), ("银行", "银航"), ("行长", "航掌"), ("重新", "虫新"), ("还没还", "还没环"), ("调整", "条整")],
)
def test_polyphones(phrase: str, text: str) -> None:
    """A character with several readings matches by each common one."""
    assert hits(f"{{said: {{any: [{phrase}], homophones: true}}}}", f"agent 1 {text}") == 1


def test_each_confusion_pair() -> None:
    """In both directions, and written in either order."""
    for pair, phrase, text in [
        ("zh/z", "支持", "资持"), ("c/ch", "粗心", "出心"), ("s/sh", "四天", "是天"), ("n/l", "牛奶", "流奶"),
        ("ing/in", "银行", "硬行"), ("en/eng", "很好", "横好"), ("h/f", "发票", "哈票"),
    ]:  # fmt: skip
        when = f"{{said: {{any: [{phrase}], homophones: [{pair}]}}}}"
        assert hits(when, f"agent 1 {text}") == 1, pair
        assert hits(f"{{said: {{any: [{phrase}], homophones: true}}}}", f"agent 1 {text}") == 0, pair


def test_a_phrase_goes_on_after_a_short_pause() -> None:
    """The recogniser may close an utterance in the middle of a phrase; the proof then points at both."""
    book = rule("{said: [保证下款]}")
    (violation,) = found(book, ["agent 10-11 我们保证", "customer 10-11.5 嗯", "agent 11.8-13 下款的"])
    assert [(e.utterance_id, e.quote) for e in violation.evidence] == [("example/0/0", "保证"), ("example/0/1", "下款")]
    assert starts(book, ["agent 10-11 我们保证", "agent 14-15 下款的"]) == []
    assert starts(book, ["agent 10-11 我们保证", "customer 11.2-12 下款的"]) == []


def test_a_phrase_is_not_found_again_in_the_utterance_after_it() -> None:
    """The tail of the last utterance has been judged."""
    assert hits("{said: [包过]}", "agent 1-2 我们包过", "agent 2.5-3 真的") == 1


def partial(call_id: str, no: int, start_ms: int, end_ms: int, text: str) -> Partial:
    """A partial of the agent."""
    return Partial(
        call_id=call_id, channel=0, role="agent", utterance_no=no, start_ms=start_ms, end_ms=end_ms, text=text, at_ms=0
    )


def test_a_partial_makes_a_provisional_violation_and_the_utterance_confirms_it() -> None:
    """With the same id; `on: final` waits for the utterance."""
    records = call(["agent 1-3 我们保证下款"])
    records.insert(1, partial("example", 0, 1000, 2500, "我们保证下款"))
    outputs = [v for v in replay(rule("{said: [保证下款]}"), records) if isinstance(v, Violation)]
    assert [v.state for v in outputs] == ["provisional", "confirmed"]
    assert len({v.violation_id for v in outputs}) == 1
    waiting = [v for v in replay(rule("{said: {any: [保证下款], on: final}}"), records) if isinstance(v, Violation)]
    assert [v.state for v in waiting] == ["confirmed"]


def test_a_partial_that_changes_retracts() -> None:
    """By the next partial, by the utterance, or by the end of the call."""
    book = rule("{said: [保证下款]}")
    seen = partial("example", 0, 1000, 2500, "保证下款")
    other = partial("example", 0, 1000, 2700, "保证下快")
    for rest in ([other], [], []):
        records = call(["agent 1-3 保证下快"])
        records[1:1] = [seen, *rest]
        outputs = [v for v in replay(book, records) if isinstance(v, Violation)]
        assert [v.state for v in outputs] == ["provisional", "retracted"]
    records = call(["customer 1 你好"])
    records.insert(1, seen)
    outputs = [v for v in replay(book, records) if isinstance(v, Violation)]
    assert [v.state for v in outputs] == ["provisional", "retracted"]
    assert not standing(outputs)


def test_a_partial_after_its_utterance_changes_nothing() -> None:
    """It came too late."""
    book, records = rule("{said: [保证下款]}"), call(["agent 1-3 你好"])
    state = None
    for position, record in enumerate(records[:-1]):
        state, _ = step(book, state, record, position)
    after, outputs = step(book, state, partial("example", 0, 1000, 2500, "保证下款"), 99)
    assert outputs == []
    assert after is not None and after.hits == {}
