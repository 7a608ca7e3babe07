"""Records become rows in the order of the columns."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from processors.records import AnyRecord, CallEnded, Partial, Tick
from processors.runtime.errors import BadRecord
from processors.runtime.wire import decode, encode
from processors.sink.rows import COLUMNS, LATEST_MS, rows, rows_of
from tests.sink import records


def named(record: AnyRecord, position: int = 7) -> list[tuple[str, dict[str, Any]]]:
    return [(table, dict(zip(COLUMNS[table], row, strict=True))) for table, row in rows(record, position)]


@pytest.mark.parametrize("record", records.ALL, ids=lambda record: type(record).__name__)
def test_every_row_has_the_columns_of_its_table_and_the_position_as_version(record: AnyRecord) -> None:
    found = named(record, 42)
    assert found
    assert all(row["version"] == 42 and row["call_id"] == records.CALL for _, row in found)


def test_every_table_gets_rows_from_some_record() -> None:
    assert {table for record in records.ALL for table, _ in rows(record, 0)} == set(COLUMNS)


def test_bytes_of_every_record_become_its_rows_and_those_of_partials_and_ticks_none() -> None:
    for record in records.ALL:
        assert list(rows_of(encode(record), 3)) == list(rows(decode(encode(record)), 3))
    partial = Partial(call_id="c", channel=0, role="agent", utterance_no=0, start_ms=0, end_ms=1, text="喂", at_ms=1)
    for record in (partial, Tick(call_id="c", call_ms=1_000, channels=(), at_ms=1_000)):
        assert list(rows_of(encode(record), 3)) == []
    with pytest.raises(BadRecord):
        rows_of(b"hello world", 3)


def test_words_are_stored_redacted_and_keep_their_places() -> None:
    [(_, utterance)] = named(records.UTTERANCE)
    assert utterance["text"] == "您的电话是***********吗"
    assert utterance["written"] == "您的电话是***********吗"
    assert sum(utterance["token_chars"]) == len(utterance["text"])
    [(_, violation)] = named(records.VIOLATION)
    quote, char_from, char_to = violation["evidence"][0][4:7]
    assert quote == utterance["text"][char_from:char_to] == "***********"
    assert "138" not in violation["explanation"]
    [(_, alert)] = named(records.ALERT)
    assert "138" not in alert["text"]


def test_a_scorecard_gives_one_row_and_one_for_each_item() -> None:
    tables = [table for table, _ in named(records.SCORECARD)]
    assert tables == ["scorecards", "score_items", "score_items"]


def test_an_utterance_without_measurements_has_nulls() -> None:
    [(_, row)] = named(dataclasses.replace(records.UTTERANCE, acoustics=None, meaning=None, tokens=()))
    assert [row[name] for name in ("level_db", "pitch_hz", "overlap_ms", "sentiment")] == [None] * 4
    assert row["intents"] == {}


def test_ticks_and_partials_have_no_rows() -> None:
    tick = Tick(call_id="c", call_ms=1_000, channels=(), at_ms=0)
    partial = Partial(call_id="c", channel=0, role="agent", utterance_no=0, start_ms=0, end_ms=1, text="你", at_ms=0)
    assert list(rows(tick, 0)) == list(rows(partial, 0)) == []


@pytest.mark.parametrize("at_ms", [-1, LATEST_MS + 1])
def test_a_time_that_can_not_be_is_a_bad_record(at_ms: int) -> None:
    with pytest.raises(BadRecord, match="time of day"):
        list(rows(CallEnded(call_id="c", call_ms=0, at_ms=at_ms), 0))


def test_a_record_without_call_is_a_bad_record() -> None:
    with pytest.raises(BadRecord, match="call_id"):
        list(rows(dataclasses.replace(records.ENDED, call_id=""), 0))
