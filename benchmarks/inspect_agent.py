"""How many records of a timeline the `inspect` agent takes a second, against a bare aiokafka loop with the same core.

Both sides are processes of their own that read the same records from a real Kafka on this machine, apply the same core
(`processors.inspect.agent.Inspect` with the shipped rule book), and promise the same: outputs are delivered, then the
state is stored in a changelog, then the offset is committed, so that a crash loses nothing. The agent is Faust with our
keeper around it; the bare loop takes what one fetch brings, awaits its outputs, stores the state of each call that it
touched, commits, and fetches again. It has no tables to recover, no dead letters, no check for gaps, no metrics server.

Both processes are started once and wait; then the records, each time of new calls, are written to the topic of one side
and of the other by turns, and a turn ends when the offsets of all records are committed. CPU is that of the side's
process alone. The last turn of the agent may wait half a second for its next commit, which counts against it.

    python -m benchmarks.inspect_agent [--calls 20] [--repeats 5]
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.rules import make_call, shown
from processors.inspect.agent import Inspect
from processors.inspect.book import compile_book
from processors.inspect.language import parse
from processors.inspect.publish import TOPIC, publish_shipped
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.rule_sets import DEFAULT, RuleSets
from processors.records import AnyRecord, CallEnded
from processors.runtime.children import free_ports
from processors.runtime.compacted import Follower
from processors.runtime.embedded import Broker
from processors.runtime.health import serve_health
from processors.runtime.kafka import bootstrap, client_options, make_producer
from processors.runtime.settings import Settings, load_settings
from processors.runtime.topics import apply_topics
from processors.runtime.wire import decode, encode, headers
from processors.topology import the_topology

BARE = "benchmark-bare"
"""Group of the bare loop, its topic, and the beginning of the name of its changelog."""
BARE_CHANGELOG = f"{BARE}-changelog"
MOST_RECORDS = 1_000
"""Of one fetch of the bare loop; as many as the agent takes from one."""
POLL_S = 0.05
"""Between two looks at a process or at offsets, which tell nobody when they change."""
PATIENCE_S = 300.0


@dataclass
class Side:
    """One of the two: where it reads, who it is, what it used."""

    name: str
    topic: str
    group: str
    process: psutil.Process
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)


def main() -> None:
    """Print records a second of both sides and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--bare", action="store_true", help="be the bare loop (the benchmark starts it so)")
    args = parser.parse_args()
    if args.bare:
        asyncio.run(bare(load_settings()))
        return
    book = compile_book(parse(read_rule_files(shipped_folder())), "benchmark")
    calls = [ended(make_call(book, number)) for number in range(args.calls)]
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = load_settings(home=home)
        broker = stack.enter_context(Broker(settings))
        settings = settings.model_copy(update={"kafka": broker.bootstrap, "kafka_replication": 1})
        apply_topics(the_topology(), settings)
        make_bare_topics(settings)
        publish_shipped(settings)
        agent = ["-m", "processors.cli", "run", "inspect"]
        loop = ["-m", "benchmarks.inspect_agent", "--bare"]
        sides = [
            Side("bare loop", BARE, BARE, stack.enter_context(started(settings, loop, home / "bare.log"))),
            Side(
                "inspect agent",
                "calls.timeline",
                "tingjian-inspect",
                stack.enter_context(started(settings, agent, home / "agent.log")),
            ),
        ]
        for turn in range(args.repeats + 1):
            records = [renamed(record, turn) for record in interleaved(calls)]
            for side in sides:
                wall_s, cpu_s = measure(settings, side, records)
                if turn:  # the first one warms up
                    side.wall_s.append(wall_s)
                    side.cpu_s.append(cpu_s)
    print(f"{args.calls} calls, {len(records)} records a turn, {args.repeats} turns")
    for side in sides:
        print(
            f"  {side.name:14} {shown([len(records) / one for one in side.wall_s], 0)} records a second,"
            f" {shown([len(records) / one for one in side.cpu_s], 0)} a CPU second of its process"
        )
    first, second = sides
    for what, theirs, ours in (("clock", first.wall_s, second.wall_s), ("CPU", first.cpu_s, second.cpu_s)):
        ratios = [bare_s / agent_s for bare_s, agent_s in zip(theirs, ours, strict=True)]
        print(f"  the agent against the bare loop, {what}: {shown(ratios)}")


def ended(timeline: Sequence[Any]) -> list[Any]:
    """The call with its end."""
    last = timeline[-1]
    return [*timeline, CallEnded(call_id=last.call_id, call_ms=last.at_ms + 1, at_ms=last.at_ms + 1)]


