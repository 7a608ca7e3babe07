"""The difference report of a backtest as one web page that needs nothing else. Pure: the report in, HTML out.

What has changed comes first, by rule, since that is what somebody who changed a rule wants to read: each new hit and
each lost one with its words and its call. What is the same is folded away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from processors.inspect.backtest_report import clock, rule_rows, scheme_rows

SHOWN: Final = 200
"""Hits of one rule on the page; the JSON has all that were kept."""
CALLS_SHOWN: Final = 200
"""Calls of one list on the page."""

_STYLE: Final = """
body{font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;margin:2rem auto;
max-width:72rem;padding:0 1rem;color:#1d2433;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:0;display:inline}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dfe3ea;vertical-align:top}
th{font-weight:600;background:#f4f6f9;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td.n{white-space:nowrap}
td.q{min-width:12rem;overflow-wrap:anywhere}td.c{overflow-wrap:anywhere;min-width:9rem}
.gain{color:#a32015}.loss{color:#17643a}.dim,small{color:#667085}small{display:block}
.big{display:flex;gap:.8rem 2rem;flex-wrap:wrap;margin:1rem 0}.big b{display:block;font-size:1.6rem;line-height:1.3}
summary{cursor:pointer;margin:.8rem 0}.warn{color:#a32015;font-weight:600}
@media (max-width:40rem){body{margin:1rem auto}.big b{font-size:1.3rem}
th{white-space:normal}th,td{padding:.3rem .35rem}td.q{min-width:7rem}td.c{min-width:7rem}}
@media (prefers-color-scheme:dark){body{color:#e6e9ef;background:#14171d}th{background:#1e232c}
th,td{border-color:#2c333f}.gain,.warn{color:#ff9a8f}.loss{color:#7fd6a4}.dim,small{color:#9aa4b5}}
"""
_VERDICTS: Final = {"confirmed": "成立 confirmed", "overturned": "推翻 overturned"}
_RULES: Final = (
    "规则 rule", "旧 old", "新 new", "新命中 newly hit", "不再命中 no longer", "规则分 points", "准确率 precision",
)  # fmt: skip
_SCORES: Final = ("质检方案 scheme", "通话 calls", "平均得分 mean score", "一票否决 failed calls")
_HITS: Final = ("", "原话 quote", "时间 time", "通话 call", "规则分 points", "复核 review")


def page(made: Mapping[str, Any]) -> str:
    """The report as one HTML page; no script and nothing from elsewhere."""
    return (
        "<!doctype html><html lang=zh><head><meta charset=utf-8><title>规则回测 Backtest</title>"
        f"<meta name=viewport content='width=device-width'><style>{_STYLE}</style></head><body>"
        f"<h1>规则回测 Backtest</h1>{_head(made)}{_rules(made)}{_schemes(made)}{_changes(made)}</body></html>\n"
    )


def _head(made: Mapping[str, Any]) -> str:
    violations = [sum(one["violations"][which] for one in made["rules"]) for which in ("old", "new")]
    figures = [
        (made["calls"], "通话 calls"),
        (made["changed_calls"], "有变化 changed"),
        (made["calls_newly_hit"], "原无命中、现有 newly hit"),
        (made["calls_no_longer_hit"], "原有命中、现无 no longer hit"),
        (_moved(*violations), "违规 violations"),
        (_moved(made["points"]["old"], made["points"]["new"]), "规则分合计 points of all rules"),
        (made["calls_scored_otherwise"], "得分不同 scored otherwise"),
    ]
    big = "".join(f"<div><b>{_e(str(value))}</b>{_e(name)}</div>" for value, name in figures)
    return (
        f"<p class=dim>旧版本 old {_e(made['old_version'])} ({_e(made['against'])}) → 新版本 new "
        f"{_e(made['new_version'])}; 范围 since: {_e(made['since'] or '全部 everything kept')}</p>"
        f"<div class=big>{big}</div>{_notes(made)}"
    )


def _notes(made: Mapping[str, Any]) -> str:
    """What limits the comparison; what is zero is no limit."""
    counted = (
        (made["unfinished_calls"], "通未结束，按已有部分判定 calls without an end, judged as far as they are there"),
        (made["calls_without_beginning"], "通缺开头，未判定 calls without a beginning, not judged"),
        (made["calls_stored_again"], "通重复存储，只算一次 calls stored again, counted once"),
        (made["unreadable_records"], "条记录无法读取 unreadable records"),
        (made["verdicts"], "条复核结论 reviews"),
    )
    notes = [f"<span>{count} {_e(text)}</span>" for count, text in counted if count]
    live = made["live"]
    if live["calls"]:
        kind = "" if live["equal"] == live["calls"] else " class=warn"
        text = "通与实时判定一致 calls judged live by the old version have the same verdicts"
        notes.insert(0, f"<span{kind}>{live['equal']} / {live['calls']} {text}</span>")
    folded = _folded("通与实时判定不同 calls differ from the live verdicts", live["differ"])
    return f"<p class=dim>{'<br>'.join(notes)}</p>{folded}"


def _rules(made: Mapping[str, Any]) -> str:
    changed, names = rule_rows(made, changed_only=True), {row[0] for row in rule_rows(made, changed_only=True)}
    same = [row for row in rule_rows(made) if row[0] not in names]
    shown = _table(_RULES, map(_rule_cells, changed), numbers=range(1, 7)) if changed else "<p>没有变化 no change</p>"
    if same:
        table = _table(_RULES, map(_rule_cells, same), numbers=range(1, 7))
        shown += f"<details><summary>{len(same)} 条规则没有变化 rules without a change</summary>{table}</details>"
    return f"<h2>规则 Rules</h2>{shown}"


def _schemes(made: Mapping[str, Any]) -> str:
    rows = scheme_rows(made)
    cells = [
        [_e(row[0]) or "<span class=dim>无方案，规则分之和 none, sum of points</span>", *map(_e, row[1:])]
        for row in rows
    ]
    return f"<h2>得分 Scores</h2>{_table(_SCORES, cells, numbers=range(1, 4))}" if rows else ""


def _rule_cells(row: Sequence[str]) -> list[str]:
    return [_named(row[0], row[1]), *map(_e, row[2:])]


def _named(rule_id: str, name: str) -> str:
    return f"{_e(name)}<small>{_e(rule_id)}</small>" if name and name != rule_id else _e(rule_id)


def _changes(made: Mapping[str, Any]) -> str:
    by_rule: dict[str, list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]] = {}
    for call in made["changes"]:
        for sign, key in (("+", "gained"), ("−", "lost")):
            for found in call[key]:
                by_rule.setdefault(found["rule_id"], []).append((sign, found, call))
    parts = [_hits(rule_id, hits) for rule_id, hits in sorted(by_rule.items(), key=lambda item: -len(item[1]))]
    only_points = [
        f"{call['call_id']} ({_moved_points(call)})"
        for call in made["changes"] if not call["gained"] and not call["lost"]
    ]  # fmt: skip
    parts.append(_folded("通只有分数变化 calls in which only points change", only_points))
    more = made["changed_calls"] - len(made["changes"])
    if more > 0:
        parts.append(f"<p class=dim>另有 and {more} 通没有逐一列出 more changed calls that are not told one by one</p>")
    return f"<h2>命中的变化 Changed hits</h2>{''.join(parts) or '<p>没有变化 no change</p>'}"


def _hits(rule_id: str, hits: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> str:
    gained = sum(sign == "+" for sign, _, _ in hits)
    rows = [
        [
            f"<b class={'gain' if sign == '+' else 'loss'}>{sign}</b>", _e(found["quote"]), clock(found["start_ms"]),
            f"{_e(call['call_id'])}<small>{_e(_about(call))}</small>", f"{found['points']:g}",
            _e(_VERDICTS.get(found["verdict"], "")),
        ]
        for sign, found, call in hits[:SHOWN]
    ]  # fmt: skip
    more = f"<p class=dim>另有 and {len(hits) - SHOWN} more</p>" if len(hits) > SHOWN else ""
    name = hits[0][1]["rule_name"]
    head = f"{_e(name)} <span class=dim>{_e(rule_id)}</span>" if name and name != rule_id else _e(rule_id)
    counts = " ".join(
        f"<span class={kind}>{sign}{count}</span>"
        for sign, count, kind in (("+", gained, "gain"), ("−", len(hits) - gained, "loss")) if count
    )  # fmt: skip
    table = _table(_HITS, rows, numbers=(2, 4), kinds={1: "q", 3: "c"})
    return f"<details open><summary><h3>{head} {counts}</h3></summary>{table}{more}</details>"


def _about(call: Mapping[str, Any]) -> str:
    at = datetime.fromtimestamp(call["at_ms"] / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return " · ".join(filter(None, (at, call["scenario"], call["agent_id"])))


def _folded(text: str, names: Sequence[str]) -> str:
    """A list of calls that is opened by a click."""
    if not names:
        return ""
    listed = "<br>".join(map(_e, names[:CALLS_SHOWN]))
    more = f"<br>… {len(names) - CALLS_SHOWN} more" if len(names) > CALLS_SHOWN else ""
    return f"<details><summary>{len(names)} {_e(text)}</summary><p class=dim>{listed}{more}</p></details>"


def _table(
    heading: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Iterable[int],
    kinds: Mapping[int, str] | None = None,
) -> str:
    """A table of cells that are HTML already; columns of numbers stand at the right."""
    classes = {**(kinds or {}), **dict.fromkeys(numbers, "n")}
    cells = [f" class={classes[column]}" if column in classes else "" for column in range(len(heading))]
    head = "".join(f"<th{kind}>{_e(name)}</th>" for name, kind in zip(heading, cells, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, cells, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><tr>{head}</tr>{body}</table></div>"


def _moved_points(call: Mapping[str, Any]) -> str:
    """Points and score, whichever of them moved."""
    points, score = (call["points_old"], call["points_new"]), (call["score_old"], call["score_new"])
    told = [_moved(*points)] if points[0] != points[1] else []
    return "; ".join([*told, f"得分 score {_moved(*score)}"] if score != points else told)


def _moved(old: float, new: float) -> str:
    return f"{old:g}" if old == new else f"{old:g} → {new:g}"


def _e(text: str) -> str:
    return escape(text, quote=True)
