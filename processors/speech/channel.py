"""One channel of a call: its blocks, what voice activity says of them, its utterances and their progress.

Pure: audio and probabilities go in, block by block. The networks run between `read` and `observe` and between `observe`
and the end of the step, over the channels of all calls at once (`batch`).
"""

from __future__ import annotations

import base64
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from processors.records import ChannelTick, Role
from processors.speech.recogniser import Grid, Piece, VadState, Work, first_sample
from processors.speech.resample import BLOCK, BLOCK_MS, Audio
from processors.speech.track import Track
from processors.speech.utterances import Closed, Segmenter
from processors.speech.vad import VAD_CONTEXT, WINDOW, WINDOW_MS, VoiceActivity

WINDOWS = BLOCK // WINDOW
"""Windows of a block."""
QUIET_PEAK = 1e-3
"""A block that is nowhere louder (-60 dBFS) is silence, whatever the network would say."""
TAIL_MS = 320
"""Audio behind the last speech that an utterance's stream hears: the network is late with the last character."""
LEAST_TAIL_MS = 192
ACTIVITY_WINDOWS = 25_000 // WINDOW_MS
"""How far back the speech of the other channel is remembered; longer than any utterance."""
SILENCE_DB = -100.0


def empty_state() -> VadState:
    """Of a channel that begins."""
    return np.zeros((2, 128), np.float32)


@dataclass(slots=True)
class Stream:
    """An utterance on its way through the network."""

    number: int
    zero: int  # sample of the call at which its audio begins; may be negative
    start: int  # window
    due: int = 0  # chunks that may run
    done: int = 0  # chunks that ran
    slot: int | None = None
    closed: Closed | None = None
    pieces: list[Piece] = field(default_factory=list)
    said: str = ""  # text of the latest Partial

    @property
    def settled(self) -> bool:
        """Whether everything that may run has run."""
        return self.done >= self.due


@dataclass(slots=True)
class Observed:
    """What a channel says about one block."""

    closed: list[Stream]
    going: tuple[Stream, int] | None  # the open stream and the chunks it is due
    ticks: dict[int, ChannelTick]  # by second


