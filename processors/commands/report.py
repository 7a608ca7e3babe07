"""The JSON report of `tingjian inspect`, from rows of ClickHouse. Pure: rows in, plain values out.

A call inspected before leaves rows under the same call id. Rows below the `since` version of their table are leftovers
(of another rule set or model) and are left out; a violation that was retracted is no violation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

TABLES = ("utterances", "violations", "emotions", "scorecards", "score_items")
"""Tables a report is made of."""

TRANSCRIPT = ("channel", "role", "start_ms", "end_ms", "text")
VIOLATION = (
    "violation_id", "rule_id", "rule_name", "rule_version", "ruleset_version", "severity", "state",
    "start_ms", "end_ms", "points", "fatal", "role", "explanation", "evidence",
)  # fmt: skip
EMOTION = ("channel", "role", "call_ms", "arousal", "valence", "label", "trend", "utterance_id", "drivers")
SCORECARD = ("state", "points", "fatal", "scheme", "ruleset", "ruleset_version")
METRICS = (
    "duration_ms", "talk_ms", "talk_ratio_agent", "silence_ms", "longest_silence_ms", "overlap_ms", "overlaps",
    "hold_ms", "chars_per_min", "utterances",
)  # fmt: skip
ITEM = ("item_id", "name", "dimension", "points", "hits", "fatal", "applicable", "violation_ids")
COVERAGE = ("audio_ms", "transcribed_ms", "evaluated_ms", "skipped")


@dataclass(frozen=True, slots=True)
class CallRows:
    """All rows of one call, by table."""

    call_id: str
    path: str
    tables: Mapping[str, Sequence[Row]]
    since: Mapping[str, int] = field(default_factory=dict)
    """By table, the version from which on rows belong to this inspection."""

    def rows(self, table: str) -> list[Row]:
        """Rows of this inspection."""
        return [row for row in self.tables.get(table, ()) if row["version"] >= self.since.get(table, 0)]


def call_report(call: CallRows) -> dict[str, Any]:
    """One entry of `calls`. KeyError when the call has no scorecard: it was not inspected then."""
    cards = call.rows("scorecards")
    if not cards:
        raise KeyError(f"{call.call_id} has no scorecard")
    card = cards[-1]
    found = [row for row in call.rows("violations") if row["state"] != "retracted"]
    items = [row for row in call.rows("score_items") if row["version"] == card["version"]]
    return {
        "call_id": call.call_id,
        "path": call.path,
        "duration_ms": card["duration_ms"],
        "transcript": _picked(call.rows("utterances"), TRANSCRIPT, ("start_ms", "channel", "end_ms")),
        "violations": _picked(found, VIOLATION, ("start_ms", "rule_id", "violation_id")),
        "emotions": _picked(call.rows("emotions"), EMOTION, ("call_ms", "channel")),
        "scorecard": {
            **{name: card[name] for name in SCORECARD},
            "items": _picked(items, ITEM, ("item_id",)),
            "metrics": {name: card[name] for name in METRICS},
        },
        "coverage": {name: card[name] for name in COVERAGE},
    }


def report(calls: Iterable[CallRows], skipped: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The whole report; `skipped` are paths with the reason."""
    return {
        "calls": [call_report(call) for call in calls],
        "skipped": [{"path": path, "reason": reason} for path, reason in skipped],
    }


def _picked(rows: Iterable[Row], names: Sequence[str], order: Sequence[str]) -> list[dict[str, Any]]:
    chosen = sorted(rows, key=lambda row: tuple(row[name] for name in order))
    return [{name: row[name] for name in names} for row in chosen]
