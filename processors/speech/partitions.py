"""The calls of one partition of the media topic, and how far it may be committed. Pure.

The offset that is committed is the smallest that any open call needs to go on from its stored bookmark. After a crash
the media from there on are read again: what lies before a call's bookmark is skipped for that call, so it goes on at
the block where it was stored and says again, under the same ids, what it may have said since.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from processors.records import AgentJoined, AnyRecord, AudioChunk, CallEnded, CallStarted, HoldChanged, MediaGap
from processors.runtime.errors import BadRecord
from processors.speech.bookmarks import Bookmark
from processors.speech.calls import Call
from processors.speech.recogniser import Grid
from processors.speech.resample import BLOCK_MS

MOST_CLOSED = 10_000
"""Ended calls of a partition that are remembered, so that what comes late for them is known to be late."""
MOST_UNKNOWN = 1_000
"""Calls without a start that are remembered, so that each makes one dead letter and not a thousand."""

Media = AudioChunk | MediaGap | HoldChanged | AgentJoined | CallEnded


@dataclass(slots=True)
class Entry:
    """An open call."""

    call: Call
    offset: int  # of its start, or of its bookmark
    skip_before: int  # what lies before was taken in before the call was stored
    heard_at_s: float  # clock of the latest media
    ended_offset: int = -1
    stored: Bookmark | None = None


class Partition:
    """Calls by id."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.entries: dict[str, Entry] = {}
        self.position: int | None = None  # offset behind the last record that was taken in
        self.late = 0  # records that came after the end of their call
        self._closed: OrderedDict[str, int] = OrderedDict()  # offset of the end
        self._unknown: OrderedDict[str, None] = OrderedDict()
        self._over: list[tuple[str, Bookmark]] = []  # ended, not stored as such yet
        self._forget: list[tuple[str, int]] = []  # stored as ended; to be removed when committed

    def restore(self, bookmark: Bookmark, now_s: float) -> None:
        """Go on with a stored call, before any media."""
        call_id = bookmark.started.call_id
        if bookmark.state is None:
            self._close(call_id, bookmark.offset)
            self._forget.append((call_id, bookmark.offset))
            return
        call = Call.load(bookmark.started, self._grid, bookmark.state)
        self.entries[call_id] = Entry(call, bookmark.offset, bookmark.offset, now_s, stored=bookmark)

    def take(self, record: AnyRecord, offset: int, now_s: float) -> tuple[Call | None, CallStarted | None]:
        """Take in a record: the call that may go forward now, and a start that goes to the timeline.

        BadRecord when the record can not belong to a call; nothing has changed then.
        """
        self.position = offset + 1
        if isinstance(record, CallStarted):
            return self._start(record, offset, now_s)
        if not isinstance(record, Media):
            raise BadRecord(f"{type(record).__name__} does not belong on this topic")
        entry = self.entries.get(record.call_id)
        if entry is None:
            self._without_call(record.call_id, offset)
            return None, None
        if offset < entry.skip_before:
            return None, None
        if entry.ended_offset >= 0:
            self.late += 1
            return None, None
        entry.heard_at_s = now_s
        self._give(entry, record, offset)
        return entry.call, None

    def _start(self, started: CallStarted, offset: int, now_s: float) -> tuple[Call | None, CallStarted | None]:
        call_id = started.call_id
        if call_id in self.entries or self._closed.get(call_id, -1) >= offset:
            return None, None
        self.entries[call_id] = Entry(Call(started, self._grid), offset, offset, now_s)
        self._closed.pop(call_id, None)
        self._unknown.pop(call_id, None)
        return None, started

    def _without_call(self, call_id: str, offset: int) -> None:
        if call_id in self._closed:
            self.late += int(offset > self._closed[call_id])
            return
        if call_id in self._unknown:
            return
        self._unknown[call_id] = None
        while len(self._unknown) > MOST_UNKNOWN:
            self._unknown.popitem(last=False)
        raise BadRecord(f"call {call_id!r} has no start; further media of it are dropped until it starts")

    def _give(
        self, entry: Entry, record: AudioChunk | MediaGap | HoldChanged | AgentJoined | CallEnded, at: int
    ) -> None:
        match record:
            case AudioChunk():
                entry.call.chunk(record, at)
            case MediaGap():
                entry.call.gap(record, at)
            case CallEnded():
                entry.call.end(record)
                entry.ended_offset = at
            case _:
                entry.call.event(record, at)

    def idle(self, before_s: float) -> Iterator[Call]:
        """End the calls that nothing was heard of since then."""
        for entry in self.entries.values():
            if entry.heard_at_s < before_s and entry.ended_offset < 0:
                call = entry.call
                call_ms = max(call.block * BLOCK_MS, *(channel.track.known_ms for channel in call.channels))
                at_ms = call.started.at_ms + call_ms
                detail = "no media came and nobody said that the call was over"
                call.end(CallEnded(call_id=call.call_id, call_ms=call_ms, at_ms=at_ms, reason="idle", detail=detail))
                entry.ended_offset = (self.position or entry.offset + 1) - 1
                yield call

    def finish(self, call_id: str) -> None:
        """The end of the call is on its timeline."""
        entry = self.entries.pop(call_id)
        self._over.append((call_id, Bookmark(entry.call.started, entry.ended_offset, None)))
        self._close(call_id, entry.ended_offset)

    def _close(self, call_id: str, offset: int) -> None:
        self._closed[call_id] = offset
        while len(self._closed) > MOST_CLOSED:
            self._closed.popitem(last=False)

    # Storing: first the outputs are delivered, then `bookmarks` are, then `committable` is committed, then `committed`.

    def bookmarks(self) -> list[tuple[str, Bookmark]]:
        """What must be stored before the next commit."""
        if self.position is None:
            return []
        fresh = list(self._over)
        for call_id, entry in self.entries.items():
            if entry.call.resting and entry.ended_offset < 0:
                bookmark = Bookmark(entry.call.started, entry.call.needed_offset(self.position), entry.call.dump())
                if (
                    entry.stored is None
                    or bookmark.state != entry.stored.state
                    or bookmark.offset > entry.stored.offset
                ):
                    fresh.append((call_id, bookmark))
        return fresh

    def stored(self, bookmarks: list[tuple[str, Bookmark]]) -> None:
        """These are delivered."""
        for call_id, bookmark in bookmarks:
            if bookmark.state is None:
                self._forget.append((call_id, bookmark.offset))
            else:
                entry = self.entries[call_id]
                entry.stored, entry.offset = bookmark, bookmark.offset
        self._over = []

    def committable(self) -> int | None:
        """The offset from which a restart must read; None when nothing was read yet."""
        if self.position is None:
            return None
        return min([self.position, *(entry.offset for entry in self.entries.values())])

    def committed(self, offset: int) -> list[str]:
        """Ended calls whose bookmarks may be removed now: their media will not be read again."""
        done = [call_id for call_id, end in self._forget if end < offset and call_id not in self.entries]
        self._forget = [(call_id, end) for call_id, end in self._forget if end >= offset]
        return done
