"""The consumer under Faust: in whatever order recovery calls it, nothing is skipped and nothing old is handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import faust
from aiokafka.structs import (
    ConsumerRecord,
    OffsetAndMetadata,
    TopicPartition,
)
from faust.types import TP

from processors.runtime.steady import Fetch, SteadyConsumer

STREAM, CHANGELOG = TP("calls", 0), TP("app-states-changelog", 0)


class Broker:
    """One partition of each topic, the first `oldest` records gone; what aiokafka and its thread do with them."""

    def __init__(self, records: int, committed: int = -1, oldest: int = 0) -> None:
        self.records = {tp: list(range(oldest, records)) for tp in (STREAM, CHANGELOG)}
        self.positions = dict.fromkeys(self.records, oldest)
        self.committed, self.oldest = committed, oldest
        self.before_answer: Callable[[], None] = lambda: None
        self._coordinator = self

    def assignment(self) -> set[TP]:
        return set(self.records)

    def _ensure_consumer(self) -> Broker:
        return self

    async def call_thread(self, work: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        return await work(*args)

    async def fetch_committed_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        self.before_answer()
        return {place: OffsetAndMetadata(self.committed, "") for place in places}

    async def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.oldest)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.positions[TP(*place)] = offset

    async def seek_wait(self, partitions: dict[TP, int]) -> None:
        self.positions.update(partitions)

    async def getmany(self, active: set[TP], longest_s: float) -> dict[TP, list[ConsumerRecord]]:
        await asyncio.sleep(0)
        fetched = {tp: [n for n in self.records[tp] if n >= self.positions[tp]] for tp in active}
        self.before_answer()
        self.positions.update({tp: offsets[-1] + 1 for tp, offsets in fetched.items() if offsets})
        return {
            tp: [ConsumerRecord(*tp, n, 0, 0, None, b"", None, -1, 0, ()) for n in offsets]
            for tp, offsets in fetched.items()
            if offsets
        }


def reading(broker: Broker, tmp_path: Path, work: Callable[[SteadyConsumer], Awaitable[None]]) -> list[tuple[str, int]]:
    """Topic and offset of every record that is handed over while recovery does its work."""
    came: list[tuple[str, int]] = []

    async def handed_over(message: Any) -> None:
        records = message.records if isinstance(message, Fetch) else [message]
        came.extend((message.topic, record.offset) for record in records)

    async def run() -> None:
        app: Any = faust.App(
            "app", broker="kafka://nowhere", store="memory://", datadir=str(tmp_path), web_enabled=False
        )
        app.Table("states", partitions=1)
        app.transport.Consumer = SteadyConsumer
        consumer = app.transport.create_consumer(
            handed_over, on_partitions_revoked=None, on_partitions_assigned=None
        )  # fmt: skip
        consumer._thread = broker
        consumer.stop_flow()
        consumer.pause_partitions(broker.assignment())
        reader = asyncio.create_task(consumer._drain_messages(consumer))
        await work(consumer)
        await asyncio.sleep(0.1)
        reader.cancel()

    asyncio.run(run())
    return came


async def recover(consumer: SteadyConsumer) -> None:
    """As Faust does it: changelog first, then the streams resume, then they are sought, then the flow resumes."""
    consumer.resume_partitions({CHANGELOG})
    consumer.resume_flow()
    await asyncio.sleep(0.1)
    consumer.pause_partitions({CHANGELOG})
    consumer.resume_partitions({STREAM})
    await asyncio.sleep(0.1)
    await consumer.perform_seek()
    consumer.resume_flow()


def of(topic: TP, came: list[tuple[str, int]]) -> list[int]:
    return [offset for name, offset in came if name == topic.topic]


def test_a_stream_begins_at_its_committed_offset_after_the_states_are_read(tmp_path: Path) -> None:
    came = reading(Broker(6, committed=4), tmp_path, recover)
    assert came == [(CHANGELOG.topic, n) for n in range(6)] + [(STREAM.topic, 4), (STREAM.topic, 5)]


def test_a_stream_of_which_nothing_was_committed_begins_at_its_oldest_record(tmp_path: Path) -> None:
    broker = Broker(6, oldest=2)
    broker.positions[STREAM] = 5  # it was read before, and what was read is gone
    assert of(STREAM, reading(broker, tmp_path, recover)) == [2, 3, 4, 5]


def test_the_flow_does_not_resume_when_partitions_moved_while_they_were_sought(tmp_path: Path) -> None:
    broker = Broker(6, committed=4)

    async def twice(consumer: SteadyConsumer) -> None:
        consumer.resume_partitions({STREAM})
        broker.before_answer = consumer.stop_flow
        await consumer.perform_seek()
        consumer.resume_flow()
        broker.before_answer = lambda: None
        await asyncio.sleep(0.1)
        broker.committed = 5  # another one had the partition meanwhile
        consumer.pause_partitions({STREAM})
        await recover(consumer)

    assert of(STREAM, reading(broker, tmp_path, twice)) == [5]


def test_what_was_fetched_before_the_flow_stopped_is_not_handed_over_and_comes_again(tmp_path: Path) -> None:
    broker = Broker(6, committed=4)

    async def stopped_during_a_fetch(consumer: SteadyConsumer) -> None:
        def stop() -> None:
            broker.before_answer = lambda: None
            consumer.stop_flow()
            consumer.pause_partitions({STREAM})

        consumer.resume_partitions({STREAM})
        await consumer.perform_seek()
        broker.before_answer = stop
        consumer.resume_flow()
        await asyncio.sleep(0.1)
        assert broker.positions[STREAM] == 6
        await recover(consumer)

    assert of(STREAM, reading(broker, tmp_path, stopped_during_a_fetch)) == [4, 5]


def test_states_that_were_fetched_when_partitions_moved_again_are_read_again(tmp_path: Path) -> None:
    broker = Broker(6)

    async def moved_during_recovery(consumer: SteadyConsumer) -> None:
        def stop() -> None:
            broker.before_answer = lambda: None
            consumer.stop_flow()
            consumer.pause_partitions({CHANGELOG})

        consumer.resume_partitions({CHANGELOG})
        broker.before_answer = stop
        consumer.resume_flow()
        await asyncio.sleep(0)
        await consumer.seek_wait({CHANGELOG: 0})
        await recover(consumer)

    assert of(CHANGELOG, reading(broker, tmp_path, moved_during_recovery)) == list(range(6))
