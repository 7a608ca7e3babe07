"""Phrases are found as a speech model mishears them, as long as what was heard leaves room for it."""

from __future__ import annotations

import pytest

from processors.inspect.mishearing import MOST, Heard, Likeness, doubt, evidence, instead, unlikeness
from processors.inspect.phrases import PhraseIndex, Wanted
from processors.inspect.sounds import SOUNDS, phrase_readings
from processors.inspect.spoken import Spoken
from processors.records import Partial, Token, Utterance


def heard(text: str, confidence: float = 0.95, alternatives: dict[int, str] | None = None) -> Utterance:
    """An utterance whose characters are all this sure."""
    tokens = tuple(
        Token(text=one, start_ms=i, end_ms=i + 1, confidence=confidence, alternatives=(alternatives or {}).get(i, ""))
        for i, one in enumerate(text)
    )
    return Utterance(
        utterance_id="c/0/0", call_id="c", channel=0, role="agent", utterance_no=0, start_ms=0, end_ms=len(text),
        text=text, written=text, tokens=tokens, confidence=confidence, at_ms=0,
    )  # fmt: skip


def finds(phrase: str, record: Utterance | Partial, pairs: frozenset[str] | None = frozenset()) -> list[str]:
    """What of the text is taken for the phrase."""
    index = PhraseIndex([Wanted(0, 0, phrase, pairs)])
    return [record.text[find.char_from : find.char_to] for find in index.find(Spoken(record, 0, None)).get(0, [])]


@pytest.mark.parametrize(
    ("phrase", "text", "confidence", "found"),
    [
        ("百分之百通过", "他说北分之百通过吧", 0.6, ["北分之百通过"]),
        ("百分之百通过", "他说百分之百同意吧", 0.99, []),
        ("假的收入证明", "请提供真实的收入证明", 0.99, []),
        ("我说了多少遍", "我说了多少面可以吗", 0.5, ["我说了多少面"]),
        ("包过", "包我", 0.3, []),
        ("随时可以取消", "随时嗯可以取消的", 0.4, ["随时嗯可以取消"]),
    ],
)
def test_a_doubtful_syllable_may_be_another(phrase: str, text: str, confidence: float, found: list[str]) -> None:
    """Not a clear one, and not in a phrase that is too short to be known by the rest."""
    assert finds(phrase, heard(text, confidence)) == found


@pytest.mark.parametrize(("phrase", "text", "found"), [("日息", "利息", []), ("利息", "日息", ["日息"])])
def test_of_two_syllables_the_more_usual_word_is_taken(phrase: str, text: str, found: list[str]) -> None:
    """利息 is said all day, 日息 seldom: that it may have been heard does not make it likely."""
    assert finds(phrase, heard(text, 0.5, {0: phrase[0]})) == found


@pytest.mark.parametrize(
    ("confidence", "alternatives", "found"),
    [
        (0.97, {4: "见"}, []),
        (0.97, {2: "是", 4: "见"}, ["我时"]),
        (0.6, {4: "见"}, ["我时"]),
        (0.97, {}, ["我时"]),
    ],
)
def test_two_syllables_that_only_sound_the_same_have_to_be_in_doubt(
    confidence: float, alternatives: dict[int, str], found: list[str]
) -> None:
    """Of a model that tells its doubts; a longer phrase is taken by its sound alone."""
    assert finds("我是", heard("费我时间了", confidence, alternatives)) == found
    assert finds("费我是", heard("费我时间了", confidence, alternatives)) == ["费我时"]


def test_by_character_only_nothing_is_forgiven() -> None:
    assert finds("百分之百通过", heard("北分之百通过", 0.3), None) == []


def test_what_a_character_may_have_been_instead_speaks_for_the_phrase() -> None:
    like = Likeness("保证下款", phrase_readings("保证下款"), "保证下款".translate(SOUNDS))
    plain = Heard("保证下饭", [0.99, 0.99, 0.99, 0.7], None)
    told = Heard("保证下饭", [0.99, 0.99, 0.99, 0.7], ["", "", "", "款"])
    assert like.loss(plain, 0) is None
    assert 0 < (like.loss(told, 0) or 0) < MOST
    assert instead(("kuan",), "看款") is not None
    assert instead(("kuan",), "看") is None


def test_a_likely_confusion_costs_less_than_any_other() -> None:
    assert unlikeness(("zhi",), "只") == 0.0
    assert 0 < unlikeness(("zhi",), "次") < unlikeness(("zhi",), "忙")


def test_rare_syllables_and_sure_ones_weigh_more() -> None:
    assert evidence("kuan") > evidence("shi") > 0
    assert doubt(0.99) > doubt(0.6) >= doubt(0.0) >= 0.0


@pytest.mark.parametrize("count", range(4, 13))
def test_a_phrase_is_looked_for_whichever_syllable_is_wrong(count: int) -> None:
    words = "天地玄黄宇宙洪荒日月盈昃辰宿列张"[:count]
    for wrong in range(count):
        text = f"我说{words[:wrong]}啊{words[wrong + 1 :]}吧"
        assert finds(words, heard(text, 0.9, {2 + wrong: words[wrong]})) == [text[2 : 2 + count]], text


def test_two_syllables_that_were_no_alternatives_are_too_many() -> None:
    assert finds("天地玄黄宇宙洪荒", heard("天地吧黄宇宙吧荒", 0.1)) == []
