"""The difference report of a backtest: values for JSON, rows for tables, a web page that needs nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from processors.inspect.tally import RuleTally, Tally

SHOWN: Final = 200
"""Calls on the page; the JSON has all that were kept."""

_STYLE: Final = """
body{font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;
color:#1d2433;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dfe3ea;vertical-align:top}
th{font-weight:600;background:#f4f6f9}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.gain{color:#a32015}.loss{color:#17643a}.dim{color:#667085}.big{display:flex;gap:2rem;flex-wrap:wrap}
.big div b{display:block;font-size:1.6rem}
@media (prefers-color-scheme:dark){body{color:#e6e9ef;background:#14171d}th{background:#1e232c}
th,td{border-color:#2c333f}.gain{color:#ff9a8f}.loss{color:#7fd6a4}.dim{color:#9aa4b5}}
"""


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
        moved = f"{points['old']:g}" if points["old"] == points["new"] else f"{points['old']:g} → {points['new']:g}"
        rows.append(
            (
                one["rule_id"], one["name"], str(count["old"]), str(count["new"]), f"+{one['calls_newly_hit']}",
                f"-{one['calls_no_longer_hit']}", moved, f"{_share(right['old'])} → {_share(right['new'])}",
            )
        )  # fmt: skip
    return rows


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:.0%}"


def clock(call_ms: int) -> str:
    """Call time as M:SS."""
    return f"{call_ms // 60_000}:{call_ms // 1000 % 60:02}"


def page(made: Mapping[str, Any]) -> str:
    """The report as one HTML page; no script and nothing from elsewhere."""
    head = (
        f"<p class=dim>旧版本 old {_e(made['old_version'])} ({_e(made['against'])}) → 新版本 new "
        f"{_e(made['new_version'])}; {_e(made['since'] or '全部 everything kept')}</p>"
    )
    figures = [
        (made["calls"], "通话 calls"),
        (made["changed_calls"], "有变化 changed"),
        (made["calls_newly_hit"], "新命中 newly hit"),
        (made["calls_no_longer_hit"], "不再命中 no longer hit"),
        (f"{made['points']['old']:g} → {made['points']['new']:g}", "分数 points"),
    ]
    big = "".join(f"<div><b>{_e(str(value))}</b>{_e(name)}</div>" for value, name in figures)
    live = made["live"]
    notes = [
        f"{live['equal']} / {live['calls']} 通与实时判定一致 calls judged live by the old version: the same verdicts",
        f"{made['unfinished_calls']} 通未结束 calls without an end",
        f"{made['calls_without_beginning']} 通缺开头 calls without a beginning, not judged",
        f"{made['verdicts']} 条复核结论 reviews",
    ]
    rules = _table(
        ("规则 rule", "名称 name", "旧 old", "新 new", "新命中 newly hit", "不再命中 no longer", "分数 points",
         "准确率 precision"),
        rule_rows(made), numbers=(2, 3, 4, 5, 6, 7),
    )  # fmt: skip
    calls = "".join(_call(one) for one in made["changes"][:SHOWN])
    more = made["changed_calls"] - min(len(made["changes"]), SHOWN)
    return (
        "<!doctype html><html lang=zh><head><meta charset=utf-8><title>规则回测 Backtest</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style></head><body>"
        f"<h1>规则回测 Backtest</h1>{head}<div class=big>{big}</div>"
        f"<p class=dim>{'<br>'.join(_e(note) for note in notes)}</p>"
        f"<h2>规则 Rules</h2>{rules}"
        f"<h2>有变化的通话 Changed calls</h2>{calls or '<p>无 none</p>'}"
        f"{f'<p class=dim>另有 and {more} more</p>' if more > 0 else ''}</body></html>\n"
    )


def _call(one: Mapping[str, Any]) -> str:
    at = datetime.fromtimestamp(one["at_ms"] / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    rows = [("+", found, "gain") for found in one["gained"]] + [("−", found, "loss") for found in one["lost"]]
    items = "".join(
        f"<tr class={kind}><td>{sign}</td><td>{clock(found['start_ms'])}</td>"
        f"<td>{_e(found['rule_name'] or found['rule_id'])}</td><td>{_e(found['quote'])}</td>"
        f"<td class=n>{found['points']:g}</td><td>{_e(_VERDICTS.get(found['verdict'], ''))}</td></tr>"
        for sign, found, kind in rows
    )
    return (
        f"<h3>{_e(one['call_id'])}</h3><p class=dim>{_e(at)} {_e(one['scenario'])} {_e(one['agent_id'])}, "
        f"分数 points {one['points_old']:g} → {one['points_new']:g}</p><table>{items}</table>"
    )


_VERDICTS: Final = {"confirmed": "复核成立 confirmed", "overturned": "复核推翻 overturned"}


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int]) -> str:
    kinds = ["n" if column in numbers else "" for column in range(len(heading))]
    head = "".join(f"<th class='{kind}'>{_e(name)}</th>" for name, kind in zip(heading, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td class='{kind}'>{_e(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _e(text: str) -> str:
    return escape(text, quote=True)


def findings(made: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """(sign, call, time, rule, quote) of each change, for the terminal."""
    return [
        (sign, one["call_id"], clock(found["start_ms"]), found["rule_name"] or found["rule_id"], found["quote"])
        for one in made["changes"]
        for sign, key in (("+", "gained"), ("-", "lost"))
        for found in one[key]
    ]
