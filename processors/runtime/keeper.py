"""Keeps one state for each key of a stream, and knows how far the stream is done: the heart of an agent, without Kafka.

The order that makes a crash harmless: the outputs of a record are delivered, then the state that contains the record is
stored, then the record is finished (and may be committed). States are stored seldom, and that of a key at most once
between two pulses: in between a key's records stay open, and a crash replays at most those. A key whose rules are not
there yet is parked for a bounded time; the others of the stream go on.

The shell (`runtime.agents`) gives it messages, a way to produce, and the time; one thread uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from processors.records import AnyRecord
from processors.runtime.errors import BadRecord
from processors.runtime.watermark import Watermark
from processors.runtime.wire import decode, encode, headers

S = TypeVar("S")

STORE_EVERY_MS = 5_000
"""Of call time: a state is stored at least so often."""
QUIET_S = 1.0
"""A key without new records is stored after this, so that the position of its partition moves on."""
PARK_S = 10.0
MOST_PARKED = 20_000
"""Records that wait for their rules, all keys together; beyond it nobody waits any longer."""
MOST_UNSTORED = 1_000
"""Records of one key whose outputs are on the way; beyond it reading pauses."""
MOST_OPEN = 200_000
"""Records of all keys that are not stored yet; beyond it reading pauses."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message of the stream."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    at_ms: int = 0


Done = Callable[[], None]


class Outlet(Protocol):
    """Where outputs, states and bad records go. Each calls `done` when the broker has it, or ends the process."""

    def send(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]], done: Done) -> None:
        """An output."""

    def store(self, key: bytes, value: bytes | None, partition: int, done: Done) -> None:
        """A state, or nothing for a key that has none any more."""

    def reject(self, message: Incoming, error: BadRecord, done: Done) -> None:
        """A record that can not be processed."""


class Core(Protocol[S]):
    """What an agent does with a record. Pure but for counting and for looking whether rules are there."""

    def waits(self, state: S | None, record: AnyRecord) -> bool:
        """Whether something is not there yet without which the record can not be judged."""

    def give_up(self, state: S | None, record: AnyRecord) -> None:
        """The wait is over: `waits` is false for this key from now on."""

    def step(self, state: S | None, record: AnyRecord, position: int) -> tuple[S | None, list[AnyRecord]]:
        """The next state (None: the key is done) and the outputs. BadRecord for a record that makes no sense."""

    def closes(self, record: AnyRecord) -> bool:
        """Whether the state should be stored after the record, because it took long to get there."""

    def topic_of(self, output: AnyRecord) -> str:
        """Topic of an output."""

    def stamped(self, output: AnyRecord) -> AnyRecord:
        """The output with the time at which it is published."""

    def dump(self, state: S) -> bytes:
        """A state as bytes."""

    def load(self, data: bytes) -> S:
        """And back."""


@dataclass(slots=True)
class Kept(Generic[S]):
    """A key and its state in memory."""

    key: bytes
    partition: int
    state: S | None
    stored_ms: int = 0
    touched_s: float = 0.0
    undelivered: int = 0
    due: bool = False
    ripe: bool = True
    revoked: bool = False
    unstored: list[int] = field(default_factory=list)
    parked: list[tuple[Incoming, AnyRecord]] = field(default_factory=list)
    parked_until_s: float = 0.0


