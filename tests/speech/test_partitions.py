"""Low watermarks: a worker that dies anywhere and goes on from what it had stored says the same."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.records import AnyRecord, CallEnded, HoldChanged, Partial
from processors.runtime.errors import BadRecord
from processors.runtime.events import identity
from processors.speech.bookmarks import Bookmark
from processors.speech.partitions import MOST_UNKNOWN, Partition
from processors.speech.timeline import Effort
from tests.speech.pretended import AT_MS, GRID, Levels, advance, chunk, ended, listen, media, settle, spoken, started

SCRIPTS = {
    "a": ["您好   请问还款       审批利率    ", "      再见投诉请问      好请好   "],
    "b": ["   还款审批利率再见投诉您好请问", "您好                   "],
    "c": ["投诉    投诉    投诉    投诉", "  请问    请问    请问    "],
}


def log(draw: random.Random) -> list[AnyRecord]:
    """Media of three calls as they lie in one partition, with holds in between."""
    calls = {call_id: list(media(scripts, call_id)) for call_id, scripts in SCRIPTS.items()}
    for call_id, records in calls.items():
        records.insert(20, HoldChanged(call_id=call_id, call_ms=700, held=True))
        records.insert(40, HoldChanged(call_id=call_id, call_ms=1_500, held=False))
    mixed: list[AnyRecord] = []
    while calls:
        call_id = draw.choice(sorted(calls))
        mixed.append(calls[call_id].pop(0))  # type: ignore[arg-type]
        if not calls[call_id]:
            del calls[call_id]
    return mixed


@dataclass
class Stored:
    """What survives a worker: bookmarks, the committed offset, and what was delivered to the timeline."""

    bookmarks: dict[str, bytes] = field(default_factory=dict)
    committed: int = 0
    timeline: list[AnyRecord] = field(default_factory=list)


@dataclass
class Worker:
    """The shell of `speech` without Kafka: takes in, steps, and commits in the same order of deeds."""

    stored: Stored
    models: Levels = field(default_factory=Levels)

    def __post_init__(self) -> None:
        self.partition = Partition(GRID)
        bookmarks = [Bookmark.from_bytes(value) for value in self.stored.bookmarks.values()]
        for bookmark in bookmarks:
            self.partition.restore(bookmark, 0.0)
        self.at = min([self.stored.committed, *(one.offset for one in bookmarks if one.state is not None)])

    def take(self, records: list[AnyRecord], count: int) -> None:
        for offset in range(self.at, min(self.at + count, len(records))):
            _, began = self.partition.take(records[offset], offset, 0.0)
            self.stored.timeline += [began] if began else []
            self.at = offset + 1
        self.stored.timeline += advance(self.partition, self.models)

    def commit(self, deeds: int) -> None:
        """The first so many deeds of a commit: bookmarks, offset, removal of bookmarks that nobody needs."""
        bookmarks = self.partition.bookmarks()
        if deeds > 0:
            self.stored.bookmarks |= {call_id: one.to_bytes() for call_id, one in bookmarks}
            self.partition.stored(bookmarks)
        offset = self.partition.committable()
        if deeds > 1 and offset is not None:
            self.stored.committed = offset
            for call_id in self.partition.committed(offset):
                if deeds > 2:
                    self.stored.bookmarks.pop(call_id, None)


def once(records: list[AnyRecord]) -> dict[str, AnyRecord]:
    """By identity; AssertionError when two records of one identity differ.

    Partials by what they say: the text that an open utterance had said last is not stored, so it is said once more.
    """
    found: dict[str, AnyRecord] = {}
    for record in records:
        if isinstance(record, Partial):
            record = replace(record, end_ms=record.start_ms, at_ms=0)
            found[f"{identity(record)}/{record.text}"] = record
        else:
            assert found.setdefault(identity(record), record) == record
    return found


deeds = st.one_of(
    st.tuples(st.just("take"), st.integers(1, 120)),
    st.tuples(st.just("commit"), st.just(3)),
    st.tuples(st.just("die"), st.integers(0, 3)),
)


@settings(max_examples=25)
@given(st.lists(deeds, max_size=30), st.integers(0, 2**32))
def test_whenever_the_worker_dies_the_timeline_is_that_of_an_undisturbed_one(
    plan: list[tuple[str, int]], chance: int
) -> None:
    """It may die between any two deeds of a commit, too."""
    records = log(random.Random(chance))
    stored = Stored()
    worker = Worker(stored)
    for deed, amount in plan:
        if deed == "take":
            worker.take(records, amount)
        elif deed == "commit":
            worker.commit(amount)
        else:
            worker.commit(amount)
            worker = Worker(stored)
    while worker.at < len(records):
        worker.take(records, 50)
    stored.timeline += settle(worker.partition, worker.models)
    assert once(stored.timeline) == once(listen(records, every=40))
    assert worker.models.slots.taken == 0
    worker.commit(3)
    assert stored.committed == len(records), "nothing holds the offset back when all calls are over"
    assert stored.bookmarks == {}


def test_the_offset_stays_behind_an_utterance_that_is_still_spoken_and_moves_on_in_silence() -> None:
    records = media(["您好请问还款审批利率            您好", "                       "])
    stored = Stored()
    worker = Worker(stored)
    lags = []
    for _ in range(0, len(records), 4):
        worker.take(records, 4)  # type: ignore[arg-type]
        worker.commit(3)
        lags.append(worker.at - stored.committed)
    assert max(lags[:12]) > 40, "ten chunks a second on each of two channels, and the first utterance lasts 2.4 s"
    assert max(lags[20:24]) < 20, "silence needs only what the next onset may need"


def test_a_bookmark_holds_no_audio_and_is_small() -> None:
    records = media(["您好请问还款审批利率您好请问还款审批利率", "   "])
    worker = Worker(Stored())
    worker.take(records[:-1], 1_000)  # type: ignore[arg-type]
    ((_, bookmark),) = worker.partition.bookmarks()
    assert len(bookmark.to_bytes()) < 6_000
    assert Bookmark.from_bytes(bookmark.to_bytes()) == bookmark


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"not json", b'{"version": 1, "started": "AAAA", "offset": 1, "state": null}']
)
def test_a_damaged_bookmark_is_a_bad_record(damage: bytes) -> None:
    with pytest.raises(BadRecord):
        Bookmark.from_bytes(damage)


def test_a_bookmark_of_another_version_is_refused() -> None:
    value = Bookmark(started(), 5, None).to_bytes()
    with pytest.raises(BadRecord, match="version 99"):
        Bookmark.from_bytes(value.replace(b'"version":1', b'"version":99'))


def test_media_without_a_start_make_one_dead_letter_a_call() -> None:
    partition = Partition(GRID)
    with pytest.raises(BadRecord, match="has no start"):
        partition.take(chunk(spoken("您"), 0, call_id="lost"), 0, 0.0)
    assert partition.take(chunk(spoken("您"), 240, call_id="lost"), 1, 0.0) == (None, None)
    assert partition.position == 2, "it is read all the same"
    for number in range(MOST_UNKNOWN):
        with pytest.raises(BadRecord):
            partition.take(chunk(spoken("您"), 0, call_id=f"x{number}"), 2 + number, 0.0)
    with pytest.raises(BadRecord, match="'lost'"):
        partition.take(chunk(spoken("您"), 480, call_id="lost"), 5_000, 0.0)


def test_what_comes_behind_the_end_is_late_and_changes_nothing() -> None:
    partition, models = Partition(GRID), Levels()
    for offset, record in enumerate([*media(["您好   "], roles=("agent",)), chunk(spoken("您"), 5_000), ended(9_000)]):
        partition.take(record, offset, 0.0)  # type: ignore[arg-type]
        advance(partition, models)
    assert partition.late == 2
    assert not partition.entries


def test_a_start_that_is_written_twice_starts_once() -> None:
    partition = Partition(GRID)
    assert partition.take(started(), 0, 0.0) == (None, started())
    assert partition.take(started(), 1, 0.0) == (None, None)


def test_a_call_that_starts_anew_under_its_old_name_is_inspected_again() -> None:
    """A recording is inspected twice: the second time is a call of its own."""
    twice = [*media(["您好   "], roles=("agent",)), *media(["再见   "], roles=("agent",))]
    timeline = listen(twice, effort=Effort(partials=False))
    assert [record.text for record in timeline if hasattr(record, "text")] == ["您好", "再见"]
    assert sum(isinstance(record, CallEnded) for record in timeline) == 2


def test_an_idle_call_that_is_read_again_is_not_longer_than_it_was() -> None:
    """Its end is where its audio ends, not where the clock stood."""
    partition, models = Partition(GRID), Levels()
    for offset, record in enumerate(media(["您好   "], roles=("agent",))[:-1]):
        partition.take(record, offset, 0.0)  # type: ignore[arg-type]
    list(partition.idle(1.0))
    last = settle(partition, models)[-1]
    assert isinstance(last, CallEnded) and last.call_ms == 1_200
    assert (last.reason, last.at_ms) == ("idle", AT_MS + 1_200)
