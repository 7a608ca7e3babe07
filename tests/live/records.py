"""Two records of a call, written to and read from a real Kafka."""

from __future__ import annotations

import uuid

from processors.records import CallStarted, HoldChanged
from processors.runtime import wire
from processors.runtime.events import headers
from processors.runtime.kafka import make_consumer, make_producer
from processors.runtime.settings import Settings
from tests.live.waiting import until

STARTED = CallStarted(call_id="c-1", at_ms=1_795_507_200_000, lane="live", channels=("agent", "customer"))
HELD = HoldChanged(call_id="c-1", call_ms=5000, held=True)


def publish(settings: Settings, topic: str, *records: CallStarted | HoldChanged) -> None:
    producer = make_producer(settings)
    for record in records:
        producer.produce(topic, key=record.call_id, value=wire.encode(record), headers=headers(topic, record))
    assert producer.flush(60) == 0


def read(settings: Settings, topic: str, count: int, group: str = "") -> list[object]:
    """The first records of a topic, for a group that commits what it reads."""
    consumer = make_consumer(settings, group or uuid.uuid4().hex, [topic], instance_id="test-0")
    records: list[object] = []

    def enough() -> bool:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            records.append(wire.decode(message.value()))
            consumer.commit(message, asynchronous=False)
        return len(records) >= count

    until(enough, f"{count} records came from {topic}")
    consumer.close()
    return records
