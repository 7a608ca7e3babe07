"""One call: media records in, its timeline out. Pure, apart from the networks that run between the steps.

All channels of a call go forward together, block by block of 160 ms. What a block brings is laid down as a `Plan`; the
plan is carried out when the network has caught up with it, and plans are carried out in order. So the timeline is a
function of the media records alone: neither batches nor speed change it, only overload thins out its Partials.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from processors.records import AgentJoined, AudioChunk, CallEnded, CallStarted, ChannelTick, HoldChanged, MediaGap
from processors.runtime.errors import BadRecord
from processors.speech.channel import Channel, Observed, Stream
from processors.speech.coverage import Skips
from processors.speech.recogniser import Grid
from processors.speech.resample import BLOCK_MS, Audio

LATE_MS = 3_000
"""A channel that is so far behind the other one is taken to be silent: it does not hold the call back any longer."""
MOST_CHANNELS = 2
Passing = HoldChanged | AgentJoined | MediaGap
"""Records that go through to the timeline at their call time."""


@dataclass(slots=True)
class Plan:
    """What one block brings to the timeline, in this order."""

    until_ms: int
    passing: list[Passing]
    closed: list[tuple[Channel, Stream]]
    going: list[tuple[Channel, Stream, int]]
    ticks: list[tuple[int, tuple[ChannelTick, ...]]]
    ended: CallEnded | None = None

    @property
    def ready(self) -> bool:
        """Whether the network has heard what the plan's utterances need."""
        return all(stream.settled for _, stream in self.closed)

    def ready_for_partials(self) -> bool:
        """Whether it has also heard what its partials need."""
        return self.ready and all(stream.done >= due for _, stream, due in self.going)


