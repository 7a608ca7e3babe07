"""Calibrated nearness of meaning: a threshold means the same for every set of example sentences.

The raw cosines of the sentence encoder bunch up between 0.8 and 0.95 whatever is compared, and more so for short or
general examples. So the nearness of an utterance to a set of examples is measured against how near some hundred
background sentences of call centres come to the same set: 0 is what half of them reach, 0.5 what one in a hundred
reaches, 1 is an example itself. Between these points it is linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BACKGROUND = Path(__file__).parent / "vocabulary" / "background.npy"
COMMON_SHARE, RARE_SHARE = 0.50, 0.99
LEAST_SPAN = 1e-4


@dataclass(frozen=True, slots=True)
class Similar:
    """A set of example sentences with its calibration. vectors: (n, d), unit length."""

    vectors: NDArray[np.float32]
    common: float
    rare: float

    def score(self, vector: bytes) -> float:
        """Calibrated nearness, 0 to 1, of an utterance's vector (`Meaning.vector`: little-endian float16)."""
        raw = float(np.max(self.vectors @ np.frombuffer(vector, "<f2").astype(np.float32)))
        return float(np.interp(raw, (self.common, self.rare, 1.0), (0.0, 0.5, 1.0)))


def calibrate(examples: NDArray[np.float32], background: NDArray[np.float32]) -> Similar:
    """Calibrate example vectors, shape (n, d), against background vectors, shape (m, d), both of unit length."""
    nearness = np.max(background @ examples.T, axis=1)
    common, rare = (float(q) for q in np.quantile(nearness[nearness < 1.0 - LEAST_SPAN], (COMMON_SHARE, RARE_SHARE)))
    return Similar(examples, common, min(max(rare, common + LEAST_SPAN), 1.0 - LEAST_SPAN))


def load_background(path: Path = BACKGROUND) -> NDArray[np.float32]:
    """The background vectors, shape (m, d), made by `tingjian model train-meaning`."""
    background: NDArray[np.float32] = np.load(path, allow_pickle=False).astype(np.float32)
    return background
