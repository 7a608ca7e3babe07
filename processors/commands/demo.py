"""`tingjian demo`: the whole system on this machine, with six calls spoken in real time through the live door.

The terminal shows what is being said and what breaks the rules while the calls run; a plain stream of lines when the
output is no terminal. At the end the verdicts are held against what the script of the calls says they must be.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import yaml
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

import processors.ingest
from processors.commands.following import Following
from processors.commands.stack import play_path, print_addresses, quiet_logs
from processors.commands.verdicts import Expectation, compare, read_expectations
from processors.commands.wall import Wall, Words, clock
from processors.records import AnyRecord, Violation
from processors.runtime.settings import load_settings
from processors.runtime.supervisor import Stack

CALLS = Path(processors.ingest.__file__).parent / "demo"
SLOTS = ("ingest", "speech", "inspect", "sink")
TOPICS = ("calls.timeline", "violations", "scorecards")
POLL_S = 0.1
SCORED_S = 60.0
"""After the last audio the final scorecards come within seconds; longer means that something is broken."""
WORDS_SHOWN = 24
MARKS = {"provisional": "yellow", "confirmed": "red", "retracted": "dim"}
NEXT_STEPS = """
Next steps:
  your own recordings      tingjian inspect FOLDER --json report.json
  your own rules           tingjian rules check FOLDER; tingjian inspect FOLDER --rules FOLDER
  keep it running          tingjian up      (then: tingjian play FILE, tingjian violations, tingjian calls)
  your own Kafka           TINGJIAN_KAFKA=host:9092 tingjian up
"""


def demo(keep: bool) -> int:
    """Run it; 0 when every call came out as expected, 1 when not."""
    settings = load_settings()
    quiet_logs(settings)
    console = Console(highlight=False)
    expectations = read_expectations(yaml.safe_load((CALLS / "expected.yaml").read_text(encoding="utf-8")))
    wanted = {expected.call_id for expected in expectations}
    begun_s = time.monotonic()
    with Stack(settings, SLOTS, console.print) as stack:
        console.print(f"ready after {time.monotonic() - begun_s:.0f} s")
        print_addresses(console, settings, stack.file)
        wall = Wall()
        stop = threading.Event()
        with Following(settings, TOPICS) as following, ThreadPoolExecutor(1, "playing") as pool:
            playing = pool.submit(play_path, settings, CALLS / "manifest.csv", stack.file.door, stop)
            try:
                watch(console, following, wall, playing, wanted, stack.check)
            finally:
                stop.set()
        right = print_verdicts(console, wall, expectations)
        console.print(NEXT_STEPS, markup=False)
        if keep:
            console.print("still running; Ctrl-C stops everything")
            stack.wait()
    return 0 if right else 1


def watch(
    console: Console,
    following: Following,
    wall: Wall,
    playing: Future[None],
    wanted: set[str],
    check: Callable[[], None],
) -> None:
    """Show what comes until every wanted call has its final scorecard.

    On a terminal, violations scroll above a table of the calls; elsewhere everything is a line.
    """
    played_s = 0.0
    with Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else nullcontext() as live:
        came: list[AnyRecord] = []
        while came or not wanted <= wall.scored:  # the last violation may come behind the last scorecard
            came = following.read(POLL_S)
            for record in came:
                if getattr(record, "call_id", None) not in wanted:
                    continue  # another call on the same Kafka
                line = wall.apply(record)
                if line and (live is None or isinstance(record, Violation)):
                    style = MARKS[record.state] if isinstance(record, Violation) else None
                    console.print(Text(line, style=style or ""), soft_wrap=True)
            if live is not None:
                live.update(_calls(wall))
            check()
            if playing.done():
                playing.result()
                played_s = played_s or time.monotonic()
                if time.monotonic() - played_s > SCORED_S:
                    return


def _calls(wall: Wall) -> Table:
    table = Table("call", "time", "agent", "customer", "points")
    for call in sorted(wall.calls.values(), key=lambda view: view.call_id):
        said = {words.role: _words(words) for words in call.words.values()}
        state = "ended" if call.ended else clock(call.call_ms).strip()
        points = "" if call.points is None else f"{call.points:g}"
        table.add_row(call.call_id, state, said.get("agent", ""), said.get("customer", ""), points)
    return table


def _words(words: Words) -> Text:
    """The newest words; grey as long as they may still change."""
    text = words.text if len(words.text) <= WORDS_SHOWN else "…" + words.text[-WORDS_SHOWN:]
    return Text(text, style="" if words.final else "dim")


def print_verdicts(console: Console, wall: Wall, expectations: Sequence[Expectation]) -> bool:
    """Expected against found; whether all is right."""
    names = {found.rule_id: found.rule_name or found.rule_id for found in wall.violations.values()}
    verdicts = compare(expectations, wall.confirmed())
    table = Table("", "call", "found", "missing", "unexpected", "score")
    for verdict in verdicts:
        columns = (verdict.found, verdict.missing, verdict.unexpected)
        cells = [", ".join(names.get(rule, rule) for rule in rules) for rules in columns]
        call = wall.calls.get(verdict.call_id)
        score = "" if call is None or call.points is None else f"{call.points:g}"
        table.add_row("[green]✓[/]" if verdict.right else "[red]✗[/]", verdict.call_id, *cells, score)
    console.print(table)
    middle, slow = wall.latency_ms(0.5), wall.latency_ms(0.99)
    if middle is not None and slow is not None:
        console.print(f"from the end of the words to the violation: median {middle} ms, 99 % within {slow} ms")
    return all(verdict.right for verdict in verdicts)
