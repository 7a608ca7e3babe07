"""Reads topics from where they end now, as a bystander: no group, no commits, nothing disturbed.

Used by the commands that watch what they have set going; processors use `runtime.kafka.make_consumer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from processors.records import AnyRecord
from processors.runtime import wire
from processors.runtime.errors import BadRecord, Unavailable
from processors.runtime.history import BATCH_RECORDS, BYSTANDER
from processors.runtime.kafka import client_options, fatal
from processors.runtime.offsets import ends
from processors.runtime.settings import Settings


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
