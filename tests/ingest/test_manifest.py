"""Manifests as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ingest.manifest import Entry, call_id_of, parse_manifest, parse_time
from processors.runtime.errors import BadRecord, UserError

HEADING = "call_id,path,agent_id,team_id,customer_id,scenario,queue,direction,started_at,channels"
ROW = 'c1,a.wav,A1,T1,C1,loan-sales,q,outbound,2026-01-05T09:00:00+08:00,"agent,customer",1,老客户'
FULL = f"{HEADING},vip,备注\n{ROW}\n"
PARSED = Entry(
    call_id="c1",
    path="a.wav",
    place="line 2",
    started_at_ms=1_767_574_800_000,
    channels=("agent", "customer"),
    direction="outbound",
    agent_id="A1",
    team_id="T1",
    customer_id="C1",
    scenario="loan-sales",
    queue="q",
    attributes={"vip": "1", "备注": "老客户"},
)


def only_entry(text: str) -> Entry:
    entries, skipped = parse_manifest(text.encode(), "m.csv")
    assert not skipped
    return entries[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_full_row_is_read_in_every_encoding_that_excel_writes(encoding: str, end: str) -> None:
    entries, skipped = parse_manifest(FULL.replace("\n", end).encode(encoding), "m.csv")
    assert entries == [PARSED]
    assert skipped == []


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_are_understood(delimiter: str) -> None:
    text = delimiter.join(["call_id", "path", "channels"]) + "\n" + delimiter.join(["c", "a.wav", "customer,agent"])
    assert only_entry(text).channels == ("customer", "agent")


@pytest.mark.parametrize(
    "written", ["agent,customer", '"agent,customer"', "agent;customer", "agent|customer", "agent customer"]
)
def test_channels_may_be_written_in_many_ways(written: str) -> None:
    assert only_entry(f"path,channels\na.wav,{written}\n").channels == ("agent", "customer")


def test_only_the_path_must_be_there() -> None:
    assert only_entry("Path\na.wav\n") == Entry(call_id="", path="a.wav", place="line 2")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("c1,b.wav", "line 3 of m.csv: the call_id 'c1' is already used in line 2"),
        ("c2,", "line 3 of m.csv: `path` is empty"),
        ("c2,b.wav,,,,,,sideways", "the direction 'sideways' is not known; known are inbound, outbound, internal"),
        ("c2,b.wav,,,,,,,yesterday", "the time 'yesterday' is not understood"),
        ("c2,b.wav,,,,,,,2026-13-01", "the time '2026-13-01' is not understood"),
        ("c2,b.wav,,,,,,,,agent;robot", "the role 'robot' is not known"),
        ("c" * 300 + ",b.wav", "`call_id` is longer than 200 characters"),
        ("c2,b.wav,a\x07", "control characters"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line_and_the_others_go_on(row: str, reason: str) -> None:
    text = f"{HEADING}\nc1,a.wav,,,,,,,,\n{row}\nc9,z.wav,,,,,,,,\n"
    entries, skipped = parse_manifest(text.encode(), "m.csv")
    assert [entry.call_id for entry in entries] == ["c1", "c9"]
    assert len(skipped) == 1
    assert reason in skipped[0].reason


def test_too_many_fields_are_refused() -> None:
    _, skipped = parse_manifest(b"path,channels,queue\na.wav,agent,customer,q\n", "m.csv")
    assert "4 fields, but 3 in the heading" in skipped[0].reason


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no column `path`"),
        (b"call_id,file\n1,2\n", "m.csv:1: there is no column `path`"),
        (b"path,path\n1,2\n", "two columns `path`"),
        (bytes(range(256)), "not a text file"),
    ],
)
def test_a_table_that_is_none_is_an_error_for_people(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_manifest(data, "m.csv")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-01-05T09:00:00+08:00", 1_767_574_800_000),
        ("2026-01-05T01:00:00Z", 1_767_574_800_000),
        ("2026-01-05 01:00:00", 1_767_574_800_000),
        ("2026/1/5 1:00", 1_767_574_800_000),
        ("2026-01-05T01:00:00.250", 1_767_574_800_250),
        ("1767574800", 1_767_574_800_000),
        ("1767574800123", 1_767_574_800_123),
        ("2026-01-05", 1_767_571_200_000),
    ],
)
def test_times(text: str, at_ms: int) -> None:
    assert parse_time(text) == at_ms


@pytest.mark.parametrize(
    "text", ["", "now", "12", "-1", "1900-01-01", "99999999999999999999", "٢٠٢٦", "2026-01-05T25:00"]
)
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(BadRecord):
        parse_time(text)


@pytest.mark.parametrize(
    ("path", "call_id"),
    [("a.wav", "a"), ("sub/a b.wav", "sub-a-b"), ("录音 1.wav", "录音-1"), ("../../etc.wav", "etc"), (".wav", "wav")],
)
def test_calls_are_named_after_their_files(path: str, call_id: str) -> None:
    assert call_id_of(Path(path)) == call_id


@given(st.binary(max_size=2_000))
def test_no_table_makes_the_reader_fail_in_another_way(noise: bytes) -> None:
    for data in (noise, HEADING.encode() + b"\n" + noise):
        try:
            parse_manifest(data, "m.csv")
        except UserError:
            continue
