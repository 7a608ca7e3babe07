"""Whether a change of a schema keeps old readers and writers working, by Avro's own rules.

Records of public topics must be compatible in both directions with every released version (FULL_TRANSITIVE), since
others read and keep them; the rest only has to read what its previous version wrote (BACKWARD). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import Schema, parse

from processors.runtime.pins import Pin, digest
from processors.topology import Topology

Level = Literal["BACKWARD", "FULL_TRANSITIVE"]


def level(record: str, topology: Topology) -> Level:
    """What is promised to the readers of a record."""
    public = any(topic.public and record in topic.records for topic in topology.topics.values())
    return "FULL_TRANSITIVE" if public else "BACKWARD"


def incompatible(schema: dict[str, Any], pins: Mapping[int, Pin], promised: Level) -> list[str]:
    """What a schema breaks of the promise to its released versions; each reason names the version and the field."""
    versions = [pin for _, pin in sorted(pins.items()) if pin.record == schema["name"]]
    if promised == "BACKWARD":
        versions = [pin for pin in versions if digest(pin.schema) != digest(schema)][-1:]
    fresh = parse(json.dumps(schema))
    reasons = []
    for pin in versions:
        old = parse(json.dumps(pin.schema))
        reasons += [f"can not read what version {pin.id} wrote: {why}" for why in _reasons(fresh, old)]
        if promised == "FULL_TRANSITIVE":
            reasons += [f"version {pin.id} can not read what it writes: {why}" for why in _reasons(old, fresh)]
    return reasons


def _reasons(reader: Schema, writer: Schema) -> list[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    result = checker.get_compatibility(reader, writer)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    return [f"{', '.join(sorted(result.messages))} at {', '.join(sorted(result.locations))}"]
