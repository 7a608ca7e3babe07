"""Renders `processors/records.py` from the Avro schemas, which are the only declaration of a record.

`python -m processors.runtime.codegen` rewrites the file and `schemas/README.md`, and pins an id for each schema that
changed; a test fails when one of them is not current.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from processors.runtime import catalogue
from processors.runtime.compatibility import incompatible, level
from processors.runtime.errors import UserError
from processors.runtime.pins import load_pins, pin
from processors.topology import load

Schema = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
PRIMITIVES = {
    "string": "str",
    "int": "int",
    "long": "int",
    "float": "float",
    "double": "float",
    "boolean": "bool",
    "bytes": "bytes",
}

HEADER = '''"""Typed records of all topics. Generated from schemas/*.avsc by processors.runtime.codegen; do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

NOTHING: Mapping[str, Any] = MappingProxyType({})
'''


def load_schemas(folder: Path) -> list[Schema]:
    """Read every record schema of a folder, in the order of the file names."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.avsc"))]


def render(schemas: list[Schema]) -> str:
    """Return the source of the records module."""
    types = _named_types(schemas)
    enums = [t for t in types.values() if t["type"] == "enum"]
    records = [t for t in types.values() if t["type"] == "record"]
    top_level = ", ".join(schema["name"] for schema in schemas)
    parts = [HEADER]
    parts += [f"{e['name']} = Literal[{', '.join(json.dumps(s) for s in e['symbols'])}]" for e in enums]
    parts += [_render_record(record, types) for record in records]
    parts.append(f"RECORD_TYPES: tuple[type[Any], ...] = ({top_level})")
    parts.append(f"AnyRecord = {top_level.replace(', ', ' | ')}")
    return "\n".join(parts) + "\n"


def _named_types(schemas: list[Schema]) -> dict[str, Schema]:
    """All enums and records, nested ones before the records that use them."""
    types: dict[str, Schema] = {}
    for schema in schemas:
        for named in _walk(schema):
            known = types.setdefault(named["name"], named)
            if _shape(known) != _shape(named):
                raise ValueError(f"{named['name']} is declared twice in schemas/, in two different ways")
    return types


def _shape(named: Schema) -> Any:
    """What must agree between two declarations of one name: the first use of a nested type may differ."""
    if named["type"] == "enum":
        return named["symbols"]
    return [(f["name"], json.dumps(f["type"]) if isinstance(f["type"], str) else None) for f in named["fields"]]


def _walk(schema: Any) -> Iterator[Schema]:
    if isinstance(schema, list):
        for branch in schema:
            yield from _walk(branch)
    elif isinstance(schema, dict):
        kind = schema["type"]
        if kind == "record":
            for member in schema["fields"]:
                yield from _walk(member["type"])
            yield schema
        elif kind == "enum":
            yield schema
        elif kind == "array":
            yield from _walk(schema["items"])
        elif kind == "map":
            yield from _walk(schema["values"])


def _name(schema: Any) -> str:
    return str(schema["name"] if isinstance(schema, dict) else schema).rpartition(".")[2]


def _python_type(schema: Any) -> str:
    if isinstance(schema, list):
        return " | ".join("None" if b == "null" else _python_type(b) for b in reversed(schema))
    if isinstance(schema, dict) and schema["type"] == "array":
        return f"tuple[{_python_type(schema['items'])}, ...]"
    if isinstance(schema, dict) and schema["type"] == "map":
        return f"Mapping[str, {_python_type(schema['values'])}]"
    return PRIMITIVES.get(schema if isinstance(schema, str) else "", _name(schema))


def _default(member: Schema) -> str:
    if "default" not in member:
        return ""
    value, schema = member["default"], member["type"]
    if isinstance(schema, dict) and schema["type"] == "array":
        return " = ()"
    if isinstance(schema, dict) and schema["type"] == "map":
        return " = field(default_factory=lambda: NOTHING)"
    return " = " + (json.dumps(value) if isinstance(value, str) else repr(value))


def _convert(schema: Any, value: str, types: dict[str, Schema], to_avro: bool) -> str:
    """An expression that turns one field from Avro's plain values, or back."""
    if isinstance(schema, list):
        inner = next(branch for branch in schema if branch != "null")
        changed = _convert(inner, value, types, to_avro)
        return value if changed == value else f"None if {value} is None else {changed}"
    if isinstance(schema, dict) and schema["type"] == "array":
        inner = _convert(schema["items"], "x", types, to_avro)
        kind = "list" if to_avro else "tuple"
        return f"{kind}({value})" if inner == "x" else f"{kind}({inner} for x in {value})"
    if isinstance(schema, dict) and schema["type"] == "map":
        return f"dict({value})"
    named = types.get(_name(schema))
    if named and named["type"] == "record":
        return f"{value}.to_avro()" if to_avro else f"{named['name']}.from_avro({value})"
    return value


def _render_record(record: Schema, types: dict[str, Schema]) -> str:
    name, members = record["name"], record["fields"]
    ordered = sorted(members, key=lambda m: "default" in m)
    decorator = "@dataclass(frozen=True, slots=True, kw_only=True)"
    lines = ["", "", decorator, f"class {name}:", f'    """{record["doc"]}"""', ""]
    for member in ordered:
        lines.append(f"    {member['name']}: {_python_type(member['type'])}{_default(member)}")
        lines.append(f'    """{member["doc"]}"""')
    lines += ["", "    def to_avro(self) -> dict[str, Any]:"]
    lines += ['        """Plain values, as the Avro encoder takes them."""', "        return {"]
    lines += [f'            "{m["name"]}": {_convert(m["type"], "self." + m["name"], types, True)},' for m in members]
    lines += ["        }", "", "    @classmethod", f"    def from_avro(cls, d: Mapping[str, Any]) -> {name}:"]
    lines += ['        """From the plain values of the Avro decoder."""', "        return cls("]
    for m in members:
        value = f'd["{m["name"]}"]'
        lines.append(f"            {m['name']}={_convert(m['type'], value, types, False)},")
    return "\n".join([*lines, "        )"])


def main() -> None:
    """Rewrite what is generated from the schemas: the records, the pinned versions, the reference."""
    folder, schemas, topology = ROOT / "schemas", load_schemas(ROOT / "schemas"), load()
    released = load_pins(folder) if (folder / "ids.json").exists() else {}
    for schema in schemas:
        for reason in incompatible(schema, released, level(schema["name"], topology)):
            raise UserError(f"schemas/{schema['name']}.avsc {reason}; give new fields a default, keep the old ones")
    pin(schemas, folder)
    (ROOT / "processors" / "records.py").write_text(render(schemas), encoding="utf-8")
    (folder / "README.md").write_text(catalogue.render(schemas, topology, load_pins(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
