"""Heads of the meaning model: sentence vectors in, intent scores and sentiment out. Pure numpy.

They are trained by `processors.tuning`. It does not encode sentences (`processors.runtime.sentences` does) and does
not decide anything: rules compare the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processors.records import Meaning
from processors.runtime.errors import UserError

SHIPPED = Path(__file__).parent / "checkpoints" / "meaning.npz"
SENTIMENTS = ("negative", "neutral", "positive")
LEAST_SCORE = 0.05
"""Intents below this score are left out of the record."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Two linear heads on centred unit vectors of dimension d.

    centre (d,); intents: k names with weights (k + 1, d) and bias (k + 1,), softmax, the last row being none of them;
    sentiment: weights (3, d) and bias (3,), softmax over SENTIMENTS. `encoder` names the encoder that they were trained
    on.
    """

    encoder: str
    centre: NDArray[np.float32]
    intents: tuple[str, ...]
    intent_weights: NDArray[np.float32]
    intent_bias: NDArray[np.float32]
    sentiment_weights: NDArray[np.float32]
    sentiment_bias: NDArray[np.float32]

    def measure(self, vectors: NDArray[np.float32]) -> list[Meaning]:
        """Meaning of each row of `vectors`, shape (n, d), unit length. A row is measured alone: the last digits of a
        product of matrices depend on their sizes, and a replay in other batches must find the same scores."""
        return [self._measure(vector) for vector in vectors]

    def _measure(self, vector: NDArray[np.float32]) -> Meaning:
        centred = centre(vector[None], self.centre)[0]
        scores = _shares(self.intent_weights @ centred + self.intent_bias)[:-1]
        negative, _, positive = _shares(self.sentiment_weights @ centred + self.sentiment_bias)
        return Meaning(
            sentiment=round(float(positive - negative), 4),
            intents={
                name: round(float(score), 4)
                for name, score in zip(self.intents, scores, strict=True)
                if score >= LEAST_SCORE
            },
            vector=vector.astype("<f2").tobytes(),
        )

    def save(self, path: Path) -> None:
        """Write the heads as an .npz file without pickles."""
        np.savez_compressed(
            path,
            encoder=np.array(self.encoder),
            centre=self.centre,
            intents=np.array(self.intents),
            intent_weights=self.intent_weights,
            intent_bias=self.intent_bias,
            sentiment_weights=self.sentiment_weights,
            sentiment_bias=self.sentiment_bias,
        )


def load_heads(path: Path = SHIPPED) -> Heads:
    """Read what `Heads.save` wrote. Raises UserError when the file is missing or is not one."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return Heads(
                encoder=str(file["encoder"]),
                centre=file["centre"],
                intents=tuple(str(name) for name in file["intents"]),
                intent_weights=file["intent_weights"],
                intent_bias=file["intent_bias"],
                sentiment_weights=file["sentiment_weights"],
                sentiment_bias=file["sentiment_bias"],
            )
    except (OSError, KeyError, ValueError) as error:
        raise UserError(
            f"{path} holds no meaning heads ({error}); make them by `tingjian model train-meaning`"
        ) from error


def centre(vectors: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors relative to the mean of all sentences, of unit length again: what sets sentences apart."""
    moved = vectors - mean
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved / np.maximum(lengths, np.float32(1e-9)), np.float32)


def _shares(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax."""
    odds = np.exp(logits - logits.max())
    return np.asarray(odds / odds.sum(), np.float32)


def is_measurable(texts: Sequence[str], least_chars: int = 3) -> list[bool]:
    """Which texts are long enough to mean something; an interjection of one or two characters is not."""
    return [len(text) >= least_chars for text in texts]
