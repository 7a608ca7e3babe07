"""The difference report of a backtest: values for JSON and rows for tables. Its web page is `backtest_page`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from processors.inspect.tally import RuleTally, SchemeTally, Tally


def report(tally: Tally, old: str, new: str, since: str, against: str) -> dict[str, Any]:
    """Plain values. `old` and `new` are versions; `since` and `against` what was asked for."""
    rules = sorted(tally.rules.values(), key=lambda one: (one.old == one.new, one.rule_id))
    return {
        "old_version": old,
        "new_version": new,
        "against": against,
        "since": since,
        "calls": tally.calls,
        "unfinished_calls": tally.unfinished,
        "calls_without_beginning": tally.headless,
        "calls_stored_again": tally.repeated,
        "records": tally.records,
        "unreadable_records": tally.unreadable,
        "changed_calls": tally.changed_calls,
        "calls_newly_hit": tally.gained_calls,
        "calls_no_longer_hit": tally.lost_calls,
        "points": {"old": tally.points_old, "new": tally.points_new},
        "calls_scored_otherwise": tally.scored_otherwise,
        "schemes": [_scheme(scheme_id, one) for scheme_id, one in sorted(tally.schemes.items())],
        "verdicts": tally.verdicts,
        "live": {"calls": tally.live_calls, "equal": tally.live_equal, "differ": list(tally.live_differ)},
        "rules": [_rule(one) for one in rules],
        "changes": [
            {
                **asdict(one),
                "gained": [asdict(each) for each in one.gained],
                "lost": [asdict(each) for each in one.lost],
            }
            for one in tally.changes
        ],
    }


def _rule(one: RuleTally) -> dict[str, Any]:
    return {
        "rule_id": one.rule_id,
        "name": one.name,
        "violations": {"old": one.old, "new": one.new},
        "calls_newly_hit": one.gained_calls,
        "calls_no_longer_hit": one.lost_calls,
        "points": {"old": one.points_old, "new": one.points_new},
        "reviewed": {
            "old": {"confirmed": one.confirmed_old, "overturned": one.overturned_old},
            "new": {"confirmed": one.confirmed_new, "overturned": one.overturned_new},
        },
        "precision": {
            "old": precision(one.confirmed_old, one.overturned_old),
            "new": precision(one.confirmed_new, one.overturned_new),
        },
    }


def _scheme(scheme_id: str, one: SchemeTally) -> dict[str, Any]:
    return {
        "scheme": scheme_id,
        "calls": {"old": one.calls_old, "new": one.calls_new},
        "mean_score": {"old": _mean(one.score_old, one.calls_old), "new": _mean(one.score_new, one.calls_new)},
        "failed_calls": {"old": one.failed_old, "new": one.failed_new},
    }


def _mean(total: float, count: int) -> float | None:
    return round(total / count, 2) if count else None


def precision(confirmed: int, overturned: int) -> float | None:
    """Share of the reviewed violations that were confirmed; None when none was reviewed."""
    reviewed = confirmed + overturned
    return confirmed / reviewed if reviewed else None


def rule_rows(made: Mapping[str, Any], changed_only: bool = False) -> list[tuple[str, ...]]:
    """(rule, name, old, new, newly hit, no longer hit, points, precision) as text, for a table."""
    rows: list[tuple[str, ...]] = []
    for one in made["rules"]:
        count, points, right = one["violations"], one["points"], one["precision"]
        same = not one["calls_newly_hit"] and not one["calls_no_longer_hit"] and count["old"] == count["new"]
        if changed_only and same and points["old"] == points["new"]:
            continue
        moved = _moved(f"{points['old']:g}", f"{points['new']:g}")
        rows.append(
            (
                one["rule_id"], one["name"], str(count["old"]), str(count["new"]), _signed("+", one["calls_newly_hit"]),
                _signed("-", one["calls_no_longer_hit"]), moved, _moved(_share(right["old"]), _share(right["new"])),
            )
        )  # fmt: skip
    return rows


def scheme_rows(made: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """(scheme, calls, mean score, failed calls) as text, for a table; '' is the sum of points without a scheme."""
    return [
        (
            one["scheme"],
            _moved(str(one["calls"]["old"]), str(one["calls"]["new"])),
            _moved(*(_number(one["mean_score"][side]) for side in ("old", "new"))),
            _moved(str(one["failed_calls"]["old"]), str(one["failed_calls"]["new"])),
        )
        for one in made["schemes"]
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _signed(sign: str, calls: int) -> str:
    return f"{sign}{calls}" if calls else ""


def _moved(old: str, new: str) -> str:
    return old if old == new else f"{old} → {new}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def clock(call_ms: int) -> str:
    """Call time as M:SS."""
    return f"{call_ms // 60_000}:{call_ms // 1000 % 60:02}"


def findings(made: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """(sign, call, time, rule, quote) of each change, for the terminal."""
    return [
        (sign, one["call_id"], clock(found["start_ms"]), found["rule_name"] or found["rule_id"], found["quote"])
        for one in made["changes"]
        for sign, key in (("+", "gained"), ("-", "lost"))
        for found in one[key]
    ]
