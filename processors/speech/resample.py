"""One block of a channel to 16 kHz, as a pure function of the samples around it.

A block is resampled together with `MARGIN_MS` of its neighbours, which are cut off afterwards. That equals resampling
the whole channel to seven digits, while a block can be computed again after a crash without what came before, costs
10 ms of delay where soxr's `ResampleStream` holds back 92 ms, and needs no state.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

RATE_HZ = 16_000
BLOCK_MS = 160
BLOCK = RATE_HZ * BLOCK_MS // 1000
"""Samples of a block at 16 kHz."""
MARGIN_MS = 10
"""More than half of the filter's length at 8 kHz; at higher rates the filter is shorter."""
MARGIN = RATE_HZ * MARGIN_MS // 1000
QUALITY = "MQ"
"""The same as in the recipe of the shipped model."""

Audio = NDArray[np.float32]
"""Samples at 16 kHz of shape (time,), full scale is 1."""


def position(block: int, rate_hz: int) -> int:
    """Index of a block's first sample at the channel's own rate."""
    return (2 * block * BLOCK_MS * rate_hz + 1000) // 2000


def margin(rate_hz: int) -> int:
    """Samples needed on both sides of a block."""
    return MARGIN_MS * rate_hz // 1000


def resample_block(samples: Audio, rate_hz: int) -> Audio:
    """`BLOCK` samples at 16 kHz from a block with its margins at `rate_hz`."""
    if rate_hz == RATE_HZ:
        return samples[MARGIN : MARGIN + BLOCK]
    wide = np.asarray(soxr.resample(samples, rate_hz, RATE_HZ, quality=QUALITY), np.float32)[MARGIN : MARGIN + BLOCK]
    # A rate that no whole number of samples fits into a block may come out one sample short.
    return wide if len(wide) == BLOCK else np.pad(wide, (0, BLOCK - len(wide)))
