"""Finds out whether records that a stream did not hand over exist, by asking the broker with a client of its own.

Faust skips what is in its queues while partitions move, and reads on behind it. Offsets may be missing for good reasons
(compaction, transactions, retention), so a jump alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Collection

from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.runtime.errors import Unavailable
from processors.runtime.history import BYSTANDER
from processors.runtime.kafka import REQUEST_TIMEOUT_S, client_options
from processors.runtime.offsets import GroupOffsets
from processors.runtime.settings import Settings


class Gaps:
    """Asks about one topic for one consumer group. Each question blocks; a thread should ask."""

    def __init__(self, settings: Settings, group: str, topic: str) -> None:
        self._topic = topic
        self._offsets = GroupOffsets(settings, group)
        self._reader = Consumer(
            {
                **client_options(settings),
                "group.id": BYSTANDER,
                "enable.auto.commit": "false",
                "auto.offset.reset": "earliest",  # where retention removes the record while it is asked for
            }
        )

    def beginnings(self, partitions: Collection[int]) -> dict[int, int]:
        """Where reading must begin: the committed offset, or the oldest record there is."""
        committed = self._offsets.committed((self._topic, number) for number in partitions)
        return {number: max(committed.get((self._topic, number), 0), self._low(number)) for number in partitions}

    def lost(self, partition: int, expected: int, came: int) -> bool:
        """Whether there is a record from offset `expected` on before offset `came`. Unavailable when nobody answers."""
        try:
            self._reader.assign([TopicPartition(self._topic, partition, max(expected, self._low(partition)))])
            for message in self._reader.consume(1, timeout=REQUEST_TIMEOUT_S):
                if message.error() is None:
                    return int(message.offset() or 0) < came
            raise Unavailable(f"Kafka does not give record {expected} of {self._topic}/{partition}")
        except KafkaException as error:
            raise Unavailable(f"Kafka does not answer about records: {error.args[0].str()}") from error
        finally:
            self._reader.unassign()

    def _low(self, partition: int) -> int:
        return self._offsets.kept((self._topic, partition))[0]