class Channel:
    """State of one channel. `audio` holds the blocks that open utterances still need."""

    def __init__(self, index: int, role: Role, grid: Grid, first: int = 0, rate_hz: int = 0) -> None:
        self.index = index
        self.role: Role = role
        self._grid = grid
        self.track = Track(first, rate_hz)
        self.vad = empty_state()
        self.voice = VoiceActivity()
        self.segments = Segmenter()
        self.streams: list[Stream] = []  # not finished, oldest first
        self._blocks: deque[Audio | None] = deque()
        self._first_block = first  # number of the first of them
        self._levels: deque[float] = deque()  # mean square of each window of `_blocks`
        self.activity: deque[list[int]] = deque()  # spans of speech [from window, to window)
        self.speech_windows = 0
        self.heard_ms = 0
        self._second = [0.0, 0.0]  # sum of mean squares and number of windows since the last tick

    # Reading

    @property
    def read_blocks(self) -> int:
        """Number of blocks read so far, from the start of the call."""
        return self._first_block + len(self._blocks)

    def read(self, again: bool = False) -> Audio | None:
        """Take the next block off the track; the windows that voice activity must look at, None when it is silent.

        `again`: the block was observed before the call was stored, and is only audio now.
        """
        number = self.read_blocks
        block, heard_ms = self.track.block(number)
        self.heard_ms += 0 if again else heard_ms
        self._blocks.append(block)
        if block is None:
            self._levels.extend([0.0] * WINDOWS)
        else:
            squares = block.reshape(WINDOWS, WINDOW)
            self._levels.extend(np.einsum("ij,ij->i", squares, squares).tolist())
        self.track.forget(number + 1)
        if again or block is None or float(np.abs(block).max()) < QUIET_PEAK:
            return None
        seen = np.concatenate([self.audio(number * BLOCK - VAD_CONTEXT, number * BLOCK), block])
        return np.lib.stride_tricks.sliding_window_view(seen, VAD_CONTEXT + WINDOW)[::WINDOW]

    def audio(self, start: int, end: int) -> Audio:
        """Samples of the call from `start` to `end`, silence where there are none."""
        result = np.zeros(end - start, np.float32)
        for number in range(max(start // BLOCK, self._first_block), min(-(-end // BLOCK), self.read_blocks)):
            block = self._blocks[number - self._first_block]
            if block is not None:
                left, right = max(start, number * BLOCK), min(end, (number + 1) * BLOCK)
                result[left - start : right - start] = block[left - number * BLOCK : right - number * BLOCK]
        return result

    def _level(self, window: int) -> float:
        return self._levels[window - self._first_block * WINDOWS]

    def _quietest(self, start: int, end: int) -> int:
        """The quietest window; of equally quiet ones the latest."""
        return min(range(start, end), key=lambda window: (self._level(window), -window))

    # Deciding

    def observe(self, number: int, probabilities: list[float] | None) -> Observed:
        """Voice activity of one block (None: silent) to what begins, goes on and ends with it."""
        closed: list[Stream] = []
        ticks: dict[int, ChannelTick] = {}
        for place in range(WINDOWS):
            window = number * WINDOWS + place
            speech = self.voice.observe(probabilities[place] if probabilities else 0.0)
            if speech:
                self._mark(window)
            over = self.segments.observe(window, speech, self._quietest)
            if over:
                closed.append(self._close(over, number))
            if self.segments.open and not (self.streams and self.streams[-1].closed is None):
                opened = self.segments.open
                self.streams.append(Stream(opened.number, opened.lead * WINDOW, opened.start))
            self._second[0] += self._level(window)
            self._second[1] += WINDOW
            end_ms = (window + 1) * WINDOW_MS
            if end_ms // 1000 > (end_ms - WINDOW_MS) // 1000:
                ticks[end_ms // 1000] = self._tick(end_ms // 1000 * 1000, window + 1)
        going = None
        if self.segments.open:
            stream = self.streams[-1]
            limit = min((number + 1) * BLOCK, (self.segments.open.last + 1) * WINDOW + TAIL_MS * 16)
            stream.due = max(stream.due, self._grid.chunks_within(limit - stream.zero))
            going = (stream, stream.due)
        return Observed(closed, going, ticks)

    def _mark(self, window: int) -> None:
        self.speech_windows += 1
        if self.activity and self.activity[-1][1] == window:
            self.activity[-1][1] = window + 1
        else:
            self.activity.append([window, window + 1])
        while self.activity[0][1] < window - ACTIVITY_WINDOWS:
            self.activity.popleft()

    def _tick(self, call_ms: int, window: int) -> ChannelTick:
        mean = self._second[0] / self._second[1] if self._second[1] else 0.0
        self._second = [0.0, 0.0]
        return ChannelTick(
            channel=self.index,
            final_until_ms=min(call_ms, self.segments.final_until(window) * WINDOW_MS),
            speech_ms=self.speech_windows * WINDOW_MS,
            level_db=decibels(mean),
        )

    def _close(self, over: Closed, number: int) -> Stream:
        stream = self.streams[-1]
        stream.closed = over
        least = over.end * WINDOW + (0 if over.cut else LEAST_TAIL_MS * 16)
        stream.due = max(stream.due, self._grid.chunks_over(least - stream.zero))
        return stream

    def end(self) -> list[Stream]:
        """The call is over: close what is open."""
        over = self.segments.close()
        return [self._close(over, self.read_blocks - 1)] if over else []

    # Transcribing

    def work(self, stream: Stream, chunks: int) -> Work:
        """The next chunks of a stream that has a slot; past the end of the call there is silence."""
        assert stream.slot is not None
        start = stream.zero + first_sample(self._grid, stream.done)
        end = stream.zero + self._grid.samples_until(stream.done + chunks)
        return Work(stream.slot, stream.done, chunks, self.audio(start, end))

    def finish(self, stream: Stream) -> None:
        """The stream's utterance was emitted: its audio is not needed any more."""
        self.streams.remove(stream)

    def trim(self) -> None:
        """Forget the blocks that nobody needs any more."""
        needed = self.needed_block
        while self._first_block < needed and self._blocks:
            self._blocks.popleft()
            self._first_block += 1
            for _ in range(WINDOWS):
                self._levels.popleft()
        self.track.release(needed)

    @property
    def needed_block(self) -> int:
        """First block that an open stream, the onset of the next one or the network's context needs."""
        needed = min([self.read_blocks - 4, *(stream.zero // BLOCK for stream in self.streams)])
        return max(self._first_block, needed)

    def overlap_ms(self, start: int, end: int) -> int:
        """Speech of this channel within windows [start, end)."""
        return sum(max(0, min(end, b) - max(start, a)) for a, b in self.activity) * WINDOW_MS

    # Storing

    def dump(self) -> dict[str, Any]:
        """Plain values to go on from, when all audio from `needed_block` on is read again. All streams are open."""
        return {
            "rate_hz": self.track.rate_hz,
            "from_block": self.needed_block,
            "vad": base64.b64encode(self.vad.tobytes()).decode(),
            "speaking": self.voice.speaking,
            "segments": self.segments.dump(),
            "activity": [list(span) for span in self.activity],
            "speech_windows": self.speech_windows,
            "heard_ms": self.heard_ms,
            "second": list(self._second),
        }

    @classmethod
    def load(cls, index: int, role: Role, grid: Grid, plain: dict[str, Any]) -> Channel:
        """From the plain values of `dump`. Blocks up to the stored point are then read, but not observed again."""
        channel = cls(index, role, grid, plain["from_block"], plain["rate_hz"])
        channel.vad = np.frombuffer(base64.b64decode(plain["vad"]), np.float32).reshape(2, 128).copy()
        channel.voice = VoiceActivity(plain["speaking"])
        channel.segments = Segmenter.load(plain["segments"])
        channel.activity = deque([list(span) for span in plain["activity"]])
        channel.speech_windows = plain["speech_windows"]
        channel.heard_ms = plain["heard_ms"]
        channel._second = list(plain["second"])
        opened = channel.segments.open
        if opened:
            channel.streams.append(Stream(opened.number, opened.lead * WINDOW, opened.start))
        return channel


def decibels(mean_square: float) -> float:
    """Level in dBFS to a tenth."""
    return round(10 * math.log10(mean_square), 1) if mean_square > 1e-10 else SILENCE_DB


def block_of(call_ms: int) -> int:
    """Number of the block in which this call time lies."""
    return call_ms // BLOCK_MS
