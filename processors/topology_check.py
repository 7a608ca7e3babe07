"""What must hold in a map: every rule of the topology, as one pure function from map and facts to problems.

Facts are what lies around the map in the repository: record types, examples, folders. The rules keep an edit of
topology.yaml honest: whoever adds a topic, a record or a processor learns here what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processors.topology import DEAD_LETTER_SUFFIX, FILE, Problem, Source, Topic, Topology, nearest, parse

NOT_PROCESSORS = frozenset({"runtime", "tuning", "commands"})
"""Folders of `processors/` that are none: the shared shell, the training recipes, the command line."""
LONGEST_CALL_MS = 4 * 3_600_000
LEAST_MEDIA_MS = LONGEST_CALL_MS + 3_600_000
"""Audio must outlive the longest call plus an outage, or a recovery loses the beginning of a call."""
MEDIA_RECORD = "AudioChunk"


@dataclass(frozen=True, slots=True)
class Facts:
    """What lies around the map."""

    records: frozenset[str]  # record types with a schema
    examples: frozenset[str]  # record types with at least one example
    folders: frozenset[str]  # of processors


def facts_of(root: Path) -> Facts:
    """The facts of a checkout."""
    schemas = root / "schemas"
    return Facts(
        records=frozenset(path.stem for path in schemas.glob("*.avsc")),
        examples=frozenset(path.parent.name for path in schemas.glob("examples/*/*.json")),
        folders=frozenset(path.parent.name for path in (root / "processors").glob("*/__init__.py")) - NOT_PROCESSORS,
    )


def check_file(path: Path = FILE) -> list[Problem]:
    """All problems of a map file, in the order of its lines. OSError when it can not be read."""
    source = parse(path.read_text(encoding="utf-8"), path.name)
    return check(source, facts_of(FILE.parent))


def check(source: Source, facts: Facts) -> list[Problem]:
    """All problems of a parsed map, in the order of its lines."""
    found = list(source.problems)
    if source.topology is not None:
        for name, topic in source.topology.topics.items():
            found += _topic(source, source.topology, name, topic, facts)
        for name in source.topology.processors:
            found += _processor(source, source.topology, name, facts)
        missing = sorted(facts.folders - set(source.topology.processors))
        for name in missing:
            hint = f"declare it under processors, or delete processors/{name}"
            found.append(
                Problem(source.file, source.line("processors"), f"folder processors/{name} has no block", hint)
            )
    return sorted(found, key=lambda problem: problem.line)


def _topic(source: Source, topology: Topology, name: str, topic: Topic, facts: Facts) -> Iterator[Problem]:
    def problem(message: str, hint: str, *path: str | int) -> Problem:
        return Problem(source.file, source.line("topics", name, *path), f"topic {name}: {message}", hint)

    writers = topology.writers(name)
    if topic.state_of:
        yield from _state_topic(source, topology, name, topic)
    elif topic.from_:
        if writers:
            yield problem(f"written from {topic.from_}, and by {writers[0]}", "drop one of the two", "from")
    elif not writers:
        hint = "add it to `writes` of a processor, or say `from: people` or `from: doors`"
        yield problem("nobody writes it", hint)
    elif len(writers) > 1:
        hint = "one writer keeps one order; give each writer a topic of its own"
        yield problem(f"{len(writers)} processors write it: {', '.join(writers)}", hint)
    if name.endswith(DEAD_LETTER_SUFFIX):
        yield problem("dead-letter topics are made by themselves", "remove it")
    yield from _retention(source, name, topic)
    if not topic.records and not topic.state_of:
        yield problem("no records", "list the record types that it carries", "records")
    for index, record in enumerate(topic.records):
        if record not in facts.records:
            yield problem(f"unknown record {record}", nearest(record, sorted(facts.records)), "records", index)
        elif record not in facts.examples:
            yield problem(f"{record} has no example", f"add schemas/examples/{record}/<name>.json", "records", index)
        if record in topic.records[:index]:
            yield problem(f"{record} is listed twice", "keep one of them", "records", index)


def _state_topic(source: Source, topology: Topology, name: str, topic: Topic) -> Iterator[Problem]:
    owner = topology.processors.get(topic.state_of or "")
    line = source.line("topics", name, "state_of")
    if owner is None:
        hint = nearest(topic.state_of or "", list(topology.processors))
        yield Problem(source.file, line, f"topic {name}: state of unknown processor {topic.state_of}", hint)
        return
    inputs = {
        topology.topics[t].partitions for t in owner.reads if t in topology.topics and not topology.topics[t].broadcast
    }
    if inputs and topic.partitions not in inputs:
        message = f"topic {name}: {topic.partitions} partitions, the inputs of {topic.state_of} have {max(inputs)}"
        yield Problem(source.file, source.line("topics", name, "partitions"), message, "state lies beside its input")
    if topic.cleanup != "compact":
        line = source.line("topics", name, "cleanup")
        yield Problem(source.file, line, f"topic {name}: a changelog must be compacted", "say `cleanup: compact`")


def _retention(source: Source, name: str, topic: Topic) -> Iterator[Problem]:
    line = source.line("topics", name, "keep")
    if topic.cleanup == "compact" and topic.keep is not None:
        hint = "drop `keep`, or say `cleanup: delete`"
        yield Problem(source.file, line, f"topic {name}: compacted and kept for {topic.keep}", hint)
    elif topic.cleanup == "delete" and topic.keep is None:
        hint = "say how long, like `keep: 7d`, or `cleanup: compact`"
        yield Problem(source.file, line, f"topic {name}: no retention", hint)
    elif topic.cleanup == "delete" and MEDIA_RECORD in topic.records and topic.keep_ms < LEAST_MEDIA_MS:
        hint = f"keep at least {LEAST_MEDIA_MS // 3_600_000}h: the longest call and an hour of outage"
        yield Problem(source.file, line, f"topic {name}: audio is kept for {topic.keep} only", hint)


def _processor(source: Source, topology: Topology, name: str, facts: Facts) -> Iterator[Problem]:
    processor = topology.processors[name]

    def problem(message: str, hint: str, *path: str | int) -> Problem:
        return Problem(source.file, source.line("processors", name, *path), f"processor {name}: {message}", hint)

    if name not in facts.folders:
        yield problem(f"no folder processors/{name}", nearest(name, sorted(facts.folders)))
    for side, topics in (("reads", processor.reads), ("writes", processor.writes)):
        for index, topic in enumerate(topics):
            if topic not in topology.topics:
                yield problem(f"{side} unknown topic {topic}", nearest(topic, list(topology.topics)), side, index)
            elif topic in topics[:index]:
                yield problem(f"{side} {topic} twice", "keep one of them", side, index)
    if not processor.reads and not processor.writes:
        yield problem("neither reads nor writes", "say what it reads or writes")
    yield from _inputs(source, topology, name)
    least, most = processor.replicas
    if not 0 <= least <= most or most == 0:
        yield problem(f"replicas from {least} to {most}", "give the least and the most, like [1, 8]", "replicas")
    partitions = [topology.topics[t].partitions for t in processor.reads if t in topology.topics]
    if partitions and most > max(partitions):
        hint = f"more than {max(partitions)} replicas would have nothing to read"
        yield problem(f"{most} replicas for {max(partitions)} partitions", hint, "replicas")


def _inputs(source: Source, topology: Topology, name: str) -> Iterator[Problem]:
    """Topics that one processor reads must be cut alike: a call then is in the same part of each of them."""
    reads = [t for t in topology.processors[name].reads if t in topology.topics]
    cut = [topic for topic in reads if not topology.topics[topic].broadcast]
    if not cut:
        return
    first = topology.topics[cut[0]]
    for topic in cut[1:]:
        other = topology.topics[topic]
        line = source.line("processors", name, "reads", topology.processors[name].reads.index(topic))
        if other.key == first.key and other.partitions != first.partitions:
            message = f"processor {name}: {cut[0]} has {first.partitions} partitions, {topic} has {other.partitions}"
            hint = "inputs of one processor need the same number, or `broadcast: true` on a topic that all read in full"
            yield Problem(source.file, line, message, hint)
        elif other.key != first.key:
            message = f"processor {name}: {cut[0]} is keyed by {first.key}, {topic} by {other.key}"
            hint = "use one key, or `broadcast: true` on the side input"
            yield Problem(source.file, line, message, hint)
