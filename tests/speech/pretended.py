"""Audio that says what it says by its level, and networks that hear it: the whole core without a model.

A character of a script lasts 240 ms at a level of its own; a space is silence. `Levels` hears a character wherever the
level at the middle of a frame changes to one that is in its table. It remembers the last character by slot, as a
network does in its cache, so that a slot that is shared or not begun anew is heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from processors.records import AudioChunk, CallEnded, CallStarted, Encoding, Role
from processors.speech.batch import step
from processors.speech.partitions import Partition
from processors.speech.recogniser import HALF_WINDOW, HOP, Grid, Piece, VadState, Work, first_sample
from processors.speech.resample import Audio
from processors.speech.slots import Slots
from processors.speech.timeline import Effort, TimelineRecord
from processors.speech.vad import VAD_CONTEXT

CHARACTERS = "您好请问还款审批利率再见投诉"
CHARACTER_MS = 240
LOWEST, STEP = 0.2, 0.05
GRID = Grid(first_features=9, features=16, frames=2, frame_ms=80, vocabulary=tuple(CHARACTERS))
AT_MS = 1_790_000_000_000


class Levels:
    """A recogniser of such audio; see `recogniser.Recogniser`."""

    def __init__(self, slots: int = 64) -> None:
        self.grid = GRID
        self.slots = Slots(slots)
        self.batches: list[int] = []
        self._last = [-1] * slots

    def speech(self, states: Sequence[VadState], windows: Sequence[Audio]) -> tuple[list[list[float]], list[VadState]]:
        heard = [[float(np.abs(one[VAD_CONTEXT:]).mean() > LOWEST / 2) for one in channel] for channel in windows]
        return heard, [state + len(channel) for state, channel in zip(states, windows, strict=True)]

    def open(self) -> int | None:
        return self.slots.take()

    def close(self, slot: int) -> None:
        self.slots.give_back(slot)

    def transcribe(self, works: Sequence[Work]) -> list[list[Piece]]:
        self.batches.append(len(works))
        return [self._hear(work) for work in works]

    def _hear(self, work: Work) -> list[Piece]:
        grid = self.grid
        begin = first_sample(grid, work.chunk)
        assert len(work.samples) == grid.samples_until(work.chunk + work.chunks) - begin
        last = -1 if work.chunk == 0 else self._last[work.slot]
        pieces = []
        for frame in range(work.chunk * grid.frames, (work.chunk + work.chunks) * grid.frames):
            middle = frame * grid.frame_ms * 16
            around = work.samples[max(0, middle - HOP - begin) : middle + HALF_WINDOW - begin]
            level = float(np.median(np.abs(around)))
            token = round((level - LOWEST) / STEP) if level > LOWEST / 2 else -1
            if token >= 0 and token != last:
                pieces.append(Piece(min(token, len(CHARACTERS) - 1), frame, frame, 0.9))
            last = token
        self._last[work.slot] = last
        return pieces


def spoken(script: str, rate_hz: int = 8_000) -> NDArray[np.int16]:
    """Samples of a script."""
    size = rate_hz * CHARACTER_MS // 1000
    levels = [0.0 if sign == " " else LOWEST + STEP * CHARACTERS.index(sign) for sign in script]
    return np.repeat(np.array(levels) * 32_767, size).astype(np.int16)


def started(call_id: str = "c", roles: tuple[Role, ...] = ("agent", "customer")) -> CallStarted:
    return CallStarted(call_id=call_id, at_ms=AT_MS, lane="live", channels=roles)


def ended(call_ms: int, call_id: str = "c") -> CallEnded:
    return CallEnded(call_id=call_id, call_ms=call_ms, at_ms=AT_MS + call_ms)


def chunk(
    samples: NDArray[np.int16], start_ms: int, channel: int = 0, call_id: str = "c", rate_hz: int = 8_000
) -> AudioChunk:
    encoding: Encoding = "pcm_s16le"
    return AudioChunk(
        call_id=call_id, channel=channel, seq=0, start_ms=start_ms, encoding=encoding, sample_rate_hz=rate_hz,
        payload=samples.astype("<i2").tobytes(),
    )  # fmt: skip


def chunks(
    samples: NDArray[np.int16], cuts_ms: Iterable[int], channel: int = 0, call_id: str = "c", rate_hz: int = 8_000
) -> Iterator[AudioChunk]:
    """The samples in chunks that begin at these milliseconds."""
    begins = sorted({0, *cuts_ms})
    for begin, end in zip(begins, [*begins[1:], len(samples) * 1000 // rate_hz + 1], strict=True):
        part = samples[begin * rate_hz // 1000 : end * rate_hz // 1000]
        if len(part):
            yield chunk(part, begin, channel, call_id, rate_hz)


def media(
    scripts: Sequence[str],
    call_id: str = "c",
    chunk_ms: int = 100,
    rate_hz: int = 8_000,
    roles: tuple[Role, ...] = ("agent", "customer"),
) -> list[object]:
    """A call with a script for each channel, its chunks in the order of time."""
    audio = [spoken(script, rate_hz) for script in scripts]
    end_ms = max(len(one) for one in audio) * 1000 // rate_hz
    made = [
        part
        for channel, samples in enumerate(audio)
        for part in chunks(samples, range(0, end_ms, chunk_ms), channel, call_id, rate_hz)
    ]
    return [started(call_id, roles), *sorted(made, key=lambda one: one.start_ms), ended(end_ms, call_id)]


def listen(
    records: Sequence[object], models: Levels | None = None, every: int = 1, effort: Effort | None = None
) -> list[TimelineRecord]:
    """The timelines of media, with a step behind each `every` records."""
    models = models or Levels()
    partition = Partition(models.grid)
    out: list[TimelineRecord] = []
    for offset, record in enumerate(records):
        _, began = partition.take(record, offset, 0.0)  # type: ignore[arg-type]
        out += [began] if began else []
        if (offset + 1) % every == 0:
            out += advance(partition, models, effort)
    return out + settle(partition, models, effort)


def advance(partition: Partition, models: Levels, effort: Effort | None = None) -> list[TimelineRecord]:
    """One step over the calls of a partition; calls that are over are taken off it."""
    result = step([entry.call for entry in partition.entries.values()], models, effort or Effort())
    for call, record in result.records:
        if isinstance(record, CallEnded):
            partition.finish(call.call_id)
    return [record for _, record in result.records]


def settle(partition: Partition, models: Levels, effort: Effort | None = None) -> list[TimelineRecord]:
    """Steps until nothing more comes."""
    out: list[TimelineRecord] = []
    while True:
        before = [(entry.call.block, len(entry.call.plans)) for entry in partition.entries.values()]
        out += advance(partition, models, effort)
        if before == [(entry.call.block, len(entry.call.plans)) for entry in partition.entries.values()]:
            return out
