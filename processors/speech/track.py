"""The audio of one channel on the time line of its call, whatever way it arrives.

A chunk is placed by its time: what is there already is dropped (chunks that come twice or too late), what is missing is
silence and is counted. Blocks come out when nothing that could still arrive changes them. Pure; does not know what the
samples mean.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processors.records import AudioChunk
from processors.runtime.errors import BadRecord
from processors.speech.codec import Samples16, decode
from processors.speech.resample import BLOCK_MS, Audio, margin, position, resample_block

LEAST_RATE_HZ = 8_000
MOST_RATE_HZ = 48_000
JITTER_MS = 2
"""Start times are whole milliseconds: so much off still means that a chunk follows the one before."""
MOST_AHEAD_MS = 2 * 3_600_000
"""A chunk or a gap that would reach further beyond what is known is an error of the writer, not silence."""
FULL_SCALE = np.float32(1 / 32_768)


@dataclass(slots=True)
class _Span:
    start: int
    samples: Samples16


class Track:
    """Samples of a channel from block `first` on."""

    __slots__ = ("_ended_ms", "_first", "_known", "_offsets", "_spans", "rate_hz")

    def __init__(self, first: int = 0, rate_hz: int = 0) -> None:
        self._first = first
        self._spans: deque[_Span] = deque()
        self._offsets: deque[tuple[int, int]] = deque()  # index behind the samples of a record, and its offset
        self._ended_ms: int | None = None
        self.rate_hz = rate_hz  # 0 until the first chunk
        self._known = self._begin()  # index behind the last sample that is settled

    def _begin(self) -> int:
        """Index of the first sample that is needed."""
        rate_hz = self.rate_hz or LEAST_RATE_HZ
        return max(0, position(self._first, rate_hz) - margin(rate_hz))

    @property
    def known_ms(self) -> int:
        """Call time up to which the channel is settled, rounded up."""
        rate_hz = self.rate_hz or LEAST_RATE_HZ
        return -(-self._known * 1000 // rate_hz)

    @property
    def blocks(self) -> int:
        """Number of blocks from the start of the call that can be read."""
        if self._ended_ms is not None:
            return -(-self._ended_ms // BLOCK_MS)
        rate_hz = self.rate_hz or LEAST_RATE_HZ
        return (self._known - margin(rate_hz)) * 1000 // (rate_hz * BLOCK_MS)

    @property
    def needed_offset(self) -> int | None:
        """Offset of the oldest record whose audio may be read again after a crash."""
        return self._offsets[0][1] if self._offsets else None

    @property
    def held_ms(self) -> int:
        """Audio that is held, for the bound on memory."""
        return sum(len(span.samples) for span in self._spans) * 1000 // (self.rate_hz or LEAST_RATE_HZ)

    def add(self, chunk: AudioChunk, offset: int) -> int:
        """Place a chunk; return the milliseconds that were missing before it. BadRecord when it can not be."""
        self._check(chunk)
        samples = decode(chunk.payload, chunk.encoding)
        if not self.rate_hz:
            known_ms = self.known_ms
            self.rate_hz = chunk.sample_rate_hz
            self._known = max(self._begin(), known_ms * self.rate_hz // 1000)
        start = chunk.start_ms * self.rate_hz // 1000
        if abs(start - self._known) <= JITTER_MS * self.rate_hz // 1000:
            start = self._known
        missing = start - self._known
        if missing < 0:
            samples = samples[-missing:]
            start = self._known
        if len(samples):
            self._spans.append(_Span(start, samples))
            self._known = start + len(samples)
            self._offsets.append((self._known, offset))
            return max(0, missing) * 1000 // self.rate_hz
        return 0

    def _check(self, chunk: AudioChunk) -> None:
        rate_hz = chunk.sample_rate_hz
        if not LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
            raise BadRecord(f"{rate_hz} Hz is no sample rate between {LEAST_RATE_HZ} and {MOST_RATE_HZ} Hz")
        if self.rate_hz and rate_hz != self.rate_hz:
            raise BadRecord(f"the sample rate changed within the channel, from {self.rate_hz} to {rate_hz} Hz")
        self._check_ahead(chunk.start_ms)

    def _check_ahead(self, until_ms: int) -> None:
        if until_ms < 0 or until_ms > self.known_ms + MOST_AHEAD_MS:
            raise BadRecord(f"call time {until_ms} ms is not within two hours of the audio so far ({self.known_ms} ms)")

    def skip(self, until_ms: int) -> int:
        """Nothing will come before this call time any more; return the milliseconds that are missing now."""
        self._check_ahead(until_ms)
        rate_hz = self.rate_hz or LEAST_RATE_HZ
        missing_ms = max(0, until_ms - self.known_ms)
        self._known = max(self._known, until_ms * rate_hz // 1000)
        return missing_ms

    def end(self, at_ms: int) -> None:
        """Nothing comes any more, and the channel lasts until this call time."""
        self._ended_ms = max(0, at_ms)

    def block(self, number: int) -> tuple[Audio | None, int]:
        """A block at 16 kHz, None when nothing of it ever came, and how many milliseconds of it did come."""
        rate_hz = self.rate_hz or LEAST_RATE_HZ
        first, behind = position(number, rate_hz), position(number + 1, rate_hz)
        start, end = first - margin(rate_hz), behind + margin(rate_hz)
        samples: NDArray[np.float32] | None = None
        heard = 0
        for span in self._spans:
            left, right = max(start, span.start), min(end, span.start + len(span.samples))
            if left >= right:
                if span.start >= end:
                    break
                continue
            if samples is None:
                samples = np.zeros(end - start, np.float32)
            samples[left - start : right - start] = span.samples[left - span.start : right - span.start]
            heard += max(0, min(behind, right) - max(first, left))
        if samples is None:
            return None, 0
        samples *= FULL_SCALE
        return resample_block(samples, rate_hz), heard * 1000 // rate_hz

    def forget(self, number: int) -> None:
        """Blocks before this one were read."""
        start = self._needed(number)
        while self._spans and self._spans[0].start + len(self._spans[0].samples) <= start:
            self._spans.popleft()

    def release(self, number: int) -> None:
        """Blocks before this one will not be read again, not even after a crash."""
        start = self._needed(number)
        while self._offsets and self._offsets[0][0] <= start:
            self._offsets.popleft()

    def _needed(self, number: int) -> int:
        rate_hz = self.rate_hz or LEAST_RATE_HZ
        return position(number, rate_hz) - margin(rate_hz)
