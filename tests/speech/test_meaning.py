"""Meaning of utterances: the shipped heads on real sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from processors.runtime.errors import UserError
from processors.runtime.sentences import sentence_encoder
from processors.speech.meaning import is_measurable, load_heads


def test_the_shipped_heads_hear_a_complaint_and_a_thank_you() -> None:
    encode, heads = sentence_encoder(), load_heads()

    complaint, thanks = heads.measure(encode(["你们的态度这么恶劣我一定要投诉到底", "太感谢你了服务真的很好"]))

    assert max(complaint.intents, key=lambda name: complaint.intents[name]) == "complaint"
    assert complaint.sentiment < -0.3 < 0.3 < thanks.sentiment
    assert "complaint" not in thanks.intents or thanks.intents["complaint"] < 0.5


def test_meaning_does_not_depend_on_the_batch() -> None:
    encode, heads = sentence_encoder(), load_heads()
    sentences = ["我想提前还清贷款", "验证码收不到", "你打错电话了我不是本人"]

    together = heads.measure(encode(sentences))
    alone = [heads.measure(encode([sentence]))[0] for sentence in sentences]

    for one, other in zip(together, alone, strict=True):
        assert one.intents == pytest.approx(other.intents, abs=1e-3)
        assert np.allclose(np.frombuffer(one.vector, "<f2"), np.frombuffer(other.vector, "<f2"), atol=2e-3)


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
