"""The picture of the map: Mermaid for documents, plain text for the terminal. Pure: a map in, text out."""

from __future__ import annotations

from collections.abc import Sequence

from processors.topology import Topic, Topology

RUNTIME_SHAPES = {"server": ('(["', '"])'), "loop": ('["', '"]'), "faust": ('{{"', '"}}'), "job": ('[/"', '"/]')}
SOURCES = {"people": "people and git", "doors": "outside"}


def mermaid(topology: Topology) -> str:
    """A flowchart for Markdown: processors by kind of runtime, topics as cylinders; public ones stand out."""
    lines = ["flowchart LR"]
    for name, processor in topology.processors.items():
        left, right = RUNTIME_SHAPES[processor.runtime]
        lines.append(f"  {name}{left}{name}{right}")
    for name, topic in topology.topics.items():
        if topic.state_of:
            continue  # nobody but its owner looks at it
        node = _node(name)
        lines.append(f'  {node}[("{name}")]{":::public" if topic.public else ""}')
        if topic.from_:
            lines.append(f'  {topic.from_}(["{SOURCES[topic.from_]}"]) --> {node}')
        lines += [f"  {writer} --> {node}" for writer in topology.writers(name)]
        lines += [f"  {node} {'-.->' if topic.broadcast else '-->'} {reader}" for reader in topology.readers(name)]
    lines.append("  classDef public stroke-width:3px")
    return "\n".join(lines) + "\n"


def text(topology: Topology) -> str:
    """Two tables for the terminal: topics with who writes and reads them, and processors."""
    rows = [("TOPIC", "FROM", "TO", "PARTS", "KEPT", "RECORDS")]
    for name, topic in topology.topics.items():
        writers = [topic.state_of] if topic.state_of else topology.writers(name) or [topic.from_ or "nobody"]
        readers = [topic.state_of] if topic.state_of else topology.readers(name) or ["subscribers"]
        records = ", ".join(topic.records) or "state"
        rows.append(
            (
                name,
                ", ".join(map(str, writers)),
                ", ".join(map(str, readers)),
                str(topic.partitions),
                _kept(topic),
                records,
            )
        )
    processors = [("PROCESSOR", "RUNTIME", "REPLICAS", "GPU", "LANES")]
    for name, processor in topology.processors.items():
        least, most = processor.replicas
        lanes = ", ".join(processor.lanes) or "-"
        processors.append((name, processor.runtime, f"{least} to {most}", str(processor.gpu or "-"), lanes))
    return _table(rows) + "\n\n" + _table(processors) + "\n"


def _node(topic: str) -> str:
    return "t_" + topic.replace(".", "_").replace("-", "_")


def _kept(topic: Topic) -> str:
    return "last of each key" if topic.cleanup == "compact" else str(topic.keep)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)
