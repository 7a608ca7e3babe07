"""Schema ids without a registry: `schemas/ids.json` pins an id and a digest for every version of every record.

The text of each version lies in `schemas/released/<id>-<Record>.avsc`. A changed schema gets a new id (`pin`, called by
the code generator); what was written under an old id stays readable for ever.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of one record."""

    id: int
    record: str
    schema: Schema


def digest(schema: Schema) -> str:
    """SHA-256 of what matters for encoding and resolution; documentation may change freely."""
    return hashlib.sha256(json.dumps(_bare(schema), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _bare(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _bare(value) for key, value in schema.items() if key != "doc"}
    return [_bare(part) for part in schema] if isinstance(schema, list) else schema


def load_pins(folder: Path = SCHEMAS) -> dict[int, Pin]:
    """Every pinned version by id. ValueError when a released file was edited."""
    pins = {}
    for number, entry in json.loads((folder / "ids.json").read_text(encoding="utf-8")).items():
        path = folder / "released" / f"{number}-{entry['record']}.avsc"
        schema = json.loads(path.read_text(encoding="utf-8"))
        if digest(schema) != entry["sha256"]:
            raise ValueError(f"{path} was edited after its release; restore it and change the schema itself instead")
        pins[int(number)] = Pin(int(number), entry["record"], schema)
    return pins


def current(pins: Mapping[int, Pin]) -> dict[str, Pin]:
    """The newest version of each record."""
    return {pin.record: pin for _, pin in sorted(pins.items())}


def pin(schemas: list[Schema], folder: Path = SCHEMAS) -> list[int]:
    """Give a new id to each schema that differs from its newest version; return the new ids."""
    pins = load_pins(folder) if (folder / "ids.json").exists() else {}
    newest, added = current(pins), []
    for schema in schemas:
        known = newest.get(schema["name"])
        if known is None or digest(known.schema) != digest(schema):
            fresh = Pin(max(pins, default=0) + 1, schema["name"], schema)
            pins[fresh.id] = fresh
            added.append(fresh.id)
            path = folder / "released" / f"{fresh.id}-{fresh.record}.avsc"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    listed = {str(p.id): {"record": p.record, "sha256": digest(p.schema)} for _, p in sorted(pins.items())}
    (folder / "ids.json").write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    return added
