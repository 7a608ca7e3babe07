"""Reads what is still kept of topics, from an offset or a time up to an offset, as a bystander: no group, no commits.

For whoever judges the past again; processors that go on where they were use `runtime.kafka.make_consumer`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from processors.runtime.errors import Unavailable
from processors.runtime.kafka import REQUEST_TIMEOUT_S, client_options, fatal
from processors.runtime.settings import Settings

Place = tuple[str, int]
"""Topic and partition."""

CONSUME_S = 0.2
BATCH_RECORDS = 500
BYSTANDER = "tingjian-bystander"
"""Kafka's clients want the name of a group; nothing is ever committed under this one."""
ATTEMPTS = 20
NOT_YET = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.REPLICA_NOT_AVAILABLE,
)
"""A topic that was made a moment ago has no leader yet."""
NOT_YET_S = 0.5


def ends(settings: Settings, topics: Sequence[str]) -> dict[Place, int]:
    """Offset behind the last record of each partition; topics that do not exist are left out."""
    return _offsets(settings, topics, OffsetSpec.latest())  # type: ignore[no-untyped-call]


def beginnings(settings: Settings, topics: Sequence[str]) -> dict[Place, int]:
    """Offset of the oldest record that is still kept, of each partition."""
    return _offsets(settings, topics, OffsetSpec.earliest())  # type: ignore[no-untyped-call]


def since(settings: Settings, topics: Sequence[str], at_ms: int) -> dict[Place, int]:
    """Offset of the first record of each partition that was written at `at_ms` (UTC) or later; where there is none,
    the end."""
    found = _offsets(settings, topics, OffsetSpec.for_timestamp(at_ms))
    last = ends(settings, [topic for topic in topics if any(place[0] == topic for place in found)])
    return {place: offset if offset >= 0 else last[place] for place, offset in found.items()}


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


def _offsets(settings: Settings, topics: Sequence[str], spec: OffsetSpec) -> dict[Place, int]:
    admin = AdminClient({**client_options(settings)})
    for attempt in range(ATTEMPTS):
        try:
            known = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
            places = [TopicPartition(name, part) for name in topics if name in known for part in known[name].partitions]
            if not places:
                return {}
            answers = admin.list_offsets(dict.fromkeys(places, spec), request_timeout=REQUEST_TIMEOUT_S)
            return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}
        except KafkaException as error:
            if error.args[0].code() not in NOT_YET or attempt == ATTEMPTS - 1:
                raise Unavailable(f"Kafka does not answer about its topics: {error}") from error
            time.sleep(NOT_YET_S)
    raise AssertionError("the last attempt returns or raises")
