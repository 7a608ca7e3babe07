"""Migrations and rows on the real engine (chDB)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from processors import records as types
from processors.records import AnyRecord
from processors.runtime.errors import BadRecord, UserError
from processors.sink.migrate import Migration, load_migrations, migrate, pending, render
from processors.sink.rows import COLUMNS, rows
from processors.sink.store import Store, Target
from tests.sink import records

EXAMPLES = Path(__file__).resolve().parents[2] / "schemas" / "examples"


def insert(store: Store, found: Iterable[AnyRecord], position: int = 1, token: str = "t") -> None:
    by_table: dict[str, list[tuple[object, ...]]] = {}
    for record in found:
        for table, row in rows(record, position):
            by_table.setdefault(table, []).append(row)
    for table, some in by_table.items():
        store.insert(table, COLUMNS[table], list(zip(*some, strict=True)), f"{token}/{table}")


def asked(store: Store, sql: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in store.json_lines(sql, {}).splitlines()]


def test_the_tables_have_exactly_the_columns_of_the_rows(store: Store) -> None:
    migrate(store, load_migrations())
    columns: dict[str, list[str]] = {}
    for row in store.rows(f"SELECT table, name FROM system.columns WHERE database = '{store.target.database}'"):
        columns.setdefault(row["table"], []).append(row["name"])
    for table, names in COLUMNS.items():
        assert sorted(columns[table]) == sorted(names), table


def test_every_kind_of_row_goes_in_and_comes_back(store: Store) -> None:
    migrate(store, load_migrations())
    insert(store, records.ALL)
    [call] = asked(store, "SELECT * FROM calls")
    assert call["ended"]
    assert call["attributes"] == {"vip": "1"}
    assert call["skipped"] == [{"reason": "media_gap", "amount_ms": 20, "count": 1}]
    assert call["started_at"] == "2025-11-24T16:00:00.123Z"
    [violation] = asked(store, "SELECT * FROM violations FINAL")
    assert violation["evidence"][0]["char_to"] == 16  # type: ignore[index]
    assert violation["points"] == -15
    assert [row["kind"] for row in asked(store, "SELECT kind FROM call_events FINAL ORDER BY start_ms")] == [
        *("media_gap", "agent_joined", "hold", "unhold", "speaker_check"),
    ]
    assert len(asked(store, "SELECT * FROM current_score_items")) == 2
    [minute] = asked(store, "SELECT * FROM violations_by_minute")
    assert (minute["team_id"], minute["confirmed"], minute["calls"]) == ("t1", 1, 1)
    [calls] = asked(store, "SELECT * FROM calls_by_minute WHERE scored > 0")
    assert (calls["scored"], calls["failed"]) == (1, 1)


def test_a_call_that_goes_on_is_not_ended(store: Store) -> None:
    migrate(store, load_migrations())
    insert(store, [records.STARTED])
    [call] = asked(store, "SELECT ended, duration_ms FROM calls")
    assert call == {"ended": False, "duration_ms": 0}


def test_what_is_inserted_again_changes_nothing(store: Store) -> None:
    migrate(store, load_migrations())
    for attempt in ("first", "again", "again"):
        insert(store, records.ALL, token=attempt)
    for table in COLUMNS:
        [once] = asked(store, f"SELECT count() AS n FROM {table} FINAL")
        keys = {"call_events": 5, "score_items": 2}
        assert once["n"] == keys.get(table, 1), table
    assert asked(store, "SELECT confirmed, seen FROM violations_by_minute") == [{"confirmed": 1, "seen": 1}]


def test_the_engine_drops_a_repeated_block_of_the_same_token(store: Store) -> None:
    migrate(store, load_migrations())
    for _ in range(2):
        insert(store, [records.UTTERANCE], token="same")
    assert asked(store, "SELECT count() AS n FROM utterances") == [{"n": 1}]


def test_of_two_states_the_one_with_the_higher_position_counts(store: Store) -> None:
    migrate(store, load_migrations())
    retracted = dataclasses.replace(records.VIOLATION, state="retracted")
    insert(store, [retracted], position=9, token="a")
    insert(store, [records.VIOLATION], position=4, token="b")
    assert asked(store, "SELECT state FROM violations FINAL") == [{"state": "retracted"}]


def test_items_of_an_older_card_are_not_current(store: Store) -> None:
    migrate(store, load_migrations())
    insert(store, [records.SCORECARD], position=1, token="a")
    insert(store, [dataclasses.replace(records.SCORECARD, items=records.SCORECARD.items[:1])], position=2, token="b")
    assert asked(store, "SELECT item_id FROM current_score_items") == [{"item_id": "i1"}]


def test_every_example_of_a_record_has_rows_that_go_in(store: Store) -> None:
    migrate(store, load_migrations())
    files = sorted(EXAMPLES.glob("*/*.json"))
    assert files
    for number, file in enumerate(files):
        record = getattr(types, file.parent.name).from_avro(json.loads(file.read_text(encoding="utf-8")))
        insert(store, [record], token=str(number))


def test_a_value_that_does_not_fit_is_a_bad_record_and_stores_nothing(store: Store) -> None:
    migrate(store, load_migrations())
    names = COLUMNS["alerts"]
    [(_, good)] = rows(records.ALERT, 1)
    bad = (*good[:11], None, "no number", *good[12:])[: len(names)]
    with pytest.raises(BadRecord):
        store.insert("alerts", names, list(zip(good, bad, strict=True)), "t")
    assert asked(store, "SELECT count() AS n FROM alerts") == [{"n": 0}]


def test_a_second_migration_does_nothing(store: Store) -> None:
    assert migrate(store, load_migrations())
    assert migrate(store, load_migrations()) == []


def test_only_new_migrations_are_applied_and_changed_ones_refused(store: Store) -> None:
    first = Migration(
        1, "0001_a", "CREATE TABLE IF NOT EXISTS {database}.a{local} {on_cluster} (x Int8) ENGINE = Memory;"
    )
    second = Migration(
        2, "0002_b", "CREATE TABLE IF NOT EXISTS {database}.b{local} {on_cluster} (x Int8) ENGINE = Memory;"
    )
    migrate(store, [first])
    assert pending(store, [first, second]) == [second]
    with pytest.raises(UserError, match="0001_a"):
        pending(store, [Migration(1, "0001_a", first.text + "\n-- changed"), second])


def test_a_cluster_gets_replicated_tables_behind_distributed_ones() -> None:
    found = [statement for m in load_migrations() for statement in render(m.text, Target("db", "main"))]
    for table in COLUMNS:
        [local] = [s for s in found if s.startswith(f"CREATE TABLE IF NOT EXISTS `db`.{table}_local ON CLUSTER `main`")]
        assert "ENGINE = ReplicatedReplacingMergeTree(version)" in local
        [spread] = [s for s in found if s.startswith(f"CREATE TABLE IF NOT EXISTS `db`.{table} ON CLUSTER `main` AS")]
        assert spread.endswith(f"ENGINE = Distributed(`main`, `db`, {table}_local, cityHash64(call_id))")
    assert not [s for s in found if "{" in s]
