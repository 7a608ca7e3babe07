"""kill -9 of `sink` while it inserts: every row is there in the end, once, with the values of the last record."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from processors.inspect.book import compile_book
from processors.inspect.language import parse
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.trial import replay
from processors.records import Alert, AnyRecord, CallStarted, EmotionPoint, Scorecard, Utterance, Violation
from processors.runtime.children import free_ports
from processors.runtime.kafka import make_producer
from processors.runtime.settings import Settings
from processors.runtime.wire import encode
from processors.sink.queries import wait_until_stored
from processors.topology import the_topology
from tests.live.processes import PATIENCE_S, processor
from tests.live.story_media import calls

PREFIX = "sink-recovery"
KILLS = (0.25, 0.6)
"""Shares of all records that are written when the process is killed."""
KEYS = {
    "utterances": ("utterance_id", "text", "start_ms", "end_ms"),
    "violations": ("violation_id", "state", "call_ms"),
    "emotions": ("utterance_id", "label", "trend"),
    "scorecards": ("call_id", "state", "points", "fatal"),
    "alerts": ("alert_id", "state"),
    "calls": ("call_id", "ended", "duration_ms"),
}


SUMS = """
SELECT toInt32(sum(seen)) AS seen, toInt32(sum(confirmed)) AS confirmed, toInt32(sum(retracted)) AS retracted
FROM violations_by_minute WHERE team_id = {team:String}
"""


def ask(port: int, sql: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of the embedded engine in the process of `sink`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    pairs = "&".join(f"param_{name}={quote(value)}" for name, value in parameters.items())
    connection.request("POST", f"/query?{pairs}", sql.encode(), {"Host": f"127.0.0.1:{port}"})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == http.client.OK, body.decode()
    return [json.loads(line) for line in body.splitlines() if line]


def stored(port: int, table: str) -> list[tuple[Any, ...]]:
    """Rows of these calls, sorted."""
    source = table if table == "calls" else f"{table} FINAL"
    sql = f"SELECT {', '.join(KEYS[table])} FROM {source} WHERE startsWith(call_id, {{prefix:String}})"
    rows = ask(port, sql, {"prefix": PREFIX})
    return sorted(tuple(row[name] for name in KEYS[table]) for row in rows)


def expected(records: Iterable[AnyRecord]) -> dict[str, list[tuple[Any, ...]]]:
    """What the last record of each identity says."""
    tables: dict[str, dict[Any, tuple[Any, ...]]] = {table: {} for table in KEYS}
    ends = {}
    for one in records:
        match one:
            case Utterance():
                tables["utterances"][one.utterance_id] = (one.utterance_id, one.text, one.start_ms, one.end_ms)
            case Violation():
                tables["violations"][one.violation_id] = (one.violation_id, one.state, one.call_ms)
            case EmotionPoint():
                tables["emotions"][one.utterance_id] = (one.utterance_id, one.label, one.trend)
            case Scorecard():
                tables["scorecards"][one.call_id] = (one.call_id, one.state, one.points, one.fatal)
                ends[one.call_id] = one.call_ms
            case Alert():
                tables["alerts"][one.alert_id] = (one.alert_id, one.state)
    for call_id, end_ms in ends.items():
        tables["calls"][call_id] = (call_id, True, end_ms)
    return {table: sorted(rows.values()) for table, rows in tables.items()}


def topics() -> dict[str, str]:
    """Topic of each kind of record that `inspect` writes."""
    topology = the_topology()
    return {
        record: topic for topic in topology.processors["inspect"].writes for record in topology.topics[topic].records
    }


def whole() -> list[AnyRecord]:
    """Timelines of all stories with what is found in them, as they are written."""
    book = compile_book(parse(read_rule_files(shipped_folder())), "default")
    made: list[AnyRecord] = []
    for timeline in calls(PREFIX).values():
        of_team = [replace(one, team_id=PREFIX) if isinstance(one, CallStarted) else one for one in timeline]
        made += of_team
        made += replay(book, of_team)
    return made


def test_killed_while_it_inserts_sink_has_every_row_once(kafka: Settings, tmp_path: Path) -> None:
    records, log, written = whole(), tmp_path / "sink.log", topics()
    settings = kafka.model_copy(update={"home": tmp_path})
    (port,) = free_ports(1)
    producer = make_producer(kafka, linger_ms=1)
    begun = 0
    for share in (*KILLS, 1.0):
        with processor(settings, "sink", log, query_port=str(port)) as process:
            until = int(share * len(records))
            for record in records[begun:until]:
                topic = written.get(type(record).__name__, "calls.timeline")
                producer.produce(topic, encode(record), record.call_id)
            assert producer.flush(60) == 0
            seen = _count(port) if begun else 0
            begun, limit = until, time.monotonic() + PATIENCE_S
            if share < 1.0:
                while _count(port) <= seen:  # the next batch may be under way, its offsets are not committed
                    assert time.monotonic() < limit and process.goes_on(), log.read_text()[-3000:]
                    time.sleep(0.02)
                continue
            assert wait_until_stored(settings, PATIENCE_S), log.read_text()[-3000:]
            promised = expected(records)
            for table in KEYS:
                assert stored(port, table) == promised[table], table
            (sums,) = ask(port, SUMS, {"team": PREFIX})
            states = [state for _, state, _ in promised["violations"]]
            assert sums == {
                "seen": len(states), "confirmed": states.count("confirmed"), "retracted": states.count("retracted")
            }, "what was inserted twice is counted once"  # fmt: skip


def _count(port: int) -> int:
    """Utterances stored so far; 0 while the process is not there yet."""
    try:
        return len(stored(port, "utterances"))
    except (OSError, http.client.HTTPException, AssertionError):
        return 0
