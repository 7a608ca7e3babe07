"""A live call: messages of any door in, media records out, with time kept on the call's grid.

Pure: the same messages give the same records, whenever they arrive. Frames are placed by their timestamps; what is
missing becomes a MediaGap and is never closed up. Frames that come twice are dropped, frames that overtake each other
are sorted within a bound, and a channel that falls silent on the wire does not hold the others back for longer than
`MAX_SKEW_MS` of call time. Knows nothing of sockets and dialects.
"""

from __future__ import annotations

import heapq
from collections import deque

from processors.ingest.chunks import BYTES_PER_SAMPLE, CHUNK_MS, ChannelGrid
from processors.ingest.media import MediaRecord
from processors.records import AgentJoined, CallEnded, CallStarted, Encoding, HoldChanged

JITTER_MS = 20
"""Timestamps may be off by less than this, or less than the frame if that is shorter, without meaning a gap."""
REORDER_MS = 100
"""A frame that is early waits for the missing ones until there is so much audio behind the hole."""
REORDER_FRAMES = 64
MAX_SKEW_MS = 1_000
"""A channel that is further behind the other one gets a gap up to `SKEW_LEFT_MS` behind it."""
SKEW_LEFT_MS = 500
REMEMBERED_FRAMES = 64
"""Frames of a channel looked at for repeats."""


class Track:
    """One channel: puts frames in order and says where audio is missing."""

    __slots__ = ("_bytes_per_s", "_early", "_grid", "_newest_ms", "_recent", "_turn", "dropped")

    def __init__(self, grid: ChannelGrid) -> None:
        self._grid = grid
        self._bytes_per_s = grid.rate_hz * BYTES_PER_SAMPLE[grid.encoding]
        self._early: list[tuple[int, int, bytes]] = []  # heap of (timestamp, turn, payload)
        self._recent: deque[tuple[int, int | None]] = deque(maxlen=REMEMBERED_FRAMES)
        self._newest_ms = -1  # largest timestamp so far
        self._turn = 0
        self.dropped = 0  # frames that came twice or too late

    @property
    def end_ms(self) -> int:
        """Call time up to which the channel is known."""
        return self._grid.end_ms

    def frame(self, timestamp_ms: int | None, number: int | None, payload: bytes) -> list[MediaRecord]:
        """A frame of audio; without a timestamp it follows the one before. `number` tells repeats from jitter."""
        if timestamp_ms is None:
            return [*self._grid.push(payload)]
        if timestamp_ms > self._newest_ms:  # nearly always, and then it cannot be a repeat
            self._newest_ms = timestamp_ms
            self._recent.append((timestamp_ms, number))
            if not self._early and abs(timestamp_ms - self._grid.end_ms) < self._jitter_ms(payload):
                return [*self._grid.push(payload)]
        elif (timestamp_ms, number) in self._recent:
            self.dropped += 1
            return []
        else:
            self._recent.append((timestamp_ms, number))
        self._turn += 1
        heapq.heappush(self._early, (timestamp_ms, self._turn, payload))
        return self._settle(len(self._early) > REORDER_FRAMES)

    def _settle(self, overdue: bool) -> list[MediaRecord]:
        """Take over the frames that are due, in order; when they are overdue, whatever is missing before them."""
        records: list[MediaRecord] = []
        while self._early:
            timestamp_ms, _, payload = self._early[0]
            frame_ms, jitter_ms = self._ms(len(payload)), self._jitter_ms(payload)
            ahead_ms = timestamp_ms - self._grid.end_ms
            if ahead_ms >= jitter_ms:
                if not overdue and sum(self._ms(len(frame[2])) for frame in self._early) <= REORDER_MS:
                    break
                records += self._grid.gap_until(timestamp_ms, "lost")
            heapq.heappop(self._early)
            known_ms = -ahead_ms if -ahead_ms >= jitter_ms else 0
            if known_ms and known_ms >= frame_ms:
                self.dropped += 1
            else:
                records += self._grid.push(payload[known_ms * self._bytes_per_s // 1000 :])
        return records

    def _jitter_ms(self, payload: bytes) -> int:
        return max(1, min(self._ms(len(payload)), JITTER_MS))

    def _ms(self, size: int) -> int:
        return size * 1000 // self._bytes_per_s

    def advance(self, until_ms: int, reason: str) -> list[MediaRecord]:
        """Give up waiting: take over everything up to `until_ms` and leave a gap for the rest."""
        records: list[MediaRecord] = []
        while self._early and self._early[0][0] < until_ms:
            records += self._settle(True)
        return [*records, *self._grid.gap_until(until_ms, reason)]

    def finish(self) -> list[MediaRecord]:
        """Take over what waits and give out the last chunk."""
        return [*self._settle(True), *self._grid.flush()]


class LiveCall:
    """The media records of one call, from its start to its one end."""

    def __init__(self, start: CallStarted, encoding: Encoding, rate_hz: int) -> None:
        self.start = start
        self.ended = False
        self._held = False
        self._tracks = [
            Track(ChannelGrid(start.call_id, channel, encoding, rate_hz)) for channel in range(len(start.channels))
        ]

    @property
    def end_ms(self) -> int:
        """Call time of the newest audio."""
        return max(track.end_ms for track in self._tracks)

    @property
    def dropped(self) -> int:
        """Frames that came twice or too late."""
        return sum(track.dropped for track in self._tracks)

    def audio(self, channel: int, timestamp_ms: int | None, number: int | None, payload: bytes) -> list[MediaRecord]:
        """A frame of audio of one channel."""
        if self.ended:
            return []
        records = self._tracks[channel].frame(timestamp_ms, number, payload)
        newest_ms = self._tracks[channel].end_ms
        for other in self._tracks:
            if other.end_ms < newest_ms - MAX_SKEW_MS:
                records += other.advance(newest_ms - SKEW_LEFT_MS, "late")
        return records

    def hold(self, held: bool) -> list[MediaRecord]:
        """The call is put on hold or taken back; saying it twice says nothing new."""
        if self.ended or held == self._held:
            return []
        self._held = held
        return [HoldChanged(call_id=self.start.call_id, call_ms=self.end_ms, held=held)]

    def agent_joined(self, agent_id: str, team_id: str) -> list[MediaRecord]:
        """Another agent takes over."""
        if self.ended:
            return []
        return [AgentJoined(call_id=self.start.call_id, call_ms=self.end_ms, agent_id=agent_id, team_id=team_id)]

    def end(self, reason: str, detail: str = "") -> list[MediaRecord]:
        """The last records; frames that were still on their way when the call was cut give none."""
        if self.ended:
            return []
        self.ended = True
        records = [record for track in self._tracks for record in track.finish()]
        end_ms = self.end_ms
        for track in self._tracks:
            if track.end_ms <= end_ms - CHUNK_MS:
                records += track.advance(end_ms, "late")
        return [
            *records,
            CallEnded(
                call_id=self.start.call_id,
                call_ms=end_ms,
                at_ms=self.start.at_ms + end_ms,
                reason=reason,
                detail=detail,
            ),
        ]
