"""Reads what is still kept of topics, from offset to offset (see `offsets`), as a bystander: no group, no commits.

For whoever judges the past again; processors that go on where they were use `runtime.kafka.make_consumer`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from processors.runtime.errors import Unavailable
from processors.runtime.kafka import REQUEST_TIMEOUT_S, client_options, fatal
from processors.runtime.offsets import Place
from processors.runtime.settings import Settings

CONSUME_S = 0.2
BATCH_RECORDS = 500
BYSTANDER = "tingjian-bystander"
"""Kafka's clients want the name of a group; nothing is ever committed under this one."""


def messages(settings: Settings, starts: Mapping[Place, int], upto: Mapping[Place, int]) -> Iterator[Message]:
    """The messages of each partition from its start up to (not including) its end, in no order between partitions."""
    open_places = {place for place, end in upto.items() if starts.get(place, 0) < end}
    if not open_places:
        return
    consumer = Consumer(
        {
            **client_options(settings),
            "group.id": BYSTANDER,
            "enable.auto.commit": "false",
            "enable.partition.eof": "true",
        }
    )
    try:
        consumer.assign([TopicPartition(*place, starts.get(place, 0)) for place in open_places])
        heard_s = time.monotonic()
        while open_places:
            batch = consumer.consume(BATCH_RECORDS, timeout=CONSUME_S)  # waits for a full batch until then
            if batch:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > REQUEST_TIMEOUT_S:
                raise Unavailable("Kafka does not deliver the records that it says it has")
            for message in batch:
                place = (str(message.topic()), int(message.partition() or 0))
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        open_places.discard(place)
                    elif fatal(error):
                        raise Unavailable(f"Kafka refuses to be read: {error}")
                    continue
                offset = int(message.offset() or 0)
                if place in open_places and offset < upto[place]:
                    yield message
                if offset + 1 >= upto[place]:
                    open_places.discard(place)
    except KafkaException as failure:
        raise Unavailable(f"reading from Kafka failed: {failure}") from failure
    finally:
        consumer.close()
