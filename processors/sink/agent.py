"""The shell of `sink`: reads the results of all calls from Kafka and inserts them into ClickHouse in batches.

Offsets are committed after the insert, so nothing is lost; what is inserted twice replaces itself (see `rows`). A
record that has no place in the tables goes to the dead-letter topic, the rest of its batch is stored. While ClickHouse
is down nothing is committed; after a bounded time the process ends, and whoever watches it starts it again.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import stamina
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from processors.runtime.dead_letters import DeadLetters
from processors.runtime.errors import BadRecord, Unavailable
from processors.runtime.health import serve_health
from processors.runtime.kafka import fatal, make_consumer, make_producer
from processors.runtime.logs import configure_logs, get_logger
from processors.runtime.metrics import SINK_BATCH_ROWS, SINK_INSERT_SECONDS, SINK_LAG_RECORDS, SINK_ROWS
from processors.runtime.settings import Settings
from processors.sink.batch import Batch, Pending
from processors.sink.door import serve_queries
from processors.sink.migrate import load_migrations, migrate
from processors.sink.queries import GROUP
from processors.sink.rows import COLUMNS, rows_of
from processors.sink.store import embedded_folder, open_embedded, open_server
from processors.topology import the_topology

MOST_ROWS = 20_000
MOST_MESSAGES = 2_000
"""Of one call of the Kafka client."""
EMBEDDED_FLUSH_MS = 300
"""Somebody on this machine waits for the rows."""
SERVER_FLUSH_MS = 1_000
RETRY_S = 200.0
"""Shorter than the 300 s after which the group would give our partitions to another member."""
RETRY_WAIT_S = 10.0
LAG_EVERY_S = 5.0
DELIVERY_S = 60.0

log = get_logger("sink")
Stored = tuple[str, Pending[Message]]


class Table(Protocol):
    """What of a Store the loop needs."""

    def insert(self, table: str, names: Sequence[str], columns: Sequence[Sequence[object]], token: str) -> None:
        """Insert columns; BadRecord when a value does not fit, Unavailable when the engine is down."""


class Sink:
    """One consumer, one store, one batch."""

    def __init__(self, settings: Settings, store: Table, flush_ms: int) -> None:
        self._store = store
        self._batch: Batch[Message] = Batch(MOST_ROWS, flush_ms)
        self._producer = make_producer(settings)
        self._letters = DeadLetters(self._producer, "sink", settings.instance_id)
        self._topics = the_topology().processors["sink"].reads
        self._lag_at = 0.0
        self.assigned = False
        self._consumer = make_consumer(
            settings, GROUP, self._topics, settings.instance_id, self._on_assign, self._on_revoke
        )

    def run(self, stopping: threading.Event) -> None:
        """Read, insert, commit until told to stop; then insert and commit what was read."""
        while not stopping.is_set():
            for message in self._consumer.consume(MOST_MESSAGES, timeout=0.05):
                self._take(message)
            if self._batch.due(_now_ms()):
                self._flush()
            self._measure()
        self._flush()
        self._consumer.close()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            self._complain(error)
            return
        offset = int(message.offset() or 0)
        value = message.value()
        try:
            self._batch.add(rows_of(value, offset), message, value or b"")
        except BadRecord as bad:
            self._letters.send(message, bad)
        self._batch.read((str(message.topic()), int(message.partition() or 0)), offset, _now_ms())

    def _flush(self) -> None:
        batch = self._batch
        if not batch.next_offsets:
            return
        for table, pending in batch.tables.items():
            self._insert(table, pending, f"{table}/{batch.token}")
        if batch.tables:
            self._letters.good()
        if self._producer.flush(DELIVERY_S):
            raise Unavailable("Kafka does not take dead letters")
        offsets = [TopicPartition(topic, number, next_) for (topic, number), next_ in batch.next_offsets.items()]
        batch.clear()
        _commit(self._consumer, offsets)

    def _insert(self, table: str, pending: Pending[Message], token: str) -> None:
        for part, bad in insert_all(self._store, table, pending, token):
            if bad is not None:
                self._letters.send(part.messages[0], bad, stage="TASK_PUT")
            else:
                SINK_ROWS.labels(table).inc(len(part.rows))
                SINK_BATCH_ROWS.labels(table).observe(len(part.rows))

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.assigned = True

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._flush()

    def _complain(self, error: KafkaError) -> None:
        if fatal(error):
            raise Unavailable(f"Kafka refuses this member: {error.str()}")
        log.warning("kafka", reason=error.str())

    def _measure(self) -> None:
        if time.monotonic() - self._lag_at < LAG_EVERY_S:
            return
        self._lag_at = time.monotonic()
        lag = dict.fromkeys(self._topics, 0)
        for place in self._consumer.position(self._consumer.assignment()):
            high = self._consumer.get_watermark_offsets(place, cached=True)[1]
            lag[place.topic] += max(0, high - place.offset) if place.offset >= 0 else 0
        for topic, records in lag.items():
            SINK_LAG_RECORDS.labels(topic).set(records)


def insert_all(
    store: Table, table: str, pending: Pending[Message], token: str
) -> Iterator[tuple[Pending[Message], BadRecord | None]]:
    """Insert rows; when some do not fit, halve until they are found. Yields what went in, and each row that did not.

    Unavailable when the engine stays down for longer than RETRY_S.
    """
    try:
        for attempt in stamina.retry_context(on=Unavailable, attempts=None, timeout=RETRY_S, wait_max=RETRY_WAIT_S):
            with attempt, SINK_INSERT_SECONDS.labels(table).time():
                store.insert(table, COLUMNS[table], list(zip(*pending.rows, strict=True)), token)
        yield pending, None
    except BadRecord as bad:
        if len(pending.rows) == 1:
            yield pending, bad
            return
        half = len(pending.rows) // 2
        for name, part in (("a", slice(None, half)), ("b", slice(half, None))):
            yield from insert_all(store, table, Pending(pending.rows[part], pending.messages[part]), f"{token}/{name}")


def main(settings: Settings, **options: object) -> None:
    """Run until SIGTERM or SIGINT."""
    configure_logs(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    store = open_server(settings) if settings.clickhouse else open_embedded(embedded_folder(settings))
    applied = migrate(store, load_migrations())
    if not settings.clickhouse:
        port = serve_queries(open_embedded(embedded_folder(settings), read_only=True), settings.query_port)
        log.info("queries", port=port)
    sink = Sink(settings, store, SERVER_FLUSH_MS if settings.clickhouse else EMBEDDED_FLUSH_MS)
    port = serve_health(
        settings.metrics_port,
        lambda: (sink.assigned, "has partitions" if sink.assigned else "waits for partitions"),
        host=settings.health_host,
    )
    log.info("started", migrations=[migration.name for migration in applied], metrics_port=port)
    sink.run(stopping)
    store.close()
    log.info("stopped")


def _commit(consumer: Consumer, offsets: list[TopicPartition]) -> None:
    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        if reason.code() not in (
            KafkaError.REBALANCE_IN_PROGRESS,
            KafkaError.ILLEGAL_GENERATION,
            KafkaError.UNKNOWN_MEMBER_ID,
        ):
            raise Unavailable(f"Kafka does not take offsets: {reason.str()}") from error
        log.warning("offsets not committed, their records come again", reason=reason.str())


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
