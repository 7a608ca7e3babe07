"""Meaning of utterances: the shipped heads on real sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processors.runtime.errors import UserError
from processors.runtime.sentences import sentence_encoder
from processors.runtime.settings import load_settings
from processors.speech.agent import load_understanding
from processors.speech.meaning import is_measurable, load_heads

PARAPHRASES = {
    "complaint": ["这服务真是糟透了我一定要投诉", "我要找你们领导反映这个业务员"],
    "extension_request": ["这个月钱不够可以晚一个星期还吗", "能不能帮我把还款时间往后推一推"],
    "hardship": ["我刚丢了工作家里还有病人", "生意赔光了现在吃饭都成问题"],
    "repayment_promise": ["你放心我后天一定把钱还上", "我现在就去手机上还"],
    "early_repayment": ["我想把贷款提前全部还清", "剩下的几期想一次付掉可以吗"],
    "balance_inquiry": ["帮我看看这个月要还多少钱", "我的账单是几号出"],
    "rate_inquiry": ["借五万块利息怎么收", "你们的年利率是多少"],
    "loan_application": ["我想申请贷款需要什么手续", "能不能给我提高一下信用额度"],
    "cancel_service": ["把我的账户注销掉", "这个会员我不想要了给我退了"],
    "wrong_person": ["你打错了我不认识这个人", "我不是本人我是他邻居"],
    "payment_dispute": ["为什么从我卡上扣了两次钱", "我上周就还了怎么还说我欠款"],
    "technical_problem": ["软件登不上去一直报错", "验证码等了半天都没收到"],
    "do_not_call": ["麻烦以后不要再打我电话", "别再骚扰我了行不行"],
    "not_interested": ["谢谢我暂时不需要", "我不想办这个业务"],
}
"""Two for every intent, as somebody would say them who has not seen the training data."""


def test_the_shipped_heads_hear_a_complaint_and_a_thank_you() -> None:
    encode, heads = sentence_encoder(), load_heads()

    complaint, thanks = heads.measure(encode(["你们的态度这么恶劣我一定要投诉到底", "太感谢你了服务真的很好"]))

    assert max(complaint.intents, key=lambda name: complaint.intents[name]) == "complaint"
    assert complaint.sentiment < -0.3 < 0.3 < thanks.sentiment
    assert "complaint" not in thanks.intents or thanks.intents["complaint"] < 0.5


def test_most_paraphrases_of_every_intent_are_understood() -> None:
    heads = load_heads()
    assert PARAPHRASES.keys() == set(heads.intents)
    wanted = [name for name, sentences in PARAPHRASES.items() for _ in sentences]

    measured = heads.measure(sentence_encoder()([s for sentences in PARAPHRASES.values() for s in sentences]))

    best = [max(each.intents, key=lambda name: each.intents[name]) for each in measured]
    right = [name for name, found in zip(wanted, best, strict=True) if name == found]
    sure = [each.intents.get(name, 0.0) >= 0.6 for name, each in zip(wanted, measured, strict=True)]
    assert len(right) >= 0.85 * len(wanted)
    assert set(right) == PARAPHRASES.keys()
    assert sum(sure) >= 0.7 * len(wanted)


def test_what_agents_say_all_day_is_no_intent() -> None:
    sentences = [
        "请问有什么可以帮到您",
        "我这边帮您看一下",
        "您的来电我们会做录音",
        "身份证号请您报一下",
        "祝您生活愉快再见",
    ]

    measured = load_heads().measure(sentence_encoder()(sentences))

    assert [name for each in measured for name, score in each.intents.items() if score >= 0.6] == []


def test_meaning_does_not_depend_on_the_batch() -> None:
    """Else a replay, whose batches are others, could give another verdict."""
    encode, heads = sentence_encoder(), load_heads()
    sentences = ["我想提前还清贷款", "验证码收不到", "你打错电话了我不是本人"]

    together = heads.measure(encode(sentences))

    assert together == [heads.measure(encode([sentence]))[0] for sentence in sentences]


def test_the_shell_measures_what_is_long_enough() -> None:
    understand = load_understanding(load_settings())
    assert understand is not None

    short, long = understand(["嗯", "你们态度太差了我要投诉"])

    assert short is None
    assert long is not None and long.intents["complaint"] > 0.6
    assert np.frombuffer(long.vector, "<f2").shape == (384,)
    assert understand(["嗯"]) == [None]


def test_meaning_is_left_out_without_an_encoder_and_with_one_that_the_heads_do_not_know() -> None:
    assert load_understanding(load_settings(sentence_encoder="")) is None
    assert load_understanding(load_settings(sentence_encoder="elsewhere:encode")) is None


def test_heads_survive_saving(tmp_path: Path) -> None:
    heads = load_heads()
    heads.save(tmp_path / "heads.npz")

    again = load_heads(tmp_path / "heads.npz")

    assert again.intents == heads.intents
    assert np.array_equal(again.intent_weights, heads.intent_weights)


def test_a_file_that_holds_no_heads_is_refused_with_the_command_that_makes_them(tmp_path: Path) -> None:
    wrong = tmp_path / "heads.npz"
    wrong.write_bytes(b"not heads")

    with pytest.raises(UserError, match="train-meaning"):
        load_heads(wrong)


def test_an_encoder_that_does_not_exist_is_refused_with_its_name() -> None:
    with pytest.raises(UserError, match="nowhere:nothing"):
        sentence_encoder("nowhere:nothing")


def test_interjections_are_not_measured() -> None:
    assert is_measurable(["嗯", "好的", "我要投诉"]) == [False, False, True]
