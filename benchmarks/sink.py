"""What `sink` stores in a second, against raw inserts of the same prepared rows into the same engine.

Both sides write to embedded chDB, each to a database of its own with the tables and views of the migrations, in the
same batches. The raw side has the columns of every batch ready and only inserts them; ours starts from the bytes of
the records as they lie in Kafka: decoding, redaction, rows, deduplication tokens, inserts through its store. Kafka
itself is on neither side. Sides take turns; tables are emptied after each turn, so that no turn merges what another
wrote. Both must have stored as many rows of each table.

* results: only records that become rows (calls, utterances, violations, emotions, scorecards, alerts);
* everything: partials and ticks as well, which `sink` reads and stores nothing of. They are most records of a timeline.

The records are those of calls as in `benchmarks.rules`, judged by the engine with the shipped rule book.

    python -m benchmarks.sink [--calls 30] [--rows 1000 5000 20000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import clickhouse_connect

from benchmarks.rules import make_call, shown
from processors.inspect.book import RuleBook, compile_book
from processors.inspect.engine import step
from processors.inspect.language import parse
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.records import AnyRecord, CallEnded, Partial, Tick
from processors.runtime.wire import encode
from processors.sink.agent import insert_all
from processors.sink.batch import Batch
from processors.sink.migrate import load_migrations, migrate
from processors.sink.rows import COLUMNS, rows_of
from processors.sink.store import INSERT_SETTINGS, QUERY_SETTINGS, Store, Target, open_embedded

PLACE = ("benchmark", 0)
Side = Literal["sink", "raw"]


def main() -> None:
    """Print records and rows a second of both sides, and their ratio, for each size of batches."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 5_000, 20_000], help="rows of a full batch")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    book = compile_book(parse(read_rule_files(shipped_folder())), "benchmark")
    everything = [record for number in range(args.calls) for record in judged(book, number)]
    results = [record for record in everything if not isinstance(record, Partial | Tick)]
    with tempfile.TemporaryDirectory() as name:
        sink, raw = open_embedded(Path(name)), RawTables(Path(name))
        migrate(sink, load_migrations())
        for what, records in (("results", results), ("everything", everything)):
            values = [encode(record) for record in records]
            for most_rows in args.rows:
                compare(what, values, most_rows, sink, raw, args.repeats)
        sink.close()


def judged(book: RuleBook, number: int) -> Iterator[AnyRecord]:
    """The timeline of a call and what the engine says about it."""
    timeline: list[Any] = make_call(book, number)
    last = timeline[-1]
    timeline.append(CallEnded(call_id=last.call_id, call_ms=last.at_ms + 1, at_ms=last.at_ms + 1))
    state = None
    for position, record in enumerate(timeline):
        yield record
        state, outputs = step(book, state, record, position)
        yield from outputs


class RawTables:
    """The same tables in a second database, written by clickhouse-connect alone."""

    def __init__(self, folder: Path) -> None:
        with clickhouse_connect.get_client(interface="chdb", path=str(folder)) as first:
            first.command("CREATE DATABASE raw")
        self._client = clickhouse_connect.get_client(interface="chdb", path=str(folder), database="raw")
        for name, value in QUERY_SETTINGS.items():
            self._client.command(f"SET {name} = '{value}'")
        self.store = Store(self._client, Target("raw"))
        migrate(self.store, load_migrations())
        self._types = {
            table: self._client.create_insert_context(table, list(names)).column_types
            for table, names in COLUMNS.items()
        }

    def insert(self, table: str, columns: Sequence[Sequence[Any]], token: str) -> None:
        """Insert prepared columns; the engine would drop a repeat with an older token."""
        self._client.insert(
            table,
            columns,
            column_names=COLUMNS[table],
            column_types=self._types[table],
            column_oriented=True,
            settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
        )


def batches(values: Sequence[bytes], most_rows: int, first: int) -> Iterator[Batch[bytes]]:
    """The values as `sink` gathers them, with offsets from `first`; a batch is emptied when the next is asked for."""
    batch: Batch[bytes] = Batch(most_rows, longest_ms=1 << 60)
    for offset, value in enumerate(values, first):
        batch.add(rows_of(value, offset), value, value)
        batch.read(PLACE, offset, 0)
        if batch.due(0):
            yield batch
            batch.clear()
    if batch.next_offsets:
        yield batch
        batch.clear()


def compare(what: str, values: Sequence[bytes], most_rows: int, sink: Store, raw: RawTables, repeats: int) -> None:
    """Let both sides store the values by turns; the first turn warms up."""
    prepared = [
        {table: list(zip(*pending.rows, strict=True)) for table, pending in batch.tables.items()}
        for batch in batches(values, most_rows, 0)
    ]
    count = sum(len(columns[0]) for tables in prepared for columns in tables.values())
    inserts = sum(len(tables) for tables in prepared)

    def ours(turn: int) -> None:
        for batch in batches(values, most_rows, turn * len(values)):
            for table, pending in batch.tables.items():
                for _, bad in insert_all(sink, table, pending, f"{table}/{batch.token}"):
                    assert bad is None, bad

    def theirs(turn: int) -> None:
        for number, tables in enumerate(prepared):
            for table, columns in tables.items():
                raw.insert(table, columns, f"{what}/{most_rows}/{turn}/{number}/{table}")

    sides: dict[Side, tuple[Callable[[int], None], Store]] = {"raw": (theirs, raw.store), "sink": (ours, sink)}
    cpu: dict[Side, list[float]] = {"raw": [], "sink": []}
    wall: dict[Side, list[float]] = {"raw": [], "sink": []}
    stored: dict[Side, list[int]] = {}
    for turn in range(repeats + 1):
        for name, (work, store) in sides.items():
            began_cpu, began = time.process_time(), time.perf_counter()
            work(turn)
            if turn:
                cpu[name].append(time.process_time() - began_cpu)
                wall[name].append(time.perf_counter() - began)
            stored[name] = [store.rows(f"SELECT count() AS n FROM {table} FINAL")[0]["n"] for table in COLUMNS]
            for table in COLUMNS:
                store.command(f"TRUNCATE TABLE {table}")
        assert any(stored["raw"]) and stored["raw"] == stored["sink"], f"they stored different rows: {stored}"
    print(f"{what}: {len(values)} records, {count} rows, {most_rows} rows a batch, {inserts} inserts")
    for name in sides:
        print(
            f"  {name:5} {shown([count / one for one in cpu[name]], 0)} rows a CPU second,"
            f" {shown([len(values) / one for one in cpu[name]], 0)} records a CPU second,"
            f" {shown([count / one for one in wall[name]], 0)} rows a second by the clock"
        )
    for unit, used in (("CPU", cpu), ("clock", wall)):
        ratios = [theirs_s / ours_s for theirs_s, ours_s in zip(used["raw"], used["sink"], strict=True)]
        print(f"  sink against raw, {unit}: {shown(ratios)}")


if __name__ == "__main__":
    main()