class Call:
    """State of one call."""

    def __init__(self, started: CallStarted, grid: Grid) -> None:
        if not 1 <= len(started.channels) <= MOST_CHANNELS:
            raise BadRecord(f"a call has 1 or 2 channels, not {len(started.channels)}")
        self.started = started
        self.channels = [Channel(index, role, grid) for index, role in enumerate(started.channels)]
        self.block = 0  # the next one to observe
        self.plans: deque[Plan] = deque()
        self.skips = Skips()
        self._passing: deque[tuple[int, Passing]] = deque()  # with their offsets, in the order they came
        self._passed = -1  # offset of the latest one that was emitted
        self._ended: CallEnded | None = None
        self.over = False

    @property
    def call_id(self) -> str:
        """Identity of the call."""
        return self.started.call_id

    @property
    def ending(self) -> bool:
        """Whether nothing comes any more."""
        return self._ended is not None

    @property
    def end_ms(self) -> int | None:
        """Length of the call; None while it goes on."""
        return None if self._ended is None else self._ended.call_ms

    # Media in

    def chunk(self, chunk: AudioChunk, offset: int) -> None:
        """A chunk of audio. BadRecord when it can not belong to this call."""
        channel = self._channel(chunk.channel)
        start_ms = channel.track.known_ms
        missing_ms = channel.track.add(chunk, offset)
        if missing_ms:
            self._gap(channel, start_ms, start_ms + missing_ms, "missing", offset)
        self._settle_late()

    def gap(self, gap: MediaGap, offset: int) -> None:
        """Audio that will not come. BadRecord when it can not belong to this call."""
        channel = self._channel(gap.channel)
        if gap.end_ms < gap.start_ms:
            raise BadRecord(f"a gap ends at {gap.end_ms} ms, before it begins at {gap.start_ms} ms")
        start_ms = max(gap.start_ms, channel.track.known_ms)
        if channel.track.skip(gap.end_ms):
            self._gap(channel, start_ms, gap.end_ms, gap.reason, offset)
        self._settle_late()

    def _gap(self, channel: Channel, start_ms: int, end_ms: int, reason: str, offset: int) -> None:
        gap = MediaGap(call_id=self.call_id, channel=channel.index, start_ms=start_ms, end_ms=end_ms, reason=reason)
        self._pass(gap, offset)

    def event(self, record: HoldChanged | AgentJoined, offset: int) -> None:
        """Something that happened at a call time."""
        self._pass(record, offset)

    def _pass(self, record: Passing, offset: int) -> None:
        if offset > self._passed:
            self._passing.append((offset, record))

    def end(self, ended: CallEnded) -> None:
        """Nothing comes any more."""
        if self._ended is not None:
            return
        known_ms = max(channel.track.known_ms for channel in self.channels)
        end_ms = min(max(ended.call_ms, known_ms), known_ms + 2 * 3_600_000)
        self._ended = replace(ended, call_ms=end_ms)
        for channel in self.channels:
            channel.track.end(end_ms)

    def _channel(self, index: int) -> Channel:
        if not 0 <= index < len(self.channels):
            raise BadRecord(f"channel {index} of a call with {len(self.channels)} channels")
        return self.channels[index]

    def _settle_late(self) -> None:
        """A channel that does not send does not hold the call back. One that is read again is not late."""
        furthest_ms = max(channel.track.known_ms for channel in self.channels)
        for channel in self.channels:
            if furthest_ms - max(channel.track.known_ms, self.block * BLOCK_MS) > LATE_MS:
                channel.track.skip(furthest_ms - LATE_MS)

    # Blocks

    def ready_blocks(self, most: int) -> int:
        """How many blocks can be observed now; what must be read again after a crash comes first."""
        known = min(channel.track.blocks for channel in self.channels)
        return max(0, min(most, known - self.block))

    def read(self, blocks: int) -> list[list[Audio | None]]:
        """Take blocks off the tracks: for each channel what voice activity must look at, block by block."""
        for channel in self.channels:
            while channel.read_blocks < self.block:
                channel.read(again=True)
        return [[channel.read() for _ in range(blocks)] for channel in self.channels]

    def observe(self, probabilities: list[list[float] | None]) -> None:
        """Lay down the plan of the next block from the probabilities of its windows, by channel."""
        seen = [channel.observe(self.block, each) for channel, each in zip(self.channels, probabilities, strict=True)]
        self.block += 1
        self._plan(seen)

    def _plan(self, seen: list[Observed]) -> None:
        until_ms = self.block * BLOCK_MS
        pairs = list(zip(self.channels, seen, strict=True))
        plan = Plan(
            until_ms,
            self._due_passing(until_ms),
            [(channel, stream) for channel, each in pairs for stream in each.closed],
            [(channel, *each.going) for channel, each in pairs if each.going],
            [
                (second * 1000, tuple(each.ticks[second] for each in seen))
                for second in seen[0].ticks
                if self._ended is None or second * 1000 <= self._ended.call_ms
            ],
        )
        self.plans.append(plan)

    def _due_passing(self, until_ms: int) -> list[Passing]:
        due: list[Passing] = []
        while self._passing and _call_ms(self._passing[0][1]) < until_ms:
            offset, record = self._passing.popleft()
            self._passed = offset
            due.append(record)
        return due

    def finish(self) -> None:
        """Lay down the plan of the end, when all blocks were observed."""
        if self._ended is None or self.over or self.ready_blocks(1):
            return
        self.over = True
        closed = [(channel, stream) for channel in self.channels for stream in channel.end()]
        end_ms = self._ended.call_ms
        self.plans.append(Plan(end_ms, [record for _, record in self._passing], closed, [], [], self._ended))
        self._passing.clear()

    def ready_plans(self, partials: bool) -> Iterator[Plan]:
        """Plans that can be carried out now, in order, each once."""
        while self.plans and (self.plans[0].ready_for_partials() if partials else self.plans[0].ready):
            yield self.plans.popleft()

    def streams(self) -> Iterator[tuple[Channel, Stream]]:
        """All utterances that are open or not finished."""
        for channel in self.channels:
            for stream in channel.streams:
                yield channel, stream

    # Storing

    @property
    def resting(self) -> bool:
        """Whether everything observed is on the timeline, so that the call can be stored as it is."""
        return not self.plans and not self.over and all(each.read_blocks >= self.block for each in self.channels)

    def needed_offset(self, behind: int) -> int:
        """The oldest offset that a restart from here must read again; `behind` when there is none."""
        offsets = [offset for offset, _ in list(self._passing)[:1]]
        for channel in self.channels:
            offset = channel.track.needed_offset
            if offset is not None:
                offsets.append(offset)
        return min([behind, *offsets])

    def dump(self) -> dict[str, Any]:
        """Plain values to go on from. Only while `resting`."""
        return {
            "block": self.block,
            "passed": self._passed,
            "skips": self.skips.dump(),
            "channels": [channel.dump() for channel in self.channels],
        }

    @classmethod
    def load(cls, started: CallStarted, grid: Grid, plain: dict[str, Any]) -> Call:
        """From the plain values of `dump`; audio from the needed offset on must be given again."""
        call = cls(started, grid)
        call.block = plain["block"]
        call._passed = plain["passed"]
        call.skips = Skips.load(plain["skips"])
        call.channels = [
            Channel.load(index, role, grid, each)
            for index, (role, each) in enumerate(zip(started.channels, plain["channels"], strict=True))
        ]
        return call


def _call_ms(record: Passing) -> int:
    return record.start_ms if isinstance(record, MediaGap) else record.call_ms
