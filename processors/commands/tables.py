"""`tingjian calls` and `tingjian violations`: what ClickHouse knows, as a table or as JSON lines.

The SQL asks the views and tables of schemas/clickhouse with FINAL, so that repeats do not show. Nothing is written.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from processors.commands.wall import clock
from processors.runtime.errors import UserError
from processors.runtime.settings import load_settings
from processors.sink.queries import query

Row = Mapping[str, Any]

UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
CALLS = """
SELECT calls.call_id AS call_id, started_at, lane, calls.scenario AS scenario, calls.agent_id AS agent_id,
    calls.team_id AS team_id, ended, duration_ms, reason, found.confirmed AS confirmed,
    if(card.call_id = '', NULL, card.points) AS points
FROM calls
LEFT JOIN (SELECT call_id, points FROM scorecards FINAL) AS card ON card.call_id = calls.call_id
LEFT JOIN (
    SELECT call_id, count() AS confirmed FROM violations FINAL WHERE state = 'confirmed' GROUP BY call_id
) AS found ON found.call_id = calls.call_id
WHERE started_at >= fromUnixTimestamp({since:Int64})
ORDER BY started_at DESC, call_id
LIMIT {limit:UInt32}
"""
CALL = "SELECT * FROM calls WHERE call_id = {call:String}"
UTTERANCES = """
SELECT channel, role, start_ms, end_ms, text, confidence FROM utterances FINAL
WHERE call_id = {call:String} ORDER BY start_ms, channel
"""
VIOLATIONS = """
SELECT * EXCEPT (version) FROM violations FINAL
WHERE audio_at >= fromUnixTimestamp({since:Int64})
    AND ({rule:String} = '' OR rule_id = {rule:String})
    AND ({call:String} = '' OR call_id = {call:String})
    AND ({agent:String} = '' OR agent_id = {agent:String})
    AND ({state:String} = 'all' OR state = {state:String})
ORDER BY audio_at DESC, violation_id
LIMIT {limit:UInt32}
"""
STYLES = {"critical": "bold red", "high": "red", "medium": "yellow"}


def show_calls(since: str, limit: int, as_json: bool) -> None:
    """List calls with their score and number of confirmed violations."""
    rows = query(load_settings(), CALLS, {"since": _since_s(since), "limit": limit})
    if as_json:
        _print_json(rows)
        return
    table = Table("started (UTC)", "call", "scenario", "agent", "duration", "points", "violations", "state")
    for row in rows:
        table.add_row(
            _time(row["started_at"]), *map(escape, (row["call_id"], row["scenario"], row["agent_id"])),
            clock(int(row["duration_ms"] or 0)).strip(), "" if row["points"] is None else f"{row['points']:g}",
            str(row["confirmed"] or 0), row["reason"] if row["ended"] else "running",
        )  # fmt: skip
    Console().print(table if rows else "no calls" + _hint(since))


def show_call(call: str, as_json: bool) -> None:
    """One call: what is known about it, what was said, what was found. UserError when there is none."""
    settings = load_settings()
    known = query(settings, CALL, {"call": call})
    if not known:
        raise UserError(f"there is no call {call!r}; list them with `tingjian calls --since 30d`")
    said = query(settings, UTTERANCES, {"call": call})
    asked = {"since": 0, "rule": "", "call": call, "agent": "", "state": "confirmed", "limit": 10_000}
    found = query(settings, VIOLATIONS, asked)
    if as_json:
        _print_json([{**known[0], "transcript": said, "violations": found}])
        return
    console = Console(highlight=False)
    facts = {name: value for name, value in known[0].items() if value not in ("", None, [], {})}
    console.print("\n".join(f"{name}: {value}" for name, value in facts.items()), markup=False)
    for line in said:
        console.print(f"{clock(int(line['start_ms']))} {line['role']:>8}  {line['text']}", markup=False)
    console.print(_violations(found) if found else "no violations")


def show_violations(since: str, rule: str, call: str, agent: str, state: str, limit: int, as_json: bool) -> None:
    """List violations, the newest first."""
    asked = {"since": _since_s(since), "rule": rule, "call": call, "agent": agent, "state": state, "limit": limit}
    rows = query(load_settings(), VIOLATIONS, asked)
    if as_json:
        _print_json(rows)
    else:
        Console().print(_violations(rows) if rows else "no violations" + _hint(since))


def _violations(rows: Sequence[Row]) -> Table:
    table = Table("when (UTC)", "call", "time", "severity", "rule", "points", "quote", "state")
    for row in rows:
        words = " … ".join(proof["quote"] for proof in row["evidence"] if proof["quote"])
        table.add_row(
            _time(row["audio_at"]), escape(row["call_id"]), clock(int(row["start_ms"])).strip(), row["severity"],
            escape(f"{row['rule_name']} ({row['rule_id']})"), f"{row['points']:g}",
            escape(words or row["explanation"]), row["state"], style=STYLES.get(row["severity"]),
        )  # fmt: skip
    return table


def _since_s(text: str) -> int:
    """Epoch seconds of `30m`, `24h`, `7d` ago; 0 for an empty text. UserError for anything else."""
    if not text:
        return 0
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if match is None:
        raise UserError(f"--since {text}: write it like 90s, 30m, 24h or 7d", 2)
    return max(0, int(time.time()) - int(match[1]) * UNIT_S[match[2]])


def _hint(since: str) -> str:
    return f" within {since}; widen --since" if since else " yet; inspect some: tingjian inspect FOLDER"


def _time(text: str) -> str:
    """To the second, as ClickHouse or as ISO 8601 writes it."""
    return text[:19].replace("T", " ")


def _print_json(rows: Iterable[Row]) -> None:
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
