"""Calibrated nearness of meaning."""

from __future__ import annotations

import numpy as np

from processors.inspect.similarity import calibrate, load_background
from processors.runtime.sentences import sentence_encoder


def vector(sentence: str) -> bytes:
    return sentence_encoder()([sentence])[0].astype("<f2").tobytes()


def test_an_example_itself_scores_one_and_small_talk_scores_near_zero() -> None:
    similar = calibrate(sentence_encoder()(["我要提前结清这笔贷款", "能不能一次性还清"]), load_background())

    assert similar.score(vector("我要提前结清这笔贷款")) > 0.97
    assert similar.score(vector("今天天气不错")) < 0.4


def test_a_paraphrase_scores_higher_than_an_unrelated_sentence_for_every_set_of_examples() -> None:
    background = load_background()
    for examples, near, far in (
        (["请问是否可以晚几天还款"], "我想晚几天再还款可以吗", "你们的软件登录不上去"),
        (["你好很高兴为您服务"], "您好很高兴能够为您服务", "利息一共是多少钱"),
        (["请不要再给我打电话"], "以后不要打电话给我了", "我想申请一笔贷款"),
    ):
        similar = calibrate(sentence_encoder()(examples), background)
        assert similar.score(vector(near)) >= 0.5 > similar.score(vector(far))


def test_half_of_the_background_scores_zero_and_one_in_a_hundred_at_least_one_half() -> None:
    background = load_background()
    similar = calibrate(sentence_encoder()(["我要投诉你们的服务态度"]), background)

    scores = [similar.score(row.astype("<f2").tobytes()) for row in background]

    assert 0.45 <= np.mean(np.array(scores) <= 0.001) <= 0.55
    assert 0.003 <= np.mean(np.array(scores) >= 0.499) <= 0.03
