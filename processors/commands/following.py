"""Reads topics from where they end now, as a bystander: no group, no commits, nothing disturbed.

Used by the commands that watch what they have set going; processors use `runtime.kafka.make_consumer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from processors.records import AnyRecord
from processors.runtime import wire
from processors.runtime.errors import BadRecord, Unavailable
from processors.runtime.history import BATCH_RECORDS, BYSTANDER, Place, beginnings, ends, messages
from processors.runtime.kafka import REQUEST_TIMEOUT_S, client_options, fatal
from processors.runtime.settings import Settings

__all__ = ["Following", "Place", "beginnings", "committed", "ends", "messages"]


class Following:
    """A bystander of some topics, from their ends at the time it is made. A context manager."""

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        self._consumer = Consumer({**client_options(settings), "group.id": BYSTANDER, "enable.auto.commit": "false"})
        self.starts = ends(settings, topics)
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in self.starts.items()])

    def __enter__(self) -> Following:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def messages(self, timeout_s: float) -> list[Message]:
        """What has come since the last call, in the order of its partition; waits at most `timeout_s`."""
        try:
            came = self._consumer.consume(BATCH_RECORDS, timeout=timeout_s)
        except KafkaException as error:
            raise Unavailable(f"reading from Kafka failed: {error}") from error
        refused = [message.error() for message in came if fatal(message.error())]
        if refused:
            raise Unavailable(f"Kafka refuses to be read: {refused[0]}")
        return [message for message in came if message.error() is None]

    def read(self, timeout_s: float) -> list[AnyRecord]:
        """The same as records; what cannot be decoded is left to the processors and their dead letters."""
        records: list[AnyRecord] = []
        for message in self.messages(timeout_s):
            try:
                records.append(wire.decode(message.value()))
            except BadRecord:
                continue
        return records


def committed(settings: Settings, group: str, places: Sequence[Place]) -> dict[Place, int]:
    """Offsets the group has committed; partitions in which it never has are left out."""
    if not places:
        return {}
    admin = AdminClient({**client_options(settings)})
    asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, number) for topic, number in places])
    try:
        answer = admin.list_consumer_group_offsets([asked], request_timeout=REQUEST_TIMEOUT_S)
        found = answer[group].result().topic_partitions or []
    except KafkaException as error:
        raise Unavailable(f"Kafka does not answer about the group {group}: {error}") from error
    return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}
