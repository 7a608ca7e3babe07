"""Reads a compacted topic in full and follows it: for what every worker must know, such as the rule book.

No consumer group: each reader reads everything, whatever partitions it has elsewhere. The reader's thread calls back;
an error in there ends the process, since a worker that no longer hears of changes is worse than one that restarts.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from processors.runtime.errors import Unavailable, UserError
from processors.runtime.kafka import REQUEST_TIMEOUT_S, client_options, fatal
from processors.runtime.settings import Settings

POLL_S = 0.2
BATCH = 500
READ_TIMEOUT_S = 60.0

Received = Callable[[str, bytes | None], None]
"""Key and value; no value: the key was deleted."""


def read_compacted(settings: Settings, topic: str) -> dict[str, bytes]:
    """The present content of the topic. Unavailable when it can not be read in time."""
    found: dict[str, bytes] = {}
    until = time.monotonic() + READ_TIMEOUT_S
    for key, value in _read(settings, topic, lambda: time.monotonic() >= until):
        if value is None:
            found.pop(key, None)
        else:
            found[key] = value
    return found


class Follower:
    """Keeps up with a compacted topic in a thread."""

    def __init__(self, settings: Settings, topic: str, received: Received, end: Callable[[BaseException], object]):
        self._settings = settings
        self._topic = topic
        self._received = received
        self._end = end
        self.loaded = threading.Event()
        """Everything that was there at the start has been read."""

    def start(self) -> None:
        """Begin to read; `loaded` says when the present content is there."""
        threading.Thread(target=self._run, name=f"follow-{self._topic}", daemon=True).start()

    def _run(self) -> None:
        try:
            consumer, unread = _open(self._settings, self._topic)
            while True:
                for key, value in _next(consumer, unread):
                    self._received(key, value)
                if not unread:
                    self.loaded.set()
        except Exception as error:  # noqa: BLE001 - a reader that dies in silence leaves old rules in force
            self._end(error)


def _read(settings: Settings, topic: str, late: Callable[[], bool]) -> Iterator[tuple[str, bytes | None]]:
    consumer, unread = _open(settings, topic)
    try:
        while unread:
            if late():
                raise Unavailable(f"topic {topic} could not be read in {READ_TIMEOUT_S:.0f} s")
            yield from _next(consumer, unread)
    finally:
        consumer.close()


def _open(settings: Settings, topic: str) -> tuple[Consumer, set[int]]:
    """A consumer at the beginning of the topic, and its partitions."""
    consumer = Consumer(
        {
            **client_options(settings),
            "group.id": f"tingjian-reader-{uuid.uuid4()}",
            "enable.auto.commit": "false",
            "enable.partition.eof": "true",  # the end of a compacted partition is not known by its offsets
        }
    )
    try:
        known = consumer.list_topics(topic, timeout=REQUEST_TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise Unavailable(f"Kafka does not answer about topic {topic}: {error.args[0].str()}") from error
    if known.error is not None:
        raise UserError(f"topic {topic} does not exist; create the topics with `tingjian topology apply`")
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in known.partitions])
    return consumer, set(known.partitions)


def _next(consumer: Consumer, unread: set[int]) -> Iterator[tuple[str, bytes | None]]:
    """Records that have come; partitions that are read to their end leave `unread`."""
    for message in consumer.consume(BATCH, timeout=POLL_S):
        error = message.error()
        if error is None:
            yield _key(message), message.value()
        elif error.code() == KafkaError._PARTITION_EOF:
            unread.discard(int(message.partition() or 0))
        elif fatal(error):
            raise Unavailable(f"Kafka refuses to be read: {error.str()}")


def _key(message: Message) -> str:
    key = message.key()
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key or "")
