"""G.711 (ITU-T) companding by table, for files at other rates than 8 kHz and for the test client of the doors.

At 8 kHz the bytes travel as they came; they are decoded in `speech`. Not torchaudio's mu-law, which is the smooth
formula.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processors.records import Encoding

Samples = NDArray[np.int16]

MU_BIAS = 0x84
MU_CLIP = 32_635


def _mu_law_table() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + MU_BIAS) << ((code & 0x70) >> 4)) - MU_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _a_law_table() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment, mantissa = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


MU_LAW = _mu_law_table()
A_LAW = _a_law_table()
_TABLES: dict[Encoding, Samples] = {"pcmu": MU_LAW, "pcma": A_LAW}


def decode(payload: bytes, encoding: Encoding) -> Samples:
    """Bytes of mu-law or A-law to 16 bit samples of shape (time,)."""
    return _TABLES[encoding][np.frombuffer(payload, np.uint8)]


def encode_mu_law(samples: Samples) -> bytes:
    """16 bit samples of shape (time,) to mu-law bytes."""
    value = samples.astype(np.int32)
    magnitude = np.minimum(np.abs(value), MU_CLIP) + MU_BIAS
    segment = (np.frexp(magnitude.astype(np.float64))[1] - 8).clip(0, 7)
    code = np.where(value < 0, 0x80, 0) | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0F)
    return bytes((~code & 0xFF).astype(np.uint8))
