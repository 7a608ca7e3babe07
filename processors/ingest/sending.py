"""Sends media records of one lane to Kafka, with a bound on what waits and no silent loss.

The queue is librdkafka's, bounded by `runtime.kafka`. A full queue or a failed delivery is said to the caller, who
slows down or ends the call; it is never a hole in a call.
"""

from __future__ import annotations

import time
from collections import deque

from confluent_kafka import KafkaError, Message

from processors.ingest.media import MediaRecord
from processors.runtime.errors import Unavailable
from processors.runtime.kafka import make_producer
from processors.runtime.settings import Settings
from processors.runtime.wire import encode, headers

POLL_S = 0.1
MAX_FAILED = 10_000
"""Call ids whose delivery failed and that nobody has asked for yet."""


class Sender:
    """A producer for one topic. Not thread-safe: one thread sends and polls."""

    def __init__(self, settings: Settings, topic: str, **options: str | int) -> None:
        self._topic = topic
        self._producer = make_producer(settings, **options)
        self._failed: deque[str] = deque(maxlen=MAX_FAILED)
        self._delivered_s = time.monotonic()
        self.last_error = ""

    def try_send(self, record: MediaRecord) -> bool:
        """Put the record into the queue; False when the queue is full because the brokers do not keep up."""
        try:
            self._producer.produce(
                self._topic,
                encode(record),
                record.call_id.encode(),
                headers=[*headers(self._topic, record)],
                on_delivery=self._delivered,
            )
        except BufferError:
            return False
        return True

    def send(self, record: MediaRecord, timeout_s: float) -> None:
        """Put the record into the queue, waiting for room; Unavailable: no room in time, or a delivery failed."""
        deadline_s = time.monotonic() + timeout_s
        while not self.try_send(record):
            self._producer.poll(POLL_S)
            if time.monotonic() > deadline_s:
                raise Unavailable(f"Kafka has taken nothing for {timeout_s:.0f} s {self.last_error}".strip())
        self._producer.poll(0)
        if self._failed:
            raise Unavailable(f"Kafka did not take the audio of a call: {self.last_error}")

    def send_at_last(self, record: MediaRecord) -> None:
        """Try once to send a record while everything ends anyway."""
        self.try_send(record)

    def poll(self) -> list[str]:
        """Let delivery reports in; return the calls of which something could not be delivered."""
        self._producer.poll(0)
        if not self.waiting():
            self._delivered_s = time.monotonic()
        failed = list(dict.fromkeys(self._failed))
        self._failed.clear()
        return failed

    def stuck_s(self) -> float:
        """Since when nothing was delivered although something waits."""
        return time.monotonic() - self._delivered_s if self.waiting() else 0.0

    def waiting(self) -> int:
        """Records in the queue."""
        return len(self._producer)

    def flush(self, timeout_s: float) -> None:
        """Wait until everything is delivered. Unavailable when it is not in time."""
        left = self._producer.flush(timeout_s)
        if left or self._failed:
            raise Unavailable(f"Kafka did not take {left or len(self._failed)} records {self.last_error}".strip())

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._delivered_s = time.monotonic()
        else:
            self.last_error = error.str()
            key = message.key()
            self._failed.append(key.decode() if key else "")