def interleaved(calls: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """The records as of calls that go on at the same time."""
    for together in zip_longest(*calls):
        yield from (record for record in together if record is not None)


def renamed(record: Any, turn: int) -> AnyRecord:
    """The record as one of a call of this turn."""
    return replace(record, call_id=f"{record.call_id}-{turn}")


def make_bare_topics(settings: Settings) -> None:
    """Topics of the bare loop, like those of the agent."""
    count = the_topology().topics["calls.timeline"].partitions
    compacted = NewTopic(BARE_CHANGELOG, count, 1, config={"cleanup.policy": "compact"})
    admin = AdminClient(client_options(settings))
    for made in admin.create_topics([NewTopic(BARE, count, 1), compacted]).values():
        made.result()


@contextmanager
def started(settings: Settings, arguments: Sequence[str], log: Path) -> Iterator[psutil.Process]:
    """A process that is ready to read. AssertionError with the end of its log when it ends before."""
    (port,) = free_ports(1)
    there = {
        "TINGJIAN_HOME": str(settings.home),
        "TINGJIAN_KAFKA": settings.kafka,
        "TINGJIAN_SENTENCE_ENCODER": "",
        "TINGJIAN_METRICS_PORT": str(port),
    }
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, *arguments], env={**os.environ, **there}, stdout=output, stderr=output
        )
    try:
        until = time.monotonic() + PATIENCE_S
        while not is_ready(port):
            assert child.poll() is None and time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(POLL_S)
        yield psutil.Process(child.pid)
    finally:
        child.kill()
        child.wait()


def is_ready(port: int) -> bool:
    """Whether the process says so on /readyz."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def measure(settings: Settings, side: Side, records: Sequence[AnyRecord]) -> tuple[float, float]:
    """Seconds from the first record written until all are committed, and CPU seconds of the process."""
    values = [(record.call_id, encode(record), headers("", record)) for record in records]
    producer = make_producer(settings)
    group = Consumer({**client_options(settings), "group.id": side.group, "enable.auto.commit": "false"})
    count = len(group.list_topics(side.topic).topics[side.topic].partitions)
    places = [Place(side.topic, number) for number in range(count)]
    before = cpu_of(side.process)
    began = time.perf_counter()
    for key, value, head in values:
        producer.produce(side.topic, value, key, headers=head)
    assert producer.flush(PATIENCE_S) == 0
    ends = [group.get_watermark_offsets(place)[1] for place in places]
    while any(there.offset < end for there, end in zip(group.committed(places), ends, strict=True) if end):
        assert time.perf_counter() - began < PATIENCE_S, f"{side.name} does not get on"
        time.sleep(POLL_S)
    wall_s = time.perf_counter() - began
    cpu_s = cpu_of(side.process) - before
    group.close()
    return wall_s, cpu_s


def cpu_of(process: psutil.Process) -> float:
    """Seconds that it has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def bare(settings: Settings) -> None:
    """The bare loop: fetch, judge, deliver, store, commit, without end."""
    sets = RuleSets()
    sets.start()
    rules = Follower(settings, TOPIC, sets.received, lambda error: os._exit(1))
    rules.start()
    core = Inspect(sets)
    consumer = AIOKafkaConsumer(
        BARE,
        bootstrap_servers=bootstrap(settings),
        group_id=BARE,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap(settings), acks="all", enable_idempotence=True, compression_type="lz4", linger_ms=5
    )
    await consumer.start()
    await producer.start()

    def ready() -> tuple[bool, str]:
        current = sets.current(DEFAULT)
        return bool(consumer.assignment() and current and sets.book(current)), ""

    serve_health(settings.metrics_port, ready, host=settings.health_host)
    states: dict[str, Any] = {}
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=MOST_RECORDS)
        offsets: dict[TopicPartition, int] = {}
        touched: dict[str, int] = {}
        sent = []
        for place, messages in fetched.items():
            for message in messages:
                record: Any = decode(message.value)
                state, outputs = core.step(states.get(record.call_id), record, message.offset)
                states[record.call_id] = state
                touched[record.call_id] = place.partition
                for output in outputs:
                    topic = core.topic_of(output)
                    value = encode(core.stamped(output))
                    key = record.call_id.encode()
                    sent.append(await producer.send(topic, value, key, headers=headers(topic, output)))
                offsets[place] = message.offset + 1
        await asyncio.gather(*sent)
        stored = []
        for call_id, partition in touched.items():
            state = states[call_id]
            data = None if state is None else core.dump(state)
            if state is None:
                del states[call_id]
            stored.append(await producer.send(BARE_CHANGELOG, data, call_id.encode(), partition))
        await asyncio.gather(*stored)
        if offsets:
            await consumer.commit(offsets)


if __name__ == "__main__":
    main()
