"""Cuts a channel into utterances by voice activity, window by window.

An utterance opens when speech lasts for `OPEN_WINDOWS`, starts at the first of them, and closes after `CLOSE_WINDOWS`
without speech, at `MOST_WINDOWS` at the quietest point of its last part, or with the call. Pure: windows in, openings
and closings out. The audio of an utterance begins before its speech, so that the onset is whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from processors.speech.vad import WINDOW_MS

OPEN_WINDOWS = 3
CLOSE_WINDOWS = -(-600 // WINDOW_MS)
MOST_WINDOWS = 20_000 // WINDOW_MS
SEARCH_WINDOWS = 5_000 // WINDOW_MS
"""The quietest point is looked for in this last part of an utterance that is too long."""
LEAD_WINDOWS = 6
"""At least so much audio before the speech belongs to the utterance."""
GRID_WINDOWS, GRID_OFFSET = 5, 2
"""The audio begins on this grid: then a chunk of the model is complete at the end of a block, not somewhere within."""

Quietest = Callable[[int, int], int]
"""The quietest window of a range [from, to)."""


@dataclass(slots=True)
class Open:
    """An utterance that goes on."""

    number: int
    start: int  # window of the first speech
    lead: int  # window at which its audio begins; may lie before the call (silence)
    last: int  # window of the latest speech


@dataclass(frozen=True, slots=True)
class Closed:
    """An utterance that is over."""

    number: int
    start: int
    end: int  # window behind the last speech
    cut: bool  # closed for its length: what was heard behind `end` belongs to the next one


def lead_of(start: int) -> int:
    """Window at which the audio of an utterance begins whose speech begins at `start`."""
    latest = start - LEAD_WINDOWS
    return latest - (latest - GRID_OFFSET) % GRID_WINDOWS


class Segmenter:
    """Utterances of one channel."""

    __slots__ = ("_run", "next_number", "open")

    def __init__(self, next_number: int = 0, run: int = 0, open: Open | None = None) -> None:
        self.next_number = next_number
        self._run = run  # windows of speech that may become an utterance
        self.open = open

    def observe(self, window: int, speech: bool, quietest: Quietest) -> Closed | None:
        """The next window; the utterance that closes with it, if any. `open` may change, too."""
        if self.open is None:
            self._run = self._run + 1 if speech else 0
            if self._run >= OPEN_WINDOWS:
                start = window - self._run + 1
                self._begin(start, lead_of(start), window)
            return None
        if speech:
            self.open.last = window
        if window - self.open.last >= CLOSE_WINDOWS:
            return self.close()
        if window + 1 - self.open.start >= MOST_WINDOWS:
            return self._cut(window, quietest)
        return None

    def _begin(self, start: int, lead: int, last: int) -> None:
        self.open = Open(self.next_number, start, lead, last)
        self.next_number += 1
        self._run = 0

    def _cut(self, window: int, quietest: Quietest) -> Closed:
        assert self.open is not None
        point = quietest(window + 1 - SEARCH_WINDOWS, window + 1)
        closed = Closed(self.open.number, self.open.start, point, True)
        last = max(self.open.last, point)
        self._begin(point, point - (point - GRID_OFFSET) % GRID_WINDOWS, last)
        return closed

    def close(self) -> Closed | None:
        """Close what is open now, at the end of its speech."""
        if self.open is None:
            return None
        closed = Closed(self.open.number, self.open.start, self.open.last + 1, False)
        self.open = None
        return closed

    def final_until(self, window: int) -> int:
        """Window before which every utterance that begins is closed, when all up to `window` were observed."""
        return self.open.start if self.open else window - self._run

    def dump(self) -> dict[str, Any]:
        """Plain values to begin again from."""
        return {
            "next_number": self.next_number,
            "run": self._run,
            "open": asdict(self.open) if self.open else None,
        }

    @classmethod
    def load(cls, plain: dict[str, Any]) -> Segmenter:
        """From the plain values of `dump`."""
        opened = plain["open"]
        return cls(plain["next_number"], plain["run"], Open(**opened) if opened else None)
