"""How far a partition may be committed: up to the first record that is not finished, whatever is finished behind it.

Faust's own bookkeeping commits past a gap (its issue 606), and acknowledges by itself what it skips while partitions
move. So records are begun in the order of the partition, finished in any order, and only `position` is ever committed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Watermark:
    """The open records of one partition."""

    def __init__(self) -> None:
        self._open: deque[int] = deque()
        self._finished: set[int] = set()
        self._position: int | None = None

    @property
    def position(self) -> int | None:
        """Offset of the first record that must be read again after a crash; None before any is finished."""
        return self._position

    @property
    def open(self) -> int:
        """Records that are begun and not yet covered by the position."""
        return len(self._open)

    def begin(self, offset: int) -> None:
        """A record was read. ValueError when it does not come after the one before."""
        if self._open and offset <= self._open[-1]:
            raise ValueError(f"record {offset} was read after record {self._open[-1]}")
        self._open.append(offset)

    def finish(self, offsets: Iterable[int]) -> None:
        """Nothing of these records will be needed again: outputs delivered, state stored. Each was begun."""
        self._finished.update(offsets)
        while self._open and self._open[0] in self._finished:
            head = self._open.popleft()
            self._finished.discard(head)
            self._position = head + 1
