"""Calibrated nearness of meaning: a threshold means the same for every set of example sentences.

The raw cosines of the sentence encoder bunch up between 0.8 and 0.95 whatever is compared, and more so for short or
general examples. So the nearness of an utterance to a set of examples is measured against how near some hundred
background sentences of call centres come to the same set: 0 is what half of them reach, and every 0.2 above that is one
standard deviation of theirs. One sentence in a hundred reaches 0.5, one in a thousand 0.8, and 1 is an example itself.

The deviation is taken between the median and the tenth nearest in a hundred, not from the nearest ones: among those are
sentences that mean the same as the examples, and more of them for an everyday subject than for a rare one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BACKGROUND = Path(__file__).parent / "vocabulary" / "background.npy"
BULK_SHARE = 0.90
BULK_DEVIATIONS = 1.2816
"""Standard deviations above the median below which that share of a normal distribution lies."""
RARE_DEVIATIONS, RARE_SCORE = 4.0, 0.8
LEAST_DEVIATION = 1e-4
"""Of cosines: a set to which all of the background is equally near tells nothing apart."""


@dataclass(frozen=True, slots=True)
class Similar:
    """A set of example sentences with its calibration. vectors: (n, d), unit length; usual and rare are cosines."""

    vectors: NDArray[np.float32]
    usual: float
    rare: float

    def score(self, vector: bytes) -> float:
        """Calibrated nearness, 0 to 1, of an utterance's vector (`Meaning.vector`: little-endian float16)."""
        return float(self.scores(np.frombuffer(vector, "<f2").astype(np.float32)[None])[0])

    def scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated nearness of each row of `vectors`, shape (m, d)."""
        raw = np.max(vectors @ self.vectors.T, axis=1)
        return np.asarray(np.interp(raw, (self.usual, self.rare, 1.0), (0.0, RARE_SCORE, 1.0)), np.float64)


def calibrate(examples: NDArray[np.float32], background: NDArray[np.float32]) -> Similar:
    """Calibrate example vectors, shape (n, d), against background vectors, shape (m, d), both of unit length."""
    nearness = np.max(background @ examples.T, axis=1)
    usual, bulk = (float(q) for q in np.quantile(nearness, (0.5, BULK_SHARE)))
    usual = min(usual, 1.0 - 3 * LEAST_DEVIATION)
    deviation = max((bulk - usual) / BULK_DEVIATIONS, LEAST_DEVIATION)
    return Similar(examples, usual, min(usual + RARE_DEVIATIONS * deviation, 1.0 - LEAST_DEVIATION))


def load_background(path: Path = BACKGROUND) -> NDArray[np.float32]:
    """The background vectors, shape (m, d), made by `tingjian model train-meaning`."""
    background: NDArray[np.float32] = np.load(path, allow_pickle=False).astype(np.float32)
    return background
