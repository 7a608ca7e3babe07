"""What waits for the next insert: rows by table, each with the message it came from, and how far was read.

Pure: the time is passed in. A batch is bounded by rows and by age, and empty again after `clear`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from processors.sink.rows import Row, Rows

M = TypeVar("M")
Partition = tuple[str, int]


@dataclass(slots=True)
class Pending(Generic[M]):
    """Rows of one table and the messages behind them, index by index."""

    rows: list[Row] = field(default_factory=list)
    messages: list[M] = field(default_factory=list)


class Batch(Generic[M]):
    """Rows of the messages read since the last insert."""

    def __init__(self, most_rows: int, longest_ms: int) -> None:
        self._most_rows = most_rows
        self._longest_ms = longest_ms
        self._begun_ms: int | None = None
        self._count = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self.tables: dict[str, Pending[M]] = {}
        self.next_offsets: dict[Partition, int] = {}

    def read(self, partition: Partition, offset: int, now_ms: int) -> None:
        """A message was read, whether it has rows or not.

        Its place is part of the token: a call that is inspected again says the same in the same words, and its rows
        must still take the place of the older ones.
        """
        self._digest.update(f"{partition[0]}/{partition[1]}/{offset};".encode())
        self.next_offsets[partition] = offset + 1
        if self._begun_ms is None:
            self._begun_ms = now_ms

    def add(self, rows: Rows, message: M, value: bytes) -> None:
        """Rows of a message; `value` is its content, which is part of the deduplication token."""
        for table, row in rows:
            pending = self.tables.get(table)
            if pending is None:
                pending = self.tables[table] = Pending()
            pending.rows.append(row)
            pending.messages.append(message)
            self._count += 1
        self._digest.update(value)

    def due(self, now_ms: int) -> bool:
        """Whether the batch is full or old enough."""
        if self._begun_ms is None:
            return False
        return self._count >= self._most_rows or now_ms - self._begun_ms >= self._longest_ms

    @property
    def token(self) -> str:
        """Name of the batch: the same messages, read again, give the same token, other ones another."""
        return self._digest.hexdigest()

    def clear(self) -> None:
        """Forget everything, after it was stored."""
        self._begun_ms = None
        self._count = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self.tables = {}
        self.next_offsets = {}
