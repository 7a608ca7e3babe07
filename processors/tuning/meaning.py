"""Trains the heads of the meaning model from labelled sentences, and the background vectors that calibrate `similar`.

Every fifth sentence of an intent or sentiment is held out; the report is about those. The shipped heads are trained on
the rest. Sentences of the other files serve as "none of these" for every intent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from processors.inspect.similarity import BACKGROUND
from processors.runtime.errors import UserError
from processors.runtime.sentences import DEFAULT, sentence_encoder
from processors.speech.meaning import SENTIMENTS, SHIPPED, Heads, centre

DATA = Path(__file__).parent / "data"
HELD_OUT_EVERY = 5
STRENGTH = 30.0
"""Inverse regularisation of the logistic regressions; chosen by cross-validation on the training part."""


@dataclass(frozen=True, slots=True)
class Report:
    """Accuracy on held-out sentences: of the best intent, of "is it this intent" at 0.5, and of the sentiment."""

    intents: int
    sentences: int
    intent_accuracy: float
    intent_precision: float
    intent_recall: float
    sentiment_accuracy: float


def read_labels(path: Path) -> dict[str, list[str]]:
    """Label to sentences. Raises UserError when the file is not of that shape."""
    labels = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(labels, dict) or not all(isinstance(v, list) and v for v in labels.values()):
        raise UserError(f"{path}: write a mapping of labels, each with a list of sentences")
    return {str(label): [str(s) for s in sentences] for label, sentences in labels.items()}


def train_meaning(
    intents: Path = DATA / "intents.yaml",
    sentiment: Path = DATA / "sentiment.yaml",
    heads: Path = SHIPPED,
    background: Path = BACKGROUND,
    encoder: str = DEFAULT,
) -> Report:
    """Train, write the heads and the background vectors, and report the accuracy on held-out sentences."""
    encode = sentence_encoder(encoder)
    intent_labels, sentiment_labels = read_labels(intents), read_labels(sentiment)
    if set(sentiment_labels) != set(SENTIMENTS):
        raise UserError(f"{sentiment}: the labels must be {', '.join(SENTIMENTS)}")
    names, sentences, held = _flatten(intent_labels)
    feelings, feeling_sentences, feeling_held = _flatten(sentiment_labels)
    vectors, feeling_vectors = encode(sentences), encode(feeling_sentences)
    known = np.vstack([vectors[~held], feeling_vectors[~feeling_held]])
    mean = known.mean(axis=0)
    intent_head = _one_versus_rest(
        centre(known, mean),
        np.concatenate([names[~held], np.full(int((~feeling_held).sum()), "")]),
        sorted(intent_labels),
    )
    sentiment_head = _softmax(centre(feeling_vectors[~feeling_held], mean), feelings[~feeling_held])
    trained = Heads(encoder, mean, tuple(sorted(intent_labels)), *intent_head, *sentiment_head)
    trained.save(heads)
    np.save(background, known.astype(np.float16))
    return _report(trained, (names, vectors, held), (feelings, feeling_vectors, feeling_held))


def _flatten(labels: Mapping[str, Sequence[str]]) -> tuple[NDArray[np.str_], list[str], NDArray[np.bool_]]:
    rows = [
        (label, s, i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) for label, ss in labels.items() for i, s in enumerate(ss)
    ]
    return np.array([r[0] for r in rows]), [r[1] for r in rows], np.array([r[2] for r in rows])


Head = tuple[NDArray[np.float32], NDArray[np.float32]]


def _one_versus_rest(vectors: NDArray[np.float32], labels: NDArray[np.str_], names: Sequence[str]) -> Head:
    from sklearn.linear_model import LogisticRegression

    fits = [LogisticRegression(C=STRENGTH, max_iter=2000).fit(vectors, labels == name) for name in names]
    return np.vstack([f.coef_[0] for f in fits]).astype(np.float32), np.array(
        [f.intercept_[0] for f in fits], np.float32
    )


def _softmax(vectors: NDArray[np.float32], labels: NDArray[np.str_]) -> Head:
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=STRENGTH, max_iter=2000).fit(vectors, labels)
    order = [list(fit.classes_).index(name) for name in SENTIMENTS]
    return fit.coef_[order].astype(np.float32), fit.intercept_[order].astype(np.float32)


Labelled = tuple[NDArray[np.str_], NDArray[np.float32], NDArray[np.bool_]]


def _report(heads: Heads, intents: Labelled, feelings: Labelled) -> Report:
    names, vectors, held = intents
    truth = names[held]
    scores = [m.intents for m in heads.measure(vectors[held])]
    best = [max(s, key=lambda k: s[k]) if s else "" for s in scores]
    fired = [(name, t) for s, t in zip(scores, truth, strict=True) for name, score in s.items() if score >= 0.5]
    right = sum(name == t for name, t in fired)
    sentiment = [m.sentiment for m in heads.measure(feelings[1][feelings[2]])]
    felt = ["positive" if s > 0.33 else "negative" if s < -0.33 else "neutral" for s in sentiment]
    return Report(
        intents=len(heads.intents),
        sentences=len(names),
        intent_accuracy=float(np.mean([b == t for b, t in zip(best, truth, strict=True)])),
        intent_precision=right / max(1, len(fired)),
        intent_recall=right / len(truth),
        sentiment_accuracy=float(np.mean([f == t for f, t in zip(felt, feelings[0][feelings[2]], strict=True)])),
    )
