"""What the core asks of the models. `model` answers with networks, tests with lists.

A stream is the audio of one utterance, cut into chunks of equal length on a grid that begins with it. A slot holds what
the network remembers of a stream; it is taken when an utterance begins and freed when it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from processors.speech.resample import Audio
from processors.speech.wording import Wording

HOP = 160
"""Samples between two frames of features at 16 kHz."""
HALF_WINDOW = 200
"""A frame of features looks so many samples to both sides."""

VadState = NDArray[np.float32]
"""Memory of the voice activity network for one channel, shape (2, 128)."""


@dataclass(frozen=True, slots=True)
class Grid:
    """How the samples of a stream become chunks and frames of the encoder."""

    first_features: int  # frames of features in chunk 0
    features: int  # in every later chunk
    frames: int  # of the encoder, per chunk
    frame_ms: int
    vocabulary: tuple[str, ...]  # text of each token, "▁" at the beginning of a word
    wording: Wording | None = None  # decides where what was heard is in doubt

    def features_until(self, chunks: int) -> int:
        """Frames of features in the first `chunks` chunks."""
        return self.first_features + self.features * (chunks - 1) if chunks else 0

    def samples_until(self, chunks: int) -> int:
        """Samples of a stream that its first `chunks` chunks need."""
        return HOP * (self.features_until(chunks) - 1) + HALF_WINDOW if chunks else 0

    def chunks_within(self, samples: int) -> int:
        """How many chunks are complete when so many samples are there."""
        features = (samples - HALF_WINDOW) // HOP + 1
        return max(0, (features - self.first_features) // self.features + 1)

    def chunks_over(self, samples: int) -> int:
        """The least number of chunks that reaches so far."""
        chunks = self.chunks_within(samples)
        return chunks if self.samples_until(chunks) >= samples else chunks + 1


class Piece(NamedTuple):
    """A token that was recognised."""

    token: int
    frame: int  # of the encoder, from the start of the stream
    last_frame: int  # up to which it lasts
    confidence: float
    others: tuple[int, ...] = ()  # tokens that it may have been instead, the likeliest first


@dataclass(frozen=True, slots=True)
class Work:
    """Chunks of one stream that are next."""

    slot: int
    chunk: int  # number of the first one; 0 begins the stream
    chunks: int
    samples: Audio
    """From `first_sample(...)` of the first chunk to `samples_until` of the last one."""


def first_sample(grid: Grid, chunk: int) -> int:
    """Index within the stream of the first sample that the chunk needs; one more than the window, for pre-emphasis."""
    return HOP * grid.features_until(chunk) - HALF_WINDOW - 1 if chunk else 0


class Recogniser(Protocol):
    """Voice activity and transcription over batches."""

    grid: Grid

    def speech(self, states: Sequence[VadState], windows: Sequence[Audio]) -> tuple[list[list[float]], list[VadState]]:
        """Probability of speech for each window of each channel, and the states behind them.

        Windows of a channel are in order, of shape (windows, `VAD_CONTEXT` + `WINDOW`).
        """
        ...

    def open(self) -> int | None:
        """Take a slot; None when all are taken."""
        ...

    def close(self, slot: int) -> None:
        """Free a slot."""
        ...

    def transcribe(self, works: Sequence[Work]) -> list[list[Piece]]:
        """New tokens of each stream, in order. A stream appears once at most."""
        ...