class Keeper(Generic[S]):
    """The states of the partitions that this worker has."""

    def __init__(self, core: Core[S], outlet: Outlet, table: MutableMapping[bytes, bytes]) -> None:
        self._core = core
        self._outlet = outlet
        self._table = table
        self._kept: dict[bytes, Kept[S]] = {}
        self._marks: dict[int, Watermark] = {}
        self._parked: dict[bytes, Kept[S]] = {}
        self._parked_records = 0
        self._crowded: set[bytes] = set()
        self._homes: dict[bytes, int] = {}

    @property
    def keys(self) -> int:
        """Keys with a state in memory."""
        return len(self._kept)

    @property
    def full(self) -> bool:
        """Whether reading should pause until deliveries catch up."""
        return bool(self._crowded) or sum(mark.open for mark in self._marks.values()) > MOST_OPEN

    def positions(self) -> dict[int, int]:
        """Offset to commit for each partition that has one."""
        return {number: mark.position for number, mark in self._marks.items() if mark.position is not None}

    def take(self, message: Incoming, now_s: float) -> None:
        """Process a message, or park it."""
        mark = self._marks.get(message.partition)
        if mark is None:
            mark = self._marks[message.partition] = Watermark()
        mark.begin(message.offset)
        try:
            record = decode(message.value)
            key = str(getattr(record, "call_id", "")).encode()
            if not key:
                raise BadRecord(f"{type(record).__name__} without call_id")
        except BadRecord as error:
            self._reject(message, error)
            return
        kept = self._kept.get(key) or self._load(key, message.partition)
        kept.touched_s = now_s
        if kept.parked or self._core.waits(kept.state, record):
            self._park(kept, message, record, now_s)
        else:
            self._apply(kept, message, record)

    def pulse(self, now_s: float) -> None:
        """Called a few times a second: keys that waited long enough, keys that have gone quiet."""
        for kept in list(self._parked.values()):
            late = now_s >= kept.parked_until_s or self._parked_records > MOST_PARKED
            if late:
                self._core.give_up(kept.state, kept.parked[0][1])
            if late or not self._core.waits(kept.state, kept.parked[0][1]):
                self._unpark(kept)
        for kept in list(self._kept.values()):
            kept.ripe = True
            if kept.unstored and (kept.due or now_s - kept.touched_s >= QUIET_S):
                kept.due = True
                self._store(kept)

    def finish(self) -> None:
        """Before the end: store everything that may be stored; deliveries complete it."""
        for kept in list(self._kept.values()):
            kept.due = bool(kept.unstored)
            kept.ripe = True
            self._store(kept)

    def revoke(self, partitions: Iterable[int]) -> None:
        """Other workers may have these partitions now: forget their keys, store nothing more of them."""
        gone = set(partitions)
        for number in gone:
            self._marks.pop(number, None)
        for key, kept in list(self._kept.items()):
            if kept.partition in gone:
                kept.revoked = True
                self._parked_records -= len(kept.parked)
                self._parked.pop(key, None)
                self._crowded.discard(key)
                del self._kept[key]
        for key, number in list(self._homes.items()):
            if number in gone:
                del self._homes[key]
                self._table.pop(key, None)

    def _load(self, key: bytes, partition: int) -> Kept[S]:
        data = self._table.get(key)
        kept = Kept(key, partition, self._core.load(data) if data else None)
        self._kept[key] = kept
        return kept

    def _park(self, kept: Kept[S], message: Incoming, record: AnyRecord, now_s: float) -> None:
        if not kept.parked:
            kept.parked_until_s = now_s + PARK_S
            self._parked[kept.key] = kept
        kept.parked.append((message, record))
        self._parked_records += 1

    def _unpark(self, kept: Kept[S]) -> None:
        waiting, kept.parked = kept.parked, []
        self._parked_records -= len(waiting)
        del self._parked[kept.key]
        for message, record in waiting:
            # The key may have ended and begun anew among the waiting records.
            self._apply(self._kept.get(kept.key) or self._load(kept.key, message.partition), message, record)

    def _apply(self, kept: Kept[S], message: Incoming, record: AnyRecord) -> None:
        try:
            state, outputs = self._core.step(kept.state, record, message.offset)
        except BadRecord as error:
            self._reject(message, error)
            return
        kept.state = state
        kept.unstored.append(message.offset)
        for output in outputs:
            self._send(kept, self._core.stamped(output))
        call_ms = getattr(record, "call_ms", kept.stored_ms)
        if state is None or outputs or self._core.closes(record) or call_ms - kept.stored_ms >= STORE_EVERY_MS:
            kept.due = True
            kept.stored_ms = max(kept.stored_ms, call_ms)
        self._store(kept)

    def _send(self, kept: Kept[S], output: AnyRecord) -> None:
        topic = self._core.topic_of(output)
        kept.undelivered += 1
        if len(kept.unstored) > MOST_UNSTORED:
            self._crowded.add(kept.key)
            kept.ripe = True

        def done() -> None:
            kept.undelivered -= 1
            self._store(kept)

        self._outlet.send(topic, kept.key, encode(output), headers(topic, output), done)

    def _store(self, kept: Kept[S]) -> None:
        """Store the state when it is due, a pulse came since the last time, and all outputs up to it are delivered."""
        if not kept.due or kept.undelivered or kept.revoked or not (kept.ripe or kept.state is None):
            return
        offsets, kept.unstored, kept.due, kept.ripe = kept.unstored, [], False, False
        self._crowded.discard(kept.key)
        mark = self._marks[kept.partition]
        known = kept.key in self._table
        if kept.state is None:
            if not kept.parked:
                self._kept.pop(kept.key, None)
            self._table.pop(kept.key, None)
            self._homes.pop(kept.key, None)
            if not known:
                mark.finish(offsets)
                return
            data = None
        else:
            data = self._core.dump(kept.state)
            self._table[kept.key] = data
            self._homes[kept.key] = kept.partition
        self._outlet.store(kept.key, data, kept.partition, lambda: mark.finish(offsets))

    def _reject(self, message: Incoming, error: BadRecord) -> None:
        mark = self._marks[message.partition]
        self._outlet.reject(message, error, lambda: mark.finish([message.offset]))
