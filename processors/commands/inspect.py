"""`tingjian inspect`: recordings in, a table and a JSON report out, through Kafka, NeMo, Faust and ClickHouse.

It watches `scorecards` for the final card of each call, then waits until `sink` has stored everything up to there, and
reads the rows. What the report contains is decided in `report`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from processors.commands.following import Following
from processors.commands.report import CallRows, report
from processors.commands.rule_folder import publish, read_rules
from processors.commands.stack import quiet_logs
from processors.commands.wall import clock
from processors.ingest import job
from processors.ingest.folder import Planned
from processors.records import Scorecard
from processors.runtime import wire
from processors.runtime.errors import BadRecord, Unavailable, UserError
from processors.runtime.offsets import Place, ends
from processors.runtime.settings import Settings, load_settings
from processors.runtime.supervisor import Stack
from processors.sink.queries import query, wait_until_stored

Speed = Literal["max", "real"]

STALLED_S = 120.0
"""Without any record of the waiting calls for so long, they are given up."""
STORED_S = 120.0
SETTLED_S = 0.3
"""A violation of another partition may reach its topic just behind the final scorecard."""
POLL_S = 0.3
CALLS_A_QUERY = 100
SHOWN = 40
"""Rows of each table in the terminal; the JSON has all."""
SOME_SKIPPED = 3
SLOTS = ("speech-recordings", "inspect", "sink")
TOPICS = {
    "utterances": "calls.timeline",
    "violations": "violations",
    "emotions": "emotions",
    "scorecards": "scorecards",
    "score_items": "scorecards",
}
"""Tables of the report, and the topic whose offsets are the versions of their rows."""
SELECT = r"SELECT * FROM {table} FINAL WHERE call_id IN (SELECT arrayJoin(splitByChar('\x1f', {{calls:String}})))"


class Stopped(Exception):
    """The command ends: the thread that sends recordings must end, too."""


def inspect(path: Path, rules: Path | None, speed: Speed, out: Path | None) -> int:
    """Inspect the recordings behind a path; return the exit code."""
    settings = load_settings()
    quiet_logs(settings)
    planned, refused = job.plan_path(settings, path)
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise UserError(f"--json {out}: name a file in a folder that exists", 2)
    book = read_rules(rules) if rules is not None else None
    skipped = [(item.path, item.reason) for item in refused]
    console = Console(stderr=out == Path("-"), highlight=False)
    for warning in book.warnings if book else ():
        console.print(warning, style="yellow", markup=False)
    calls: list[CallRows] = []
    if planned:
        with Stack(settings, SLOTS, console.print) as stack:
            ruleset = publish(settings, book) if book else ""
            calls, lost = _run(settings, planned, speed, ruleset, console, stack.check)
            skipped += lost
    made = report(calls, sorted(skipped))
    if out is not None:
        text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
        if out == Path("-"):
            sys.stdout.write(text)
        else:
            out.write_text(text, encoding="utf-8")
    _print(console, made)
    return SOME_SKIPPED if skipped else 0


def _run(
    settings: Settings,
    planned: Sequence[Planned],
    speed: Speed,
    ruleset: str,
    console: Console,
    check: Callable[[], None],
) -> tuple[list[CallRows], list[tuple[str, str]]]:
    """Send, wait, read. Returns the rows of the calls that were inspected, and the others with the reason."""
    paths = {call.entry.call_id: call.entry.path for call in planned}
    begin = ends(settings, sorted(set(TOPICS.values())))
    stop = threading.Event()
    sent_ms: dict[str, int] = {}

    def on_progress(step: job.Progress) -> None:
        if stop.is_set():
            raise Stopped
        sent_ms[step.call_id] = min(step.sent_ms, step.duration_ms)

    with (
        Following(settings, ["calls.timeline", "scorecards"]) as following,
        ThreadPoolExecutor(1, "sending") as pool,
        _progress(console, planned) as show,
    ):
        sending = pool.submit(
            job.send_planned, settings, list(planned), speed=speed, ruleset=ruleset, on_progress=on_progress
        )
        try:
            places = _wait(following, set(paths), sending, lambda done: show(sum(sent_ms.values()), done), check)
        finally:
            stop.set()
    lost = [
        (path, f"no result came within {STALLED_S:.0f} s; look at the logs in {settings.logs}")
        for call_id, path in paths.items()
        if call_id not in places
    ]
    time.sleep(SETTLED_S)
    if places and not wait_until_stored(settings, STORED_S):
        raise Unavailable(f"the results were not stored within {STORED_S:.0f} s; look at {settings.logs / 'sink.log'}")
    found = {call_id: path for call_id, path in paths.items() if call_id in places}
    return list(_read(settings, found, places, begin)), lost


def _wait(
    following: Following,
    calls: set[str],
    sending: Future[list[job.IngestedCall]],
    show: Callable[[int], None],
    check: Callable[[], None],
) -> dict[str, int]:
    """Partition of each call whose final scorecard came; calls of which nothing comes any more are not in it."""
    places: dict[str, int] = {}
    last_sign_s = time.monotonic()
    while len(places) < len(calls):
        for message in following.messages(POLL_S):
            call_id = (message.key() or b"").decode("utf-8", "replace")
            if call_id not in calls:
                continue
            last_sign_s = time.monotonic()
            if message.topic() == "scorecards" and _is_final(message.value()):
                places[call_id] = int(message.partition() or 0)
        show(len(places))
        check()
        if not sending.done():
            last_sign_s = time.monotonic() if sending.running() else last_sign_s
        elif error := sending.exception():
            raise error
        if time.monotonic() - last_sign_s > STALLED_S:
            break
    return places


def _is_final(value: bytes | None) -> bool:
    try:
        record = wire.decode(value)
    except BadRecord:
        return False
    return isinstance(record, Scorecard) and record.state == "final"


def _read(
    settings: Settings, paths: Mapping[str, str], places: Mapping[str, int], begin: Mapping[Place, int]
) -> Iterator[CallRows]:
    """Rows of the calls. A call has the same partition number in every topic: offsets tell what is of this run."""
    call_ids = list(paths)
    for first in range(0, len(call_ids), CALLS_A_QUERY):
        chunk = call_ids[first : first + CALLS_A_QUERY]
        rows: dict[str, dict[str, list[Any]]] = {call_id: {} for call_id in chunk}
        for table in TOPICS:
            for row in query(settings, SELECT.format(table=table), {"calls": "\x1f".join(chunk)}):
                rows[row["call_id"]].setdefault(table, []).append(row)
        for call_id in chunk:
            since = {table: begin.get((topic, places[call_id]), 0) for table, topic in TOPICS.items()}
            yield CallRows(call_id, paths[call_id], rows[call_id], since)


@contextmanager
def _progress(console: Console, planned: Sequence[Planned]) -> Iterator[Callable[[int, int], None]]:
    """Two bars: audio sent (ms) and calls inspected; nothing when the output is no terminal."""
    columns = (TextColumn("{task.description:>14}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        sent = progress.add_task("sent to Kafka", total=sum(call.recording.duration_ms for call in planned))
        done = progress.add_task("inspected", total=len(planned))

        def show(sent_ms: int, calls: int) -> None:
            progress.update(sent, completed=sent_ms)
            progress.update(done, completed=calls)

        yield show


def _print(console: Console, made: Mapping[str, Any]) -> None:
    calls, violations = [], []
    for call in made["calls"]:
        rules = sorted({found["rule_name"] or found["rule_id"] for found in call["violations"]})
        points = f"{call['scorecard']['points']:g}"
        calls.append((call["call_id"], clock(call["duration_ms"]).strip(), points, ", ".join(rules) or "none"))
        for found in call["violations"]:
            words = " … ".join(proof["quote"] for proof in found["evidence"] if proof["quote"])
            name, at = found["rule_name"] or found["rule_id"], clock(found["start_ms"]).strip()
            violations.append((call["call_id"], at, found["severity"], name, words or found["explanation"]))
    skipped = [(item["path"], item["reason"]) for item in made["skipped"]]
    _print_table(console, ("call", "duration", "points", "violations"), calls)
    _print_table(console, ("call", "time", "severity", "rule", "quote"), violations)
    _print_table(console, ("not inspected", "reason"), skipped)
    console.print(f"{len(calls)} calls inspected, {len(skipped)} not")


def _print_table(console: Console, heading: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(*heading, caption=f"and {len(rows) - SHOWN} more, see --json" if len(rows) > SHOWN else None)
    for row in rows[:SHOWN]:
        table.add_row(*map(escape, row))
    console.print(table)
