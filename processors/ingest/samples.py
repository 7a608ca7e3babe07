"""Turns interleaved samples of a file into one payload per channel, as AudioChunks carry them.

G.711 at 8 kHz stays as it is; everything else becomes little-endian 16 bit PCM at the file's own rate. Pure: no files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.ingest import g711
from processors.records import Encoding

TELEPHONE_RATE_HZ = 8_000
FULL_SCALE = 32_767


def payload_encoding(kind: str, rate_hz: int) -> Encoding:
    """Encoding of the chunks of a file with samples of this kind (see `wav.ENCODINGS`)."""
    if rate_hz == TELEPHONE_RATE_HZ and kind == "pcmu":
        return "pcmu"
    if rate_hz == TELEPHONE_RATE_HZ and kind == "pcma":
        return "pcma"
    return "pcm_s16le"


def split_channels(block: bytes, kind: str, bits: int, channels: int, encoding: Encoding) -> list[bytes]:
    """One payload per channel out of whole frames of interleaved samples."""
    if encoding != "pcm_s16le":
        return [block[channel::channels] for channel in range(channels)]
    samples = _TO_INT16[kind, bits](block).reshape(-1, channels)
    return [np.ascontiguousarray(samples[:, channel], dtype="<i2").tobytes() for channel in range(channels)]


def float_to_int16(values: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
    """Full scale is 1.0; louder is clipped, and what is not a number is silence."""
    scaled = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0) * FULL_SCALE
    return np.rint(scaled).clip(-FULL_SCALE - 1, FULL_SCALE).astype(np.int16)


def _from_24_bits(block: bytes) -> NDArray[np.int16]:
    """The two upper bytes of each three."""
    return np.ascontiguousarray(np.frombuffer(block, np.uint8).reshape(-1, 3)[:, 1:]).view("<i2").ravel()


_TO_INT16: dict[tuple[str, int], Callable[[bytes], NDArray[np.int16]]] = {
    ("pcm", 8): lambda block: (np.frombuffer(block, np.uint8).astype(np.int16) - 128) << 8,
    ("pcm", 16): lambda block: np.frombuffer(block, "<i2"),
    ("pcm", 24): _from_24_bits,
    ("pcm", 32): lambda block: (np.frombuffer(block, "<i4") >> 16).astype(np.int16),
    ("float", 32): lambda block: float_to_int16(np.frombuffer(block, "<f4")),
    ("float", 64): lambda block: float_to_int16(np.frombuffer(block, "<f8")),
    ("pcmu", 8): lambda block: g711.decode(block, "pcmu"),
    ("pcma", 8): lambda block: g711.decode(block, "pcma"),
}
