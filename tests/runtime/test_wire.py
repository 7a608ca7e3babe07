"""Bytes of records: the format, old versions, damage, and the headers of public topics."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from hypothesis import given
from hypothesis import strategies as st

from processors.records import HoldChanged, Partial, Team, Violation
from processors.runtime import events, wire
from processors.runtime.errors import BadRecord
from processors.runtime.pins import Pin, current, load_pins
from processors.runtime.registry import registry_codec
from processors.topology import the_topology

HELD = HoldChanged(call_id="c-1", call_ms=5000, held=True)
PARTIAL = Partial(
    call_id="c-1", channel=0, role="agent", utterance_no=3, start_ms=0, end_ms=900, text="您好", at_ms=1_795_507_200_000
)


def test_value_begins_with_zero_and_the_pinned_id() -> None:
    number = current(load_pins())["HoldChanged"].id
    assert wire.encode(HELD)[:5] == bytes([0, 0, 0, 0, number])


def test_the_kind_of_a_record_is_known_without_its_body() -> None:
    assert wire.kind(wire.encode(HELD)) == "HoldChanged"
    assert wire.kind(wire.encode(PARTIAL)[:5]) == "Partial"
    for damaged in (None, b"", b"hello world", b"\x00\x00\x0f\x42\x40body"):
        with pytest.raises(BadRecord):
            wire.kind(damaged)


@given(st.text(), st.integers(min_value=0, max_value=2**40), st.booleans())
def test_any_record_survives(call_id: str, call_ms: int, held: bool) -> None:
    record = HoldChanged(call_id=call_id, call_ms=call_ms, held=held)
    assert wire.decode(wire.encode(record)) == record


BROKEN = [
    ("a tombstone", None, "no value"),
    ("nothing", b"", "Confluent wire format"),
    ("text", b"hello world", "Confluent wire format"),
    ("an id nobody pinned", b"\x00\x00\x0f\x42\x40body", "unknown schema id 1000000"),
    ("a body cut short", wire.encode(PARTIAL)[:-4], "body of Partial"),
    ("bytes behind the body", wire.encode(PARTIAL) + b"x", "1 bytes follow the body of Partial"),
]


@pytest.mark.parametrize(("value", "message"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_broken_value_is_a_bad_record(value: bytes | None, message: str) -> None:
    with pytest.raises(BadRecord, match=message):
        wire.decode(value)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_escape_as_another_error(noise: bytes) -> None:
    for pin in current(load_pins()).values():
        value = b"\x00" + pin.id.to_bytes(4, "big") + noise
        try:
            wire.decode(value)
        except BadRecord:
            continue


def test_field_of_a_wrong_kind_is_a_bad_record() -> None:
    wrong: Any = "soon"
    with pytest.raises(BadRecord, match="HoldChanged can not be encoded"):
        wire.encode(HoldChanged(call_id="c-1", call_ms=wrong, held=True))


def older_and_newer() -> tuple[dict[str, Any], dict[str, Any]]:
    newer = current(load_pins())["Team"].schema
    older = copy.deepcopy(newer)
    older["fields"] = [member for member in older["fields"] if member["name"] in ("team_id", "name")]
    return older, newer


def test_record_of_an_older_version_is_read_with_defaults() -> None:
    older, newer = older_and_newer()
    old_writer = wire.Codec({7: Pin(7, "Team", older)})
    reader = wire.Codec({7: Pin(7, "Team", older), 9: Pin(9, "Team", newer)})
    value = old_writer.encode(Team(team_id="t-1", name="一组"))
    assert reader.decode(value) == Team(team_id="t-1", name="一组", supervisors=(), parent_id="")


def test_record_of_a_newer_version_is_fetched_and_read() -> None:
    _, newer = older_and_newer()
    future = copy.deepcopy(newer)
    future["fields"].append({"name": "size", "type": "int", "default": 0, "doc": "New."})
    asked: list[int] = []

    def fetch(number: int) -> Pin:
        asked.append(number)
        return Pin(number, "Team", future)

    reader = wire.Codec({9: Pin(9, "Team", newer)}, fetch)
    value = wire.Codec({12: Pin(12, "Team", future)}).encode(Team(team_id="t-1"))
    unsized = value  # the writer has no field `size` of its own: Avro writes the default
    assert reader.decode(unsized) == reader.decode(unsized) == Team(team_id="t-1")
    assert asked == [12]


def test_registry_gives_ids_and_subjects_by_topic_and_record() -> None:
    client = SchemaRegistryClient.new_client({"url": "mock://"})
    codec = registry_codec(client, the_topology())
    assert "violations-tingjian.Violation" in client.get_subjects()
    assert "calls.timeline-tingjian.Tick" in client.get_subjects()
    number = client.get_latest_version("calls.timeline-tingjian.HoldChanged").schema_id
    assert codec.encode(HELD)[:5] == b"\x00" + int(number).to_bytes(4, "big")
    assert codec.decode(codec.encode(HELD)) == HELD


def test_registry_is_asked_for_a_schema_of_another_writer() -> None:
    client = SchemaRegistryClient.new_client({"url": "mock://"})
    codec = registry_codec(client, the_topology())
    older, _ = older_and_newer()
    number = client.register_schema("elsewhere-tingjian.Team", Schema(json.dumps(older), "AVRO"))
    value = wire.Codec({number: Pin(number, "Team", older)}).encode(Team(team_id="t-1", name="一组"))
    with pytest.raises(BadRecord, match="Team, which no topic carries"):
        codec.decode(value)
    with pytest.raises(BadRecord, match="has no schema 4711"):
        codec.decode(b"\x00\x00\x00\x12\x67")


def headers(topic: str, record: Any) -> dict[str, str]:
    return {name: value.decode() for name, value in events.headers(topic, record)}


def test_internal_topics_carry_no_headers() -> None:
    assert events.headers("calls.media", HELD) == events.headers("elsewhere", HELD) == []


def test_public_topics_carry_cloudevents_in_binary_mode() -> None:
    found = headers("calls.timeline", PARTIAL)
    assert found["ce_specversion"] == "1.0"
    assert found["ce_type"] == "tingjian.Partial.v1"
    assert found["ce_source"] == "/tingjian/calls.timeline"
    assert found["ce_subject"] == found["ce_partitionkey"] == "c-1"
    assert found["ce_time"] == "2026-11-24T08:00:00.000+00:00"
    assert found["content-type"] == "application/avro"
    assert not any("您好" in value for value in found.values())


def test_traceparent_has_one_trace_for_a_call_and_a_span_for_each_record() -> None:
    first, second = (headers("calls.timeline", record)["traceparent"] for record in (PARTIAL, HELD))
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", first)
    assert first.split("-")[1] == second.split("-")[1]
    assert first.split("-")[2] != second.split("-")[2]


def test_a_repeat_has_the_same_headers_and_another_record_another_id() -> None:
    assert events.headers("calls.timeline", PARTIAL) == events.headers("calls.timeline", copy.copy(PARTIAL))
    assert events.event_id(PARTIAL) != events.event_id(HELD)


def test_each_state_of_a_violation_is_an_event_of_its_own() -> None:
    fields: dict[str, Any] = {
        "violation_id": "v", "call_id": "c", "rule_id": "r", "rule_version": "1", "ruleset_version": "1",
        "severity": "high", "points": -1.0, "fatal": False, "role": "agent", "start_ms": 0, "end_ms": 1,
        "audio_at_ms": 1, "detected_at_ms": 2,
    }  # fmt: skip
    provisional = Violation(**fields, state="provisional")
    confirmed = Violation(**fields, state="confirmed")
    again = Violation(**{**fields, "detected_at_ms": 99}, state="confirmed")
    assert events.event_id(provisional) != events.event_id(confirmed) == events.event_id(again)


def test_every_record_of_a_public_topic_has_an_identity() -> None:
    public = {record for topic in the_topology().topics.values() if topic.public for record in topic.records}
    assert public <= set(events.IDENTITY)
    for name, fields in events.IDENTITY.items():
        assert set(fields) <= set(wire.TYPES[name].__dataclass_fields__)
