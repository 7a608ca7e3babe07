"""Calibrated nearness of meaning: what a threshold means does not depend on the examples."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from processors.inspect.similarity import Similar, calibrate, load_background
from processors.runtime.sentences import sentence_encoder
from processors.tuning.meaning import background_sentences

SETS = {
    "complaint": ["我要投诉你们", "我要向监管部门反映"],
    "extension": ["能不能晚几天还款", "可以宽限几天吗"],
    "settling": ["我要提前结清这笔贷款", "能不能一次性还清"],
    "recording": ["本次通话会被录音"],
    "greeting": ["你好很高兴为您服务"],
    "threat": ["不还钱就去你家里找你", "我会找你的家人和单位"],
    "guarantee": ["我们保证百分之百能批下来"],
    "despair": ["我不想活了", "我想死"],
    "code": ["把你的密码和验证码告诉我", "验证码念给我听", "您把短信里的数字报一下", "卡的密码是多少"],
    "parcel": ["我的快递什么时候到", "包裹还没有收到"],
}
"""Short and long, few and many, everyday and rare."""
PARAPHRASES = {
    "complaint": ["我一定要投诉你们公司", "我要去监管部门投诉"],
    "extension": ["我晚几天再还可以吗", "能不能宽限我几天时间"],
    "settling": ["我想提前把这笔贷款结清", "我可以一次性还清吗"],
    "recording": ["我们这次通话将会录音", "您的通话会被全程录音"],
    "greeting": ["您好很高兴能够为您服务", "你好很荣幸为您服务"],
    "threat": ["再不还钱我就到你家去", "我会打电话找你的家人"],
    "guarantee": ["我们保证您百分之百通过", "百分之百能给您批下来"],
    "despair": ["我真的不想活了", "我不想活想去死"],
    "code": ["把验证码告诉我一下", "您的支付密码告诉我"],
    "parcel": ["我的包裹什么时候到", "我的快递怎么还没收到"],
}


def vectors(sentences: list[str]) -> NDArray[np.float32]:
    return sentence_encoder()(sentences)


def calibrated(sentences: list[str]) -> Similar:
    return calibrate(vectors(sentences), load_background())


@pytest.fixture(scope="module")
def unrelated() -> NDArray[np.float32]:
    """What is said in call centres, none of it in the background."""
    return vectors(background_sentences(held_out=True))


def test_an_example_itself_scores_one_and_small_talk_scores_near_zero() -> None:
    similar = calibrated(SETS["settling"])

    itself, weather = (row.astype("<f2").tobytes() for row in vectors(["我要提前结清这笔贷款", "今天天气不错"]))
    assert similar.score(itself) > 0.97
    assert similar.score(weather) < 0.4


def test_a_threshold_means_the_same_for_every_set_of_examples(unrelated: NDArray[np.float32]) -> None:
    """One unrelated sentence in a hundred at 0.5 and one in a thousand at 0.8, whatever the set; a few do mean it."""
    scores = {name: calibrated(sentences).scores(unrelated) for name, sentences in SETS.items()}

    alarms = {least: [float(np.mean(s >= least)) for s in scores.values()] for least in (0.2, 0.5, 0.6, 0.8)}
    assert max(alarms[0.8]) <= 0.01
    assert max(alarms[0.6]) <= 0.03
    assert max(alarms[0.5]) <= 0.05
    assert np.mean(alarms[0.8]) <= 0.004
    assert 0.003 <= np.mean(alarms[0.5]) <= 0.025
    assert max(alarms[0.2]) <= 2.5 * min(alarms[0.2])


def test_raw_cosines_would_not_mean_the_same(unrelated: NDArray[np.float32]) -> None:
    """The control: one threshold for the cosines of all sets takes everything for some and nothing for others."""
    cosines = {name: np.max(unrelated @ vectors(sentences).T, axis=1) for name, sentences in SETS.items()}
    threshold = np.quantile(np.concatenate(list(cosines.values())), 0.84)  # as many as score 0.2 when calibrated

    alarms = [float(np.mean(found >= threshold)) for found in cosines.values()]
    assert max(alarms) > 10 * min(alarms)


def test_near_paraphrases_reach_the_default_for_every_set_of_examples() -> None:
    reached = {
        name: calibrated(SETS[name]).scores(vectors(sentences)).tolist() for name, sentences in PARAPHRASES.items()
    }

    assert {name: scores for name, scores in reached.items() if max(scores) < 0.6} == {}
    assert np.mean([score >= 0.6 for scores in reached.values() for score in scores]) >= 0.8


def test_half_of_the_background_scores_zero() -> None:
    background = load_background()
    for sentences in (SETS["complaint"], SETS["code"]):
        scores = calibrate(vectors(sentences), background).scores(background)
        assert 0.45 <= np.mean(scores <= 0.001) <= 0.55


def test_sentences_of_the_same_meaning_in_the_background_do_not_blunt_a_rule() -> None:
    """An everyday subject is no harder to find than a rare one: only the bulk of the background counts."""
    rng = np.random.default_rng(1)
    background = rng.normal(size=(400, 16)).astype(np.float32)
    background /= np.linalg.norm(background, axis=1, keepdims=True)
    example = background[:1].copy()
    rare = calibrate(example, background[1:])
    everyday = calibrate(example, np.vstack([background[1:], np.repeat(example, 12, axis=0)]))

    assert everyday.rare == pytest.approx(rare.rare, abs=0.08)
    assert everyday.scores(example)[0] == 1.0
