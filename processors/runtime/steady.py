"""Faust's consumer with a start that neither skips nor loses records.

Faust 0.15.3 resumes the partitions of a stream before it has sought them to their committed offsets, while its fetcher
already runs for the changelog. What is read in between goes into a queue that is emptied when the flow resumes, and the
position stays behind it: always after a kill where nothing was committed yet (such a partition is not sought at all),
often where something was. It also passes its live set of active partitions to the fetch, which gives records of every
partition once that set becomes empty, and drops them; of a changelog they are never read again, and recovery waits for
them for ever.

Here nothing is read while positions move, a partition of a stream is read only after its seek, every partition is
sought, and what was fetched under an older assignment or position is not handed over. A stream gets what one fetch
brought of a partition as one event: Faust takes longer for an event than most records take to be judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka.errors import ConsumerStoppedError
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP, ConsumerMessage

FETCH_S = 0.2
"""Longest fetch, hence the longest that a seek waits for one."""
IDLE_S = 0.02
"""Between two looks whether there are partitions to read from."""


class Fetch(ConsumerMessage):
    """The message of an event of a stream: consecutive records of one partition, from `offset` on."""

    __slots__ = ("records",)

    def __init__(self, tp: TP, records: Sequence[ConsumerRecord], generation_id: int) -> None:
        first = records[0]
        at_s, key, value, headers, checksum = first.timestamp / 1000, None, b"", None, None
        super().__init__(
            tp.topic, tp.partition, first.offset, at_s, first.timestamp_type, headers, key, value, checksum,
            tp=tp, generation_id=generation_id,
        )  # fmt: skip
        self.records = records


class SteadyConsumer(Consumer):
    """Reads for one app; Faust's recovery calls it in its own order, which is why the order is kept here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._positions_moving = asyncio.Lock()
        self._handed_over: set[TP] = set()
        self._waiting_for_seek: set[TP] = set()
        self._sought = False
        self._stops = 0

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """New positions: nothing flows until recovery says so."""
        self.stop_flow()
        await super().on_partitions_assigned(assigned, generation_id)

    def stop_flow(self) -> None:
        """Stop; what was fetched is not handed over, and the next flow begins with a seek."""
        super().stop_flow()
        self._handed_over.clear()
        self._waiting_for_seek.clear()
        self._sought = False
        self._stops += 1

    def resume_flow(self) -> None:
        """Go on, with the partitions of streams when they are where they should be."""
        if self._waiting_for_seek and not self._sought:
            return  # partitions moved again during the seek: their own recovery resumes the flow
        super().resume_flow()
        super().resume_partitions(self._waiting_for_seek)
        self._waiting_for_seek.clear()

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        """Read nothing more from these, and do not hand over what was fetched."""
        paused = set(tps)
        super().pause_partitions(paused)
        self._handed_over -= paused
        self._waiting_for_seek -= paused
        self._buffered_partitions -= paused

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Read from these; from those of a stream when the flow resumes after their seek."""
        streams = {tp for tp in tps if not self._is_changelog_tp(tp)}
        self._waiting_for_seek |= streams
        super().resume_partitions(set(tps) - streams)

    def on_buffer_drop(self, tp: TP) -> None:
        """The queue of the partition has room again."""
        if tp not in self._paused_partitions:
            super().on_buffer_drop(tp)

    async def perform_seek(self) -> None:
        """Seek every partition of a stream to its committed offset, or to its oldest record."""
        stops = self._stops
        streams = {tp for tp in self.assignment() if not self._is_changelog_tp(tp)}
        self._handed_over -= streams
        async with self._positions_moving:
            offsets = await self._thread.call_thread(_seek_to_committed, self._thread._ensure_consumer(), streams)
        self._committed_offset.update(offsets)
        self._sought = stops == self._stops

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek partitions of changelogs."""
        self._handed_over -= set(partitions)
        async with self._positions_moving:
            await super().seek_wait(partitions)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                for tp, records in (await self._fetched()).items():
                    for message in self._messages(tp, records):
                        if tp not in self._handed_over:
                            break
                        await self.callback(message)
                await asyncio.sleep(0)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    def _messages(self, tp: TP, records: Sequence[ConsumerRecord]) -> Iterator[ConsumerMessage]:
        if self._is_changelog_tp(tp):
            for record in records:
                yield self._to_message(tp, record)
        elif records:
            yield Fetch(tp, records, self.app.consumer_generation_id)

    async def _fetched(self) -> Mapping[TP, Sequence[ConsumerRecord]]:
        if not self.flow_active:
            await self.can_resume_flow.wait()
        async with self._positions_moving:
            active = set(self._get_active_partitions()) if self.flow_active else set()
            if active:
                self._handed_over = set(active)
                records: Mapping[TP, Sequence[ConsumerRecord]] = await self._getmany(active, FETCH_S)
                return records
        await asyncio.sleep(IDLE_S)
        return {}


async def _seek_to_committed(consumer: Any, streams: Iterable[TP]) -> dict[TP, int]:
    places = {TopicPartition(tp.topic, tp.partition): tp for tp in streams}
    committed = await consumer._coordinator.fetch_committed_offsets(list(places))
    oldest = await consumer.beginning_offsets(list(places))
    offsets = {}
    for place, tp in places.items():
        known = committed[place].offset if place in committed else -1
        offsets[tp] = max(known, oldest[place])
        consumer.seek(place, offsets[tp])
    return offsets
