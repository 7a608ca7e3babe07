"""Creates the topics of topology.yaml: what is, what should be, and the steps between (`plan` is pure).

Topics that are not in the map are left alone, and nothing is ever deleted. More partitions for an existing topic are
made only when asked for: the calls that are open then change their partition, and with it their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from processors.runtime.errors import Unavailable, UserError
from processors.runtime.kafka import REQUEST_TIMEOUT_S, client_options
from processors.runtime.settings import Settings
from processors.topology import DEAD_LETTER_SUFFIX, Topic, Topology, duration_ms

DEAD_LETTERS_KEEP = "14d"
HIGHEST_REPLICATION_HINT = "set TINGJIAN_KAFKA_REPLICATION to at most the number of brokers"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a topic is like: wanted or found."""

    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One step, or a difference that is left for a person to decide."""

    topic: str
    what: Literal["create", "configure", "add partitions", "differs"]
    detail: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.what:14} {self.topic}: {self.detail}"


def wanted(topology: Topology, settings: Settings) -> dict[str, Shape]:
    """Every topic that must exist, the dead-letter topics among them.

    On the embedded broker call topics have the fewer partitions of the setting, all the same number.
    """

    def partitions(topic: Topic) -> int:
        return min(topic.partitions, settings.kafka_partitions) if settings.embedded_kafka else topic.partitions

    shapes = {}
    for name, topic in topology.topics.items():
        shapes[name] = Shape(partitions(topic), _config(topic.cleanup, topic.keep_ms, topic.max_bytes))
    for name in topology.dead_letter_topics():
        source = topology.topics[name.removesuffix(DEAD_LETTER_SUFFIX)]
        # The ten headers come on top of the record.
        shapes[name] = Shape(1, _config("delete", duration_ms(DEAD_LETTERS_KEEP), source.max_bytes + 65_536))
    return shapes


def _config(cleanup: str, keep_ms: int, max_bytes: int) -> dict[str, str]:
    config = {"cleanup.policy": cleanup, "max.message.bytes": str(max_bytes)}
    return config if cleanup == "compact" else {**config, "retention.ms": str(keep_ms)}


def plan(want: Mapping[str, Shape], found: Mapping[str, Shape], repartition: bool = False) -> list[Change]:
    """The steps from what is found to what is wanted, in the order of the map."""
    changes: list[Change] = []
    for name, shape in want.items():
        present = found.get(name)
        if present is None:
            settings = ", ".join(f"{key} {value}" for key, value in shape.config.items())
            changes.append(Change(name, "create", f"{shape.partitions} partitions, {settings}", shape))
            continue
        if shape.partitions > present.partitions and repartition:
            detail = f"{present.partitions} to {shape.partitions} partitions"
            changes.append(Change(name, "add partitions", detail, shape))
        elif shape.partitions != present.partitions:
            hint = (
                "use --repartition when no call is open"
                if shape.partitions > present.partitions
                else "Kafka can not take partitions away; correct the map or make the topic anew"
            )
            detail = f"{present.partitions} partitions, the map says {shape.partitions}; {hint}"
            changes.append(Change(name, "differs", detail, shape))
        other = {key: value for key, value in shape.config.items() if present.config.get(key) != value}
        if other:
            detail = ", ".join(f"{key} {present.config.get(key, 'unset')} to {value}" for key, value in other.items())
            changes.append(Change(name, "configure", detail, Shape(shape.partitions, other)))
    return changes


def apply_topics(
    topology: Topology, settings: Settings, *, dry_run: bool = False, repartition: bool = False
) -> list[Change]:
    """Make the brokers' topics what the map says; return the steps (none when all was right).

    UserError when the brokers refuse, Unavailable when they do not answer.
    """
    options = {name: value for name, value in client_options(settings).items() if name != "log_level"}
    admin = AdminClient({**options, "log_level": 0})
    want = wanted(topology, settings)
    try:
        changes = plan(want, _found(admin, list(want)), repartition)
        if not dry_run:
            _perform(admin, changes, 1 if settings.embedded_kafka else settings.kafka_replication)
    except KafkaException as error:
        reason = error.args[0].str()
        if "replication" in reason.lower():
            raise UserError(f"Kafka refuses to create the topics: {reason}; {HIGHEST_REPLICATION_HINT}") from error
        if error.args[0].retriable() or error.args[0].name().startswith("_"):
            addresses = options["bootstrap.servers"]
            raise Unavailable(f"Kafka at {addresses} does not answer: {reason}") from error
        raise UserError(f"Kafka refuses the topics: {reason}; check the rights of this principal") from error
    return changes


def _found(admin: AdminClient, names: list[str]) -> dict[str, Shape]:
    present = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    known = [name for name in names if name in present]
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in known]
    futures = admin.describe_configs(resources, request_timeout=REQUEST_TIMEOUT_S) if resources else {}
    shapes = {}
    for resource, future in futures.items():
        config = {entry.name: entry.value for entry in future.result().values()}
        shapes[resource.name] = Shape(len(present[resource.name].partitions), config)
    return shapes


def _perform(admin: AdminClient, changes: list[Change], replication: int) -> None:
    create = [
        NewTopic(c.topic, c.shape.partitions, replication, config=dict(c.shape.config))
        for c in changes
        if c.what == "create"
    ]
    grow = [NewPartitions(c.topic, c.shape.partitions) for c in changes if c.what == "add partitions"]
    configure = [
        ConfigResource(
            ResourceType.TOPIC,
            c.topic,
            incremental_configs=[
                ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                for key, value in c.shape.config.items()
            ],
        )
        for c in changes
        if c.what == "configure"
    ]
    pending: list[Future[None]] = []
    if create:
        pending += admin.create_topics(create, operation_timeout=REQUEST_TIMEOUT_S).values()
    if grow:
        pending += admin.create_partitions(grow, operation_timeout=REQUEST_TIMEOUT_S).values()
    if configure:
        pending += admin.incremental_alter_configs(configure, request_timeout=REQUEST_TIMEOUT_S).values()
    for future in pending:
        future.result()
