"""Finds out whether records that a stream did not hand over exist, by asking the broker with a client of its own.

Faust skips what is in its queues while partitions move, and reads on behind it. Offsets may be missing for good reasons
(compaction, transactions, retention), so a jump alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Collection

from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.runtime.errors import Unavailable
from processors.runtime.kafka import REQUEST_TIMEOUT_S, client_options
from processors.runtime.settings import Settings


class Gaps:
    """Asks about one topic for one consumer group. Each question blocks; a thread should ask."""

    def __init__(self, settings: Settings, group: str, topic: str) -> None:
        self._topic = topic
        self._client = Consumer(
            {
                **client_options(settings),
                "group.id": group,  # only looked at: without a subscription this client is no member
                "enable.auto.commit": "false",
                "auto.offset.reset": "earliest",
            }
        )

    def beginnings(self, partitions: Collection[int]) -> dict[int, int]:
        """Where reading must begin: the committed offset, or the oldest record there is."""
        places = [TopicPartition(self._topic, number) for number in partitions]
        try:
            committed = self._client.committed(places, timeout=REQUEST_TIMEOUT_S) if places else []
            return {p.partition: max(p.offset, self._low(p.partition)) for p in committed}
        except KafkaException as error:
            raise Unavailable(f"Kafka does not answer about offsets: {error.args[0].str()}") from error

    def lost(self, partition: int, expected: int, came: int) -> bool:
        """Whether there is a record from offset `expected` on before offset `came`. Unavailable when nobody answers."""
        try:
            self._client.assign([TopicPartition(self._topic, partition, max(expected, self._low(partition)))])
            for message in self._client.consume(1, timeout=REQUEST_TIMEOUT_S):
                if message.error() is None:
                    return int(message.offset() or 0) < came
            raise Unavailable(f"Kafka does not give record {expected} of {self._topic}/{partition}")
        except KafkaException as error:
            raise Unavailable(f"Kafka does not answer about records: {error.args[0].str()}") from error
        finally:
            self._client.unassign()

    def _low(self, partition: int) -> int:
        low, _ = self._client.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=REQUEST_TIMEOUT_S)
        return int(low)
