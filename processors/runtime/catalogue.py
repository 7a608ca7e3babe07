"""Renders `schemas/README.md`, the reference of topics and records, from the map and the schemas. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from processors.runtime.compatibility import level
from processors.runtime.pins import Pin, current
from processors.topology import Topology

Schema = dict[str, Any]

INTRODUCTION = """\
# Topics and records

Generated from `topology.yaml` and `schemas/*.avsc` by `python -m processors.runtime.codegen`; do not edit.

- The key of a record is UTF-8 text; what it is stands in the table. Keys are partitioned by murmur2, as Java does.
- The value is in Confluent wire format: a zero byte, the schema id (4 bytes, big-endian), the Avro body. Without a
  registry the ids are those of `ids.json`, and the schema of an id is `released/<id>-<Record>.avsc`. With a registry
  (`TINGJIAN_SCHEMA_REGISTRY`) ids come from it, and a subject is called `<topic>-tingjian.<Record>`.
- Public topics carry CloudEvents headers in binary mode (`ce_id` is the same when a record is sent again) and
  `traceparent`, where a call is one trace.
- Delivery is at least once: a repeat has the same identity (the ids of the record) and replaces what it repeats.
- Records that can not be processed go to `<topic>.dlq` with their original bytes and ten `__connect.errors.*` headers.
- Times: `call_ms`, `start_ms`, `end_ms` count from the start of the call; `at_ms` and its relatives are UTC epoch time.

To change a record: edit its `.avsc` (a new field has a default), run the generator, add an example, commit all of it.
Records of public topics stay compatible in both directions with every released version (FULL_TRANSITIVE), the others
read what their previous version wrote (BACKWARD); the generator refuses anything else.
"""


def render(schemas: list[Schema], topology: Topology, pins: Mapping[int, Pin]) -> str:
    """The whole document."""
    parts = [INTRODUCTION, "## Topics\n", *_topics(topology), "\n## Records\n"]
    newest = current(pins)
    for schema in schemas:
        parts += [*_record(schema, topology, newest[schema["name"]].id), ""]
    return "\n".join(parts)


def _topics(topology: Topology) -> Iterator[str]:
    yield "| topic | key | records | partitions | kept | written by | read by |"
    yield "|---|---|---|---|---|---|---|"
    for name, topic in topology.topics.items():
        if topic.state_of:
            continue
        kept = "the last of each key" if topic.cleanup == "compact" else topic.keep
        writers = ", ".join(topology.writers(name)) or topic.from_
        readers = ", ".join([*topology.readers(name), *(["subscribers"] if topic.public else [])])
        records = ", ".join(f"[{record}](#{record.lower()})" for record in topic.records)
        public = " (public)" if topic.public else ""
        yield f"| `{name}`{public} | {topic.key} | {records} | {topic.partitions} | {kept} | {writers} | {readers} |"


def _record(schema: Schema, topology: Topology, schema_id: int) -> Iterator[str]:
    name = schema["name"]
    topics = [f"`{topic}`" for topic, declared in topology.topics.items() if name in declared.records]
    yield f"### {name}\n"
    where = f"In {', '.join(topics)}." if topics else "In no topic yet."
    yield f"{schema['doc']} {where} Schema id {schema_id}, {level(name, topology)}.\n"
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    yield from _fields(schema, "")


def _fields(schema: Schema, prefix: str) -> Iterator[str]:
    for member in schema["fields"]:
        default = repr(member["default"]) if "default" in member else ""
        default = f"`{default}`" if default else ""
        yield f"| {prefix}{member['name']} | {_type(member['type'])} | {default} | {member['doc']} |"
        nested = _nested(member["type"])
        if nested:
            yield from _fields(nested, f"{prefix}{member['name']}.")


def _type(kind: Any) -> str:
    if isinstance(kind, list):
        return " or ".join(_type(branch) for branch in kind)
    if isinstance(kind, str):
        return kind.rpartition(".")[2]
    if kind["type"] == "array":
        return f"list of {_type(kind['items'])}"
    if kind["type"] == "map":
        return f"map to {_type(kind['values'])}"
    if kind["type"] == "enum":
        return ", ".join(kind["symbols"])
    return str(kind.get("name", kind["type"]))


def _nested(kind: Any) -> Schema | None:
    if isinstance(kind, list):
        return next((found for branch in kind if (found := _nested(branch))), None)
    if isinstance(kind, dict):
        if kind["type"] == "record":
            return kind
        return _nested(kind.get("items") or kind.get("values"))
    return None
