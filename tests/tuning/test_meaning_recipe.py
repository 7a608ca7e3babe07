"""The recipe of the meaning model: its data, its training, its figures."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from rapidfuzz import fuzz, process
from typer.testing import CliRunner

from processors.cli import app
from processors.inspect.operators.intent import known_intents
from processors.inspect.similarity import load_background
from processors.runtime.errors import UserError
from processors.runtime.sentences import sentence_encoder
from processors.speech.meaning import load_heads
from processors.tuning.meaning import (
    CARD,
    DATA,
    background_sentences,
    labelled,
    measure,
    model_card,
    read_data,
    read_labels,
    read_sentences,
    remembering,
    train_meaning,
)

SAME = 92.0
"""Likeness of two texts, 0 to 100, from which one is no further example beside the other."""
NUMBERS = "一二三四五六七八九十"
TOY = {
    "intents.yaml": {
        "thirst": [f"水喝饮{c}" for c in NUMBERS],
        "hunger": [f"饭吃菜{c}" for c in NUMBERS],
    },
    "others.yaml": [f"天地人{c}" for c in NUMBERS],
    "sentiment.yaml": {
        "negative": [f"坏烂{c}" for c in NUMBERS[:5]],
        "neutral": [f"中平{c}" for c in NUMBERS[:5]],
        "positive": [f"好美{c}" for c in NUMBERS[:5]],
    },
}


@pytest.fixture
def toy_data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, content in TOY.items():
        (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return folder


def train(data: Path, out: Path) -> list[bytes]:
    files = [out / name for name in ("heads.npz", "background.npy", "card.md")]
    train_meaning(data, *files, "tests.tuning.bag:encode")  # type: ignore[arg-type]
    return [file.read_bytes() for file in files]


def test_training_twice_makes_the_same_files(toy_data: Path, tmp_path: Path) -> None:
    assert train(toy_data, tmp_path) == train(toy_data, tmp_path)


def test_training_learns_what_the_examples_say(toy_data: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("heads.npz", "background.npy", "card.md")]

    report = train_meaning(toy_data, *files, "tests.tuning.bag:encode")  # type: ignore[arg-type]

    assert (report.intent_accuracy, report.sentiment_accuracy, report.none_found) == (1.0, 1.0, 0.0)
    assert (report.sentences, report.held_out) == (45, 9)
    heads = load_heads(files[0])
    (meaning,) = heads.measure(sentence_encoder("tests.tuning.bag:encode")(["饭吃菜百"]))
    assert heads.encoder == "tests.tuning.bag:encode"
    assert max(meaning.intents, key=lambda name: meaning.intents[name]) == "hunger"


def test_the_command_trains_on_the_data_of_a_user_and_says_how_good_it_is(toy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = [
        "model",
        "train-meaning",
        "--data",
        str(toy_data),
        "--out",
        str(out),
        "--encoder",
        "tests.tuning.bag:encode",
    ]

    result = CliRunner().invoke(app, words)

    assert result.exit_code == 0, result.output
    assert "intent accuracy      100.0% of held-out sentences" in result.output
    assert {file.name for file in out.iterdir()} == {"meaning.npz", "background.npy", "meaning.md"}


def test_no_held_out_sentence_is_trained_on() -> None:
    data = labelled({"a": [str(n) for n in range(10)], "b": ["x", "y"]})

    assert [s for s, held in zip(data.sentences, data.held, strict=True) if held] == ["4", "9"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("intents.yaml", "- 我要投诉", "mapping of labels"),
        ("intents.yaml", "complaint: []", "mapping of labels"),
        ("others.yaml", "a: b", "list of sentences"),
        ("sentiment.yaml", "good: [好]", "labels must be negative, neutral, positive"),
    ],
)
def test_wrong_data_are_refused_with_the_file(toy_data: Path, name: str, text: str, message: str) -> None:
    (toy_data / name).write_text(text, encoding="utf-8")

    with pytest.raises(UserError, match=rf"{re.escape(name)}: .*{message}"):
        read_data(toy_data)


def test_the_shipped_data_have_enough_and_varied_examples_of_the_intents_that_rules_may_name() -> None:
    intents = read_labels(DATA / "intents.yaml")

    assert set(intents) == set(known_intents()) == set(load_heads().intents)
    assert len(intents) >= 12
    for name, sentences in intents.items():
        likeness = process.cdist(sentences, sentences, scorer=fuzz.ratio)
        copies = [(sentences[a], sentences[b]) for a, b in np.argwhere(np.triu(likeness, 1) >= SAME)]
        assert copies == [], name
        assert len(sentences) >= 60, name
        assert len({sentence[:2] for sentence in sentences}) >= 25, f"{name}: too many begin alike"


def test_no_sentence_has_two_labels() -> None:
    sentences = [s for ss in read_labels(DATA / "intents.yaml").values() for s in ss]
    sentences = sorted([*sentences, *read_sentences(DATA / "others.yaml")])

    assert [one for one, next_ in pairwise(sentences) if one == next_] == []


def test_the_background_is_not_what_is_measured_on() -> None:
    background, unseen = background_sentences(), background_sentences(held_out=True)

    assert len(background) == len(load_background())
    assert len(unseen) >= 100
    assert not set(background) & set(unseen)
    assert background == background_sentences()


def test_the_model_card_says_what_the_shipped_heads_do() -> None:
    """Figures within three points: the arithmetic of another processor may move a sentence over a threshold."""
    intents, feelings = read_data()
    heads = load_heads()

    report = measure(heads, load_background(), remembering(sentence_encoder(heads.encoder)), intents, feelings)

    written, now = CARD.read_text(encoding="utf-8"), model_card(report)
    number = re.compile(r"(\d+(?:\.\d+)?)%")
    assert number.sub("%", written) == number.sub("%", now)
    figures = list(zip(map(float, number.findall(written)), map(float, number.findall(now)), strict=True))
    assert [pair for pair in figures if abs(pair[0] - pair[1]) > 3] == []
    assert report.intent_accuracy >= 0.85
    assert report.sentiment_accuracy >= 0.85
    assert all(each.precision >= 0.75 for each in report.intents)
