"""The Faust shell: one agent over one topic with a table of states, around a core that knows nothing of Kafka.

Faust brings the worker: group membership, the stream, the table and its recovery from the changelog. Four things are
done here instead, because of known faults: what is read when is decided by `runtime.steady`; offsets are committed from
our own watermark, never from Faust's acknowledgements; outputs and states are produced by confluent-kafka with delivery
reports; and any unexpected error ends the process instead of being acknowledged. Faust's web server, windows and
exactly-once mode are not used.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
import traceback
from collections.abc import Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import faust
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient
from faust.types import TP

from processors.runtime.dead_letters import DeadLetters
from processors.runtime.errors import BadRecord, UserError
from processors.runtime.gaps import Gaps
from processors.runtime.health import serve_health
from processors.runtime.kafka import REQUEST_TIMEOUT_S, SESSION_TIMEOUT_MS, bootstrap, client_options, make_producer
from processors.runtime.keeper import Core, Done, Incoming, Keeper
from processors.runtime.logs import get_logger
from processors.runtime.settings import Settings
from processors.runtime.steady import Fetch, SteadyConsumer
from processors.runtime.watchdog import watch_progress

S = TypeVar("S")

PREFIX = "tingjian-"
COMMIT_EVERY_S = 0.5
PULSE_S = 0.1
DELIVERY_POLL_S = 0.002
IDLE_POLL_S = 0.02
STREAM_BUFFER = 20
"""Fetches that wait in the stream."""
CHANGELOG_BUFFER = 1_000
"""States that wait to be put into the table at the start."""
MOST_FETCHED = 1_000
"""Records of one fetch, so that a partition with a backlog does not keep the others waiting."""
MOST_PRODUCING = 20_000
"""Records that no broker has yet; beyond it reading pauses."""
CHECK_EVERY = 64
DRAIN_S = 10.0
CRASHED = 70

Probe = Callable[[], tuple[bool, str]]


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """What to run: an agent of this name over a topic, with a table of states."""

    name: str
    topic: str
    table: str
    ready: Probe = lambda: (True, "")

    @property
    def group(self) -> str:
        """Consumer group, and name of the Faust app."""
        return PREFIX + self.name

    @property
    def changelog(self) -> str:
        """Compacted topic of the table, as topology.yaml declares it."""
        return f"{self.group}-{self.table}-changelog"


class KafkaOutlet:
    """Produces outputs, states and bad records; whatever can not be delivered ends the process."""

    def __init__(self, settings: Settings, agent: AgentSpec, crash: Callable[[str], NoReturn]) -> None:
        self.producer: Producer = make_producer(settings)
        self._agent = agent
        self._changelog = agent.changelog
        self._crash = crash
        self._letters = DeadLetters(self.producer, agent.name, settings.instance_id)

    def send(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]], done: Done) -> None:
        """An output of the core."""
        self._letters.good()
        self.producer.produce(topic, value, key, headers=[*headers], on_delivery=self._reported(done))

    def store(self, key: bytes, value: bytes | None, partition: int, done: Done) -> None:
        """A state; no value deletes it."""
        self.producer.produce(self._changelog, value, key, partition, on_delivery=self._reported(done))

    def reject(self, message: Incoming, error: BadRecord, done: Done) -> None:
        """A bad record: finished when the dead-letter topic has it."""
        self._letters.send_raw(
            topic=self._agent.topic,
            partition=message.partition,
            offset=message.offset,
            key=message.key,
            value=message.value,
            headers=message.headers,
            at_ms=message.at_ms,
            error=error,
            on_delivery=self._reported(done),
        )

    def poll(self) -> int:
        """Run the delivery reports that have come; how many records are still on the way."""
        self.producer.poll(0)
        return len(self.producer)

    def _reported(self, done: Done) -> Callable[[KafkaError | None, Message], None]:
        def report(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._crash(f"Kafka did not take a record of {message.topic()}: {error.str()}")
            done()

        return report


class Worker:
    """One agent of one process."""

    def __init__(self, settings: Settings, agent: AgentSpec, core: Core[Any]) -> None:
        self._settings = settings
        self._agent = agent
        self._log = get_logger(agent.name)
        self._partitions = _partitions(settings, agent)
        self._app = _app(settings, agent, self._partitions)
        self._committed: dict[int, int] = {}
        self._expected: dict[int, int] = {}
        self._gaps = Gaps(settings, agent.group, agent.topic)
        self._recovered = False
        self._assigned: frozenset[int] = frozenset()
        self._outlet = KafkaOutlet(settings, agent, self._crash)
        table = self._app.Table(agent.table, partitions=self._partitions, key_type=bytes, value_type=bytes)
        states: MutableMapping[bytes, bytes] = table.data
        self.keeper = Keeper(core, self._outlet, states)
        # Faust acknowledges what it skips while partitions move; with acks off it never commits, and we do.
        source = self._app.topic(
            agent.topic,
            acks=False,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            maxsize=STREAM_BUFFER,
        )
        self._app.agent(source, name=agent.name, concurrency=1)(self._judge)
        self._app.task(self._guarded(self._deliver))
        self._app.task(self._guarded(self._tend))
        self._app.on_partitions_revoked.connect(self._on_revoked)
        self._app.on_partitions_assigned.connect(self._on_assigned)
        self._app.on_before_shutdown.connect(self._on_shutdown)

    def run(self) -> NoReturn:
        """Run until SIGTERM or SIGINT; then store, commit and leave."""
        settings = self._settings
        port = serve_health(settings.metrics_port, self._ready, host=settings.health_host)
        self._log.info("started", metrics_port=port, partitions=self._partitions)
        watch_progress(settings, self._agent.group, self._agent.topic, lambda: self._assigned, self._crash)
        worker = self._app.Worker(
            loglevel=None, override_logging=False, redirect_stdouts=False, quiet=True, blocking_timeout=0, debug=False
        )
        worker.execute_from_commandline()
        raise SystemExit(0)

    async def _judge(self, stream: Any) -> None:
        try:
            async for event in stream.noack().events():
                await self._take(event.message)
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge the records and go on
            self._crash(error)

    async def _take(self, fetch: Fetch) -> None:
        partition, count = fetch.partition, 0
        for record in fetch.records:
            if fetch.generation_id != self._app.consumer_generation_id or partition not in self._assigned:
                return  # partitions have moved: reading begins again at the committed offset
            offset = record.offset
            if offset != self._expected.get(partition) and not await self._is_next(fetch, offset):
                continue
            self._expected[partition] = offset + 1
            message = Incoming(partition, offset, record.key, record.value, record.headers, record.timestamp)
            self.keeper.take(message, time.monotonic())
            count += 1
            if count % CHECK_EVERY == 0:
                await self._make_room()

    async def _is_next(self, fetch: Fetch, offset: int) -> bool:
        """Whether the record is the next one of its partition; false when it came before, or when partitions moved
        while the broker was asked. Ends the process when one before it never came: what is not committed comes again
        after the start."""
        partition = fetch.partition
        expected = self._expected.get(partition)
        if expected is None:
            expected = (await asyncio.to_thread(self._gaps.beginnings, [partition]))[partition]
        skipped = offset > expected and await asyncio.to_thread(self._gaps.lost, partition, expected, offset)
        if fetch.generation_id != self._app.consumer_generation_id or partition not in self._assigned:
            return False
        if skipped:
            self._crash(f"record {expected} of partition {partition} was skipped, the next one that came is {offset}")
        self._expected[partition] = expected
        return offset >= expected

    async def _make_room(self) -> None:
        await asyncio.sleep(0)
        while self.keeper.full or len(self._outlet.producer) > MOST_PRODUCING:  # noqa: ASYNC110 - librdkafka is polled
            await asyncio.sleep(DELIVERY_POLL_S)

    async def _deliver(self) -> None:
        while True:
            waiting = self._outlet.poll()
            await asyncio.sleep(DELIVERY_POLL_S if waiting else IDLE_POLL_S)

    async def _tend(self) -> None:
        commit_at = 0.0
        while True:
            now_s = time.monotonic()
            self.keeper.pulse(now_s)
            if now_s >= commit_at:
                commit_at = now_s + COMMIT_EVERY_S
                await self._commit()
            await asyncio.sleep(PULSE_S)

    async def _commit(self) -> None:
        moved = {p: offset for p, offset in self.keeper.positions().items() if self._committed.get(p) != offset}
        if moved:
            offsets = {TP(self._agent.topic, number): offset for number, offset in moved.items()}
            if await self._app.consumer._commit(offsets):
                self._committed.update(moved)

    async def _on_revoked(self, app: Any, revoked: set[TP], **_: Any) -> None:
        numbers = {tp.partition for tp in revoked if tp.topic == self._agent.topic}
        self.keeper.revoke(numbers)
        self._assigned -= numbers
        for number in numbers:
            self._committed.pop(number, None)
            self._expected.pop(number, None)

    async def _on_assigned(self, app: Any, assigned: set[TP], **_: Any) -> None:
        self._assigned = frozenset(tp.partition for tp in assigned if tp.topic == self._agent.topic)
        self._expected.clear()
        self._log.info("partitions", assigned=sorted(self._assigned))

    async def _on_shutdown(self, app: Any, **_: Any) -> None:
        self.keeper.finish()
        until = time.monotonic() + DRAIN_S
        while self._outlet.poll() and time.monotonic() < until:  # noqa: ASYNC110 - librdkafka is polled
            await asyncio.sleep(DELIVERY_POLL_S)
        await self._commit()

    def _ready(self) -> tuple[bool, str]:
        if not self._assigned:
            return False, "waits for partitions"
        if not self._app.tables.recovery.completed.is_set():
            return False, "reads its states from the changelog"
        return self._agent.ready()

    def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], Coroutine[Any, Any, None]]:
        async def guarded() -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - a task that dies in silence stops deliveries
                self._crash(error)

        guarded.__name__ = work.__name__
        return guarded

    def _crash(self, error: BaseException | str) -> NoReturn:
        """End at once: nothing is committed that is not stored, and whoever watches starts us again."""
        trace = "" if isinstance(error, str) else "".join(traceback.format_exception(error))
        self._log.error("crashed", reason=str(error), trace=trace)
        os._exit(CRASHED)


def run_agent(settings: Settings, agent: AgentSpec, core: Core[Any]) -> NoReturn:
    """Run an agent until SIGTERM or SIGINT. UserError when its topics are missing or do not fit."""
    Worker(settings, agent, core).run()


def _app(settings: Settings, agent: AgentSpec, partitions: int) -> Any:
    folder = settings.home / "faust" / (settings.instance_id or str(os.getpid()))
    folder.mkdir(parents=True, exist_ok=True)
    app: Any = faust.App(
        agent.group,
        broker=[f"kafka://{address.strip()}" for address in bootstrap(settings).split(",")],
        broker_credentials=_credentials(settings),
        broker_session_timeout=SESSION_TIMEOUT_MS / 1000,
        broker_max_poll_interval=120.0,
        broker_max_poll_records=MOST_FETCHED,
        broker_commit_interval=COMMIT_EVERY_S,
        consumer_group_instance_id=settings.instance_id or None,
        processing_guarantee="at_least_once",
        store="memory://",
        topic_partitions=partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_cleanup_interval=3600.0,
        stream_buffer_maxsize=CHANGELOG_BUFFER,
        stream_wait_empty=False,
        web_enabled=False,
        autodiscover=False,
        datadir=str(folder),
    )
    app.transport.Consumer = SteadyConsumer
    return app


def _credentials(settings: Settings) -> Any:
    context = None
    if settings.kafka_security.endswith("ssl"):
        context = ssl.create_default_context(cafile=settings.kafka_ca or None)
    if settings.kafka_security.startswith("sasl"):
        return faust.SASLCredentials(
            username=settings.kafka_username,
            password=settings.kafka_password,
            mechanism=settings.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context else None


def _partitions(settings: Settings, agent: AgentSpec) -> int:
    topics = AdminClient({**client_options(settings)}).list_topics(timeout=REQUEST_TIMEOUT_S).topics
    counts = {name: len(topics[name].partitions) if name in topics else 0 for name in (agent.topic, agent.changelog)}
    if not all(counts.values()):
        missing = ", ".join(name for name, count in counts.items() if not count)
        raise UserError(f"topic {missing} does not exist; create the topics with `tingjian topology apply`")
    if len(set(counts.values())) > 1:
        raise UserError(f"topics must have the same number of partitions: {counts}; see `tingjian topology apply`")
    return counts[agent.topic]


__all__ = ["AgentSpec", "Worker", "run_agent"]
