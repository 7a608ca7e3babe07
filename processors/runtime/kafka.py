"""Kafka clients with the defaults of this project. Topics are declared in topology.yaml, see `runtime.topics`.

Keys are partitioned by murmur2 as Java and Faust do, so that a call has the same partition number in every topic.
Offsets are never committed behind a processor's back: it commits its own low watermark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import stamina
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from processors.runtime.errors import Unavailable, UserError
from processors.runtime.logs import get_logger
from processors.runtime.metrics import RECORDS_LOST
from processors.runtime.settings import Settings
from processors.runtime.stack_file import read_stack

DELIVERY_TIMEOUT_MS = 60_000
"""A record that no broker takes for so long fails; the processor then exits without committing."""
PRODUCER_QUEUE_RECORDS = 100_000
PRODUCER_QUEUE_KBYTES = 65_536
CONSUMER_QUEUE_KBYTES = 32_768
SESSION_TIMEOUT_MS = 45_000
"""Static members come back under the same name at once; only a member that stays away is waited for so long."""
REQUEST_TIMEOUT_S = 15.0
NOT_YET = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError._WAIT_COORD,
)
"""A topic that was made a moment ago has no leader yet, a broker that has just started does not know its groups."""

T = TypeVar("T")
Rebalanced = Callable[[Consumer, list[TopicPartition]], None]


def bootstrap(settings: Settings) -> str:
    """Addresses of the brokers: the setting, or the embedded broker of the running stack of this home."""
    if settings.kafka:
        return settings.kafka
    stack = read_stack(settings.home)
    if stack is None:
        raise UserError(
            f"no stack runs in {settings.home}: start one with `tingjian up`, "
            "or set TINGJIAN_KAFKA to a broker of your own"
        )
    return stack.bootstrap


def client_options(settings: Settings) -> dict[str, str | int | float | bool]:
    """What every client needs to reach the brokers, in librdkafka's names."""
    options: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap(settings),
        "security.protocol": settings.kafka_security,
        "reconnect.backoff.max.ms": 1_000,
        "socket.keepalive.enable": "true",
        "log_level": 3,
    }
    if settings.kafka_security.startswith("sasl"):
        options["sasl.mechanism"] = settings.kafka_sasl_mechanism
        options["sasl.username"] = settings.kafka_username
        options["sasl.password"] = settings.kafka_password
    if settings.kafka_ca:
        options["ssl.ca.location"] = settings.kafka_ca
    return options


def make_producer(settings: Settings, **options: str | int) -> Producer:
    """An idempotent producer; `options` are librdkafka names with underscores for dots."""
    return Producer(
        {
            **client_options(settings),
            "enable.idempotence": "true",
            "acks": "all",
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 5,
            "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
            "queue.buffering.max.messages": PRODUCER_QUEUE_RECORDS,
            "queue.buffering.max.kbytes": PRODUCER_QUEUE_KBYTES,
            **{name.replace("_", "."): value for name, value in options.items()},
        }
    )


def make_consumer(
    settings: Settings,
    group: str,
    topics: Sequence[str],
    instance_id: str = "",
    on_assign: Rebalanced | None = None,
    on_revoke: Rebalanced | None = None,
    **options: str | int,
) -> Consumer:
    """A consumer that is subscribed (with no topics: that assigns itself) and commits nothing by itself.

    It starts at the oldest record that nobody of the group has committed. Records that retention removed before they
    were read are counted and logged, and reading goes on behind them: nothing brings them back.
    """
    consumer = Consumer(
        {
            **client_options(settings),
            "group.id": group,
            **({"group.instance.id": instance_id} if instance_id else {}),
            "group.protocol": "classic",
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": CONSUMER_QUEUE_KBYTES,
            "fetch.queue.backoff.ms": 50,
            **{name.replace("_", "."): value for name, value in options.items()},
        }
    )

    def assigned(consumer: Consumer, partitions: list[TopicPartition]) -> None:
        _count_lost(consumer, partitions)
        if on_assign:
            on_assign(consumer, partitions)

    if not topics:
        return consumer
    if on_revoke:
        consumer.subscribe(list(topics), on_assign=assigned, on_revoke=on_revoke)
    else:
        consumer.subscribe(list(topics), on_assign=assigned)
    return consumer


def answer(ask: Callable[[], T], about: str) -> T:
    """Ask again while the brokers say that they cannot tell yet. Unavailable when they still cannot in the end.

    A KafkaException goes through when the client was closed meanwhile.
    """
    try:
        for attempt in stamina.retry_context(on=_not_yet, attempts=None, timeout=REQUEST_TIMEOUT_S, wait_max=1.0):
            with attempt:
                return ask()
    except KafkaException as error:
        if error.args[0].code() == KafkaError._DESTROY:
            raise
        raise Unavailable(f"Kafka does not answer about {about}: {error.args[0].str()}") from error
    raise AssertionError("the last attempt returns or raises")


def _not_yet(error: Exception) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in NOT_YET


def _count_lost(consumer: Consumer, partitions: list[TopicPartition]) -> None:
    def lost() -> list[tuple[TopicPartition, int]]:
        committed = [one for one in consumer.committed(partitions, timeout=REQUEST_TIMEOUT_S) if one.offset >= 0]
        oldest = [consumer.get_watermark_offsets(one, timeout=REQUEST_TIMEOUT_S)[0] for one in committed]
        return [(one, low - one.offset) for one, low in zip(committed, oldest, strict=True) if low > one.offset]

    try:
        found = answer(lost, "offsets")
    except KafkaException:  # closed meanwhile: it will read nothing
        return
    for partition, records in found:
        RECORDS_LOST.labels(partition.topic).inc(records)
        get_logger("runtime").error(
            "retention removed records before they were read",
            topic=partition.topic,
            partition=partition.partition,
            records=records,
        )


def group_members(settings: Settings, group: str) -> set[str]:
    """Names of the members of a consumer group; Unavailable when the brokers do not answer in time."""
    admin = AdminClient(client_options(settings))

    def ask() -> set[str]:
        # Only the admin client can describe a group, though an error in it is dangerous (see `offsets`): it is asked
        # once, when a stack starts on brokers of one's own, and only about a group that a coordinator has.
        listed = admin.list_consumer_groups(request_timeout=REQUEST_TIMEOUT_S).result()
        if listed.errors:
            raise KafkaException(listed.errors[0])
        if group not in {one.group_id for one in listed.valid}:
            return set()
        try:
            described = admin.describe_consumer_groups([group], request_timeout=REQUEST_TIMEOUT_S)[group].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:  # it has ended meanwhile
                return set()
            raise
        return {member.group_instance_id or member.member_id for member in described.members}

    return answer(ask, f"the group {group}")


def fatal(error: KafkaError | None) -> bool:
    """Whether a consumer's error means that this process must stop (fenced, unauthorised), not that it should wait."""
    if error is None:
        return False
    codes = (
        KafkaError._FATAL,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
    )
    return bool(error.fatal() or error.code() in codes)
