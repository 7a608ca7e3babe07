import io
from concurrent.futures import Future
from dataclasses import replace
from typing import cast

import pytest
from rich.console import Console

from processors.commands.demo import CALLS, SLOTS, print_verdicts, watch
from processors.commands.following import Following
from processors.commands.verdicts import Expectation, read_expectations
from processors.commands.wall import Wall
from processors.ingest.manifest import parse_manifest
from processors.records import AnyRecord, CallMetrics, CallStarted, Coverage, Scorecard, Utterance, Violation
from processors.runtime.errors import UserError
from processors.runtime.slots import all_slots
from processors.topology import the_topology

CALL = CallStarted(call_id="c", at_ms=0, lane="live", channels=("agent", "customer"))
SAID = Utterance(
    utterance_id="c/0/0", call_id="c", channel=0, role="agent", utterance_no=0, start_ms=3000, end_ms=4000,
    text="我们保证下款", confidence=0.9, at_ms=0,
)  # fmt: skip
FOUND = Violation(
    violation_id="v", call_id="c", rule_id="guaranteed-approval", rule_name="承诺下款", rule_version="1",
    ruleset_version="1", state="provisional", severity="high", points=-15.0, fatal=False, role="agent",
    start_ms=3000, end_ms=4000, audio_at_ms=4000, detected_at_ms=4500,
)  # fmt: skip
SCORED = Scorecard(
    call_id="c", state="final", points=85.0, fatal=False, ruleset_version="1", metrics=CallMetrics(),
    coverage=Coverage(), call_ms=9000, at_ms=9000,
)  # fmt: skip
EXPECTED = [Expectation("c", frozenset({"guaranteed-approval"}))]


class Script:
    """Records that come one batch at a time."""

    def __init__(self, *batches: list[AnyRecord]) -> None:
        self._batches = list(batches)

    def read(self, timeout_s: float) -> list[AnyRecord]:
        return self._batches.pop(0) if self._batches else []


def show(*batches: list[AnyRecord], terminal: bool = False, playing: Future[None] | None = None) -> tuple[str, Wall]:
    out = io.StringIO()
    wall = Wall()
    console = Console(file=out, force_terminal=terminal, width=160)
    watch(console, cast(Following, Script(*batches)), wall, playing or Future(), {"c"}, lambda: None)
    return out.getvalue(), wall


@pytest.mark.parametrize("terminal", [False, True], ids=["as lines", "on a terminal"])
def test_a_violation_is_printed_while_the_call_is_spoken(terminal: bool) -> None:
    text, wall = show([CALL, SAID, FOUND], [replace(FOUND, state="confirmed"), SCORED], terminal=terminal)

    assert text.index("PROVISIONAL") < text.index("CONFIRMED")
    assert "承诺下款 (guaranteed-approval)" in text and "[0.5 s after the audio]" in text
    assert wall.confirmed() == {"c": {"guaranteed-approval"}}


def test_other_calls_on_the_same_kafka_do_not_show() -> None:
    text, wall = show([CALL, replace(CALL, call_id="strange"), replace(FOUND, call_id="strange")], [SCORED])

    assert "strange" not in text
    assert list(wall.calls) == ["c"]


def test_a_door_that_refuses_the_calls_ends_the_demo_with_its_reason() -> None:
    playing: Future[None] = Future()
    playing.set_exception(UserError("the door is full"))

    with pytest.raises(UserError, match="the door is full"):
        show([CALL], playing=playing)


def test_verdicts_as_expected_are_ticked() -> None:
    _, wall = show([CALL, replace(FOUND, state="confirmed"), SCORED])
    out = io.StringIO()

    assert print_verdicts(Console(file=out, width=160), wall, EXPECTED) is True
    assert "✓" in out.getvalue() and "✗" not in out.getvalue() and "承诺下款" in out.getvalue()
    assert "85" in out.getvalue()


def test_a_missing_violation_is_crossed() -> None:
    _, wall = show([CALL, FOUND, SCORED])
    out = io.StringIO()

    assert print_verdicts(Console(file=out, width=160), wall, EXPECTED) is False
    assert "✗" in out.getvalue()


def test_the_demo_ships_six_calls_with_an_expectation_each() -> None:
    import yaml

    expectations = read_expectations(yaml.safe_load((CALLS / "expected.yaml").read_text(encoding="utf-8")))
    entries, refused = parse_manifest((CALLS / "manifest.csv").read_bytes(), "manifest.csv")

    assert refused == []
    assert len(entries) == 6
    assert {entry.call_id for entry in entries} == {expected.call_id for expected in expectations}
    assert all((CALLS / entry.path).exists() for entry in entries)
    assert sum(path.stat().st_size for path in CALLS.iterdir()) < 10_000_000


def test_the_processes_of_the_demo_are_on_the_map() -> None:
    assert set(SLOTS) <= set(all_slots(the_topology()))
