"""Records, schemas, examples, ids and the reference agree with each other."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from processors.runtime import catalogue, codegen, wire
from processors.runtime.compatibility import incompatible, level
from processors.runtime.pins import SCHEMAS, Pin, current, digest, load_pins, pin
from processors.topology import load

ALL = codegen.load_schemas(SCHEMAS)
BY_NAME = {schema["name"]: schema for schema in ALL}
EXAMPLES = sorted(SCHEMAS.glob("examples/*/*.json"))
REGENERATE = "run `python -m processors.runtime.codegen` and commit what it changes"


def example(path: Path) -> Any:
    """The record of an example file: plain JSON, bytes as base64."""
    kind = wire.TYPES[path.parent.name]
    return kind.from_avro(with_bytes(BY_NAME[path.parent.name], json.loads(path.read_text(encoding="utf-8"))))


def with_bytes(schema: Any, value: Any) -> Any:
    """The value with base64 text turned into bytes where the schema says bytes."""
    if isinstance(schema, list):
        return None if value is None else with_bytes(next(branch for branch in schema if branch != "null"), value)
    if schema == "bytes":
        return base64.b64decode(value)
    if isinstance(schema, dict) and schema["type"] == "record":
        assert set(value) == {member["name"] for member in schema["fields"]}, "an example shows every field"
        return {member["name"]: with_bytes(member["type"], value[member["name"]]) for member in schema["fields"]}
    if isinstance(schema, dict) and schema["type"] == "array":
        return [with_bytes(schema["items"], item) for item in value]
    return value


def test_records_module_is_what_the_generator_writes() -> None:
    written = (codegen.ROOT / "processors" / "records.py").read_text(encoding="utf-8")
    assert written == codegen.render(ALL), REGENERATE


def test_reference_is_what_the_generator_writes() -> None:
    written = (SCHEMAS / "README.md").read_text(encoding="utf-8")
    assert written == catalogue.render(ALL, load(), load_pins()), REGENERATE


def test_newest_pinned_version_of_each_record_is_its_schema() -> None:
    newest = current(load_pins())
    assert {name: digest(p.schema) for name, p in newest.items()} == {s["name"]: digest(s) for s in ALL}, REGENERATE


def test_every_file_is_named_after_its_record() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.avsc")} == set(BY_NAME) == set(wire.TYPES)


def test_every_record_has_an_example() -> None:
    assert {path.parent.name for path in EXAMPLES} == set(BY_NAME)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_example_survives_the_wire(path: Path) -> None:
    record = example(path)
    assert wire.decode(wire.encode(record)) == record


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_schema_keeps_its_promise_to_released_versions(name: str) -> None:
    assert incompatible(BY_NAME[name], load_pins(), level(name, load())) == []


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_field_says_what_it_means(name: str) -> None:
    undocumented = [member["name"] for member in BY_NAME[name]["fields"] if not member.get("doc")]
    assert not undocumented and BY_NAME[name].get("doc")


def changed(name: str, **fields: Any) -> dict[str, Any]:
    """The schema with other fields added."""
    schema = copy.deepcopy(BY_NAME[name])
    schema["fields"] += [{"name": field, "doc": "New.", **rest} for field, rest in fields.items()]
    return schema


def pins_of(*schemas: dict[str, Any]) -> dict[int, Pin]:
    return {number: Pin(number, schema["name"], schema) for number, schema in enumerate(schemas, 1)}


def test_field_with_default_may_be_added_to_a_public_record() -> None:
    fresh = changed("Violation", reviewer={"type": "string", "default": ""})
    assert incompatible(fresh, load_pins(), "FULL_TRANSITIVE") == []


def test_field_without_default_is_refused_and_named() -> None:
    reasons = incompatible(changed("Violation", reviewer={"type": "string"}), load_pins(), "FULL_TRANSITIVE")
    assert len(reasons) == 1 and "reviewer" in reasons[0]


def test_field_without_default_may_not_be_dropped_from_a_public_record() -> None:
    fresh = copy.deepcopy(BY_NAME["Violation"])
    fresh["fields"] = [member for member in fresh["fields"] if member["name"] != "rule_id"]
    assert incompatible(fresh, load_pins(), "FULL_TRANSITIVE")
    assert incompatible(fresh, load_pins(), "BACKWARD") == []


def test_new_kind_of_a_field_is_refused() -> None:
    fresh = copy.deepcopy(BY_NAME["Tick"])
    next(member for member in fresh["fields"] if member["name"] == "call_ms")["type"] = "string"
    assert incompatible(fresh, load_pins(), "BACKWARD")


def test_transitive_looks_at_every_version_and_backward_at_the_last() -> None:
    first, last = changed("Team", size={"type": "string"}), changed("Team", size={"type": "int", "default": 0})
    fresh = changed("Team", size={"type": "long", "default": 0})
    assert incompatible(fresh, pins_of(first, last), "BACKWARD") == []
    assert any("version 1" in reason for reason in incompatible(fresh, pins_of(first, last), "FULL_TRANSITIVE"))


def test_changed_schema_gets_a_new_id_and_changed_words_do_not(tmp_path: Path) -> None:
    assert pin([BY_NAME["Team"]], tmp_path) == [1]
    reworded = {**BY_NAME["Team"], "doc": "Other words."}
    assert pin([reworded], tmp_path) == []
    assert pin([changed("Team", size={"type": "int", "default": 0})], tmp_path) == [2]
    assert sorted(load_pins(tmp_path)) == [1, 2]


def test_released_version_can_not_be_edited(tmp_path: Path) -> None:
    pin([BY_NAME["Team"]], tmp_path)
    path = tmp_path / "released" / "1-Team.avsc"
    path.write_text(path.read_text(encoding="utf-8").replace("team_id", "other_id"), encoding="utf-8")
    with pytest.raises(ValueError, match="edited after its release"):
        load_pins(tmp_path)
