"""`tingjian rules ...`: check, test, list, explain, backtest, import and publish rule sets.

Names and options only; heavy modules are imported when a command runs, so that `tingjian --help` answers at once.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from processors.runtime.errors import UserError

if TYPE_CHECKING:
    from processors.inspect.book import RuleBook
    from processors.inspect.language import ParsedRules
    from processors.inspect.trial import Outcome
    from processors.runtime.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Rules as code: check, test, explain, backtest and publish rule sets.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of YAML files, or one file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Name = Annotated[str, typer.Option(help="Name of the rule set.")]
PUBLISHED: Final = "published"
UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SHOWN: Final = 40
"""Changes in the terminal; the files have all."""


def _parsed(folder: Path) -> ParsedRules:
    """Read a rule set; problems carry the file as the user calls it."""
    from dataclasses import replace

    from processors.inspect.language import parse
    from processors.inspect.rule_files import read_rule_files, shown

    parsed = parse(read_rule_files(folder))
    parsed.problems = [replace(problem, file=shown(folder, problem.file)) for problem in parsed.problems]
    return parsed


def _compiled(folder: Path, name: str = "default") -> RuleBook:
    """Read and compile, or print what is wrong and exit 1."""
    from processors.inspect.book import compile_book
    from processors.inspect.publish import encoder_of
    from processors.runtime.settings import load_settings

    parsed = _parsed(folder)
    if parsed.errors:
        _print_problems(parsed)
        raise typer.Exit(1)
    return compile_book(parsed, name, encoder=encoder_of(load_settings()))


def _print_problems(parsed: ParsedRules) -> None:
    for problem in parsed.problems:
        print(problem, file=sys.stdout)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@app.command()
def check(folder: Folder, as_json: AsJson = False) -> None:
    """Say what is wrong, as FILE:LINE:COLUMN: cause; hint. Exit 1 when anything is."""
    parsed = _parsed(folder)
    if as_json:
        rows = [
            {"file": p.file, "line": p.line, "column": p.column, "message": p.message, "hint": p.hint,
             "warning": p.warning}
            for p in parsed.problems
        ]  # fmt: skip
        print(json.dumps({"version": parsed.version, "problems": rows}, ensure_ascii=False))
    else:
        _print_problems(parsed)
        warnings = len(parsed.problems) - len(parsed.errors)
        kinds = [_count(len(parsed.rules), "rule")]
        kinds += [_count(len(parsed.flows), "flow")] if parsed.flows else []
        kinds += [_count(len(parsed.schemes), "scheme")] if parsed.schemes else []
        verdict = _count(len(parsed.errors), "error") if parsed.errors else "no errors"
        print(f"{', '.join(kinds)}: {verdict}, {_count(warnings, 'warning')}; version {parsed.version}")
    if parsed.errors:
        raise typer.Exit(1)


@app.command()
def test(
    folder: Folder,
    rule: Annotated[str, typer.Option(help="Only the examples of this rule, flow or scheme.")] = "",
    as_json: AsJson = False,
) -> None:
    """Run all examples through the engine. Exit 1 when one does not do what it promises."""
    from processors.inspect.rule_files import shown
    from processors.inspect.trial import run_examples

    book = _compiled(folder)
    names = [one.rule.rule_id for one in book.rules if not one.hidden]
    names += [flow.flow_id for flow in book.flows] + [scheme.scheme_id for scheme in book.schemes]
    if rule and rule not in names:
        from processors.inspect.reader import nearest

        hint = nearest(rule, names)
        raise UserError(f"no rule, flow or scheme '{rule}' in {folder}{f'; {hint}' if hint else ''}", 2)
    outcomes = [outcome for outcome in run_examples(book) if rule in ("", outcome.rule_id)]
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if as_json:
        rows = [{"rule_id": o.rule_id, "example": o.number, "passed": o.passed, "message": o.message} for o in outcomes]
        print(json.dumps({"version": book.version, "examples": rows}, ensure_ascii=False))
    else:
        for outcome in failed:
            file, line, column = outcome.example.at
            print(
                f"{shown(folder, file)}:{line}:{column}: {outcome.rule_id}, example {outcome.number}: {outcome.message}"
            )
            if rule:
                print(*_why(book, outcome), sep="\n")
        without = [one.rule.rule_id for one in book.rules if not one.hidden and not one.rule.examples]
        for rule_id in without if not rule else []:
            print(f"warning: the rule '{rule_id}' has no examples")
        explained = next((one.rule_id for one in failed if book.rule(one.rule_id) is not None), "")
        if explained and not rule:
            print(f"condition by condition: tingjian rules test {folder} --rule {explained}")
        print(f"{len(outcomes) - len(failed)} of {_count(len(outcomes), 'example')} passed; version {book.version}")
    if failed:
        raise typer.Exit(1)


def _why(book: RuleBook, outcome: Outcome) -> list[str]:
    """Condition by condition, why a rule did not do what its example promises; of a flow or a scheme nothing more."""
    from processors.inspect.examples import timeline
    from processors.inspect.explain import explain, lines

    if book.rule(outcome.rule_id) is None:
        return []
    records = timeline(outcome.example, f"example-{outcome.number}", book.encoder)
    return [f"  {line}" for line in lines(explain(book, records, outcome.rule_id))]


@app.command("list")
def list_rules(folder: Folder, as_json: AsJson = False) -> None:
    """List rules, flows and schemes of a rule set."""
    book = _compiled(folder)
    listed = {
        "rules": [
            {
                "rule_id": one.rule.rule_id,
                "name": one.rule.name,
                "severity": one.rule.severity,
                "points": one.rule.points,
                "fatal": one.rule.fatal,
                "scenario": list(one.rule.scope.scenario),
                "role": one.rule.scope.role,
                "version": one.rule.version,
                "examples": len(one.rule.examples),
                "file": one.rule.place.file,
                "line": one.rule.place.line,
            }
            for one in sorted(book.rules, key=lambda one: one.rule.place)
            if not one.hidden
        ],
        "flows": [
            {
                "flow_id": flow.flow_id,
                "name": flow.name,
                "scenario": list(flow.scope.scenario),
                "steps": [step.step_id for step in flow.steps],
                "version": flow.version,
                "examples": len(flow.examples),
                "file": flow.place.file,
                "line": flow.place.line,
            }
            for flow in book.flows
        ],
        "schemes": [
            {
                "scheme_id": scheme.scheme_id,
                "name": scheme.name,
                "scenario": list(scheme.scope.scenario),
                "items": [item.item_id for dimension in scheme.dimensions for item in dimension.items],
                "examples": len(scheme.examples),
                "file": scheme.place.file,
                "line": scheme.place.line,
            }
            for scheme in book.schemes
        ],
    }
    if as_json:
        print(json.dumps({"version": book.version, **listed}, ensure_ascii=False))
        return
    _print_listed(f"{folder} (version {book.version})", listed)


def _print_listed(title: str, listed: Mapping[str, list[dict[str, Any]]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table("rule", "name", "severity", title=escape(title))
    for column in ("points", "scope", "examples"):
        table.add_column(column, justify="left" if column == "scope" else "right")
    for row in listed["rules"]:
        points = "fatal" if row["fatal"] else f"{row['points']:g}"
        scope = " ".join([*row["scenario"], row["role"]])
        table.add_row(*map(escape, (row["rule_id"], row["name"], row["severity"], points, scope, str(row["examples"]))))
    console.print(table)
    for kind, parts in (("flow", "steps"), ("scheme", "items")):
        rows = listed[f"{kind}s"]
        table = Table(kind, "name", parts, "scope")
        table.add_column("examples", justify="right")
        for row in rows:
            cells = (row[f"{kind}_id"], row["name"], ", ".join(row[parts]), " ".join(row["scenario"]))
            table.add_row(*map(escape, cells), str(row["examples"]))
        if rows:
            console.print(table)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the rule language, for editors."""
    from processors.inspect.schema import language_schema

    print(json.dumps(language_schema(), ensure_ascii=False, indent=2))


@app.command()
def publish(
    folder: Folder,
    name: Name = "default",
    author: Annotated[str, typer.Option(help="Who publishes, for the record.")] = "",
    comment: Annotated[str, typer.Option(help="What has changed, for the record.")] = "",
) -> None:
    """Judge all new calls by these rules from now on. Refused when an example fails or a rule has none."""
    from processors.inspect.publish import SHIPPED_BY, publish_ruleset
    from processors.inspect.rule_files import read_rule_files

    if author == SHIPPED_BY:
        raise UserError(f"--author {SHIPPED_BY} is the rule book that comes along; use a name of your own", 2)
    _compiled(folder, name)
    files = read_rule_files(folder)
    with _stack() as settings:
        version = publish_ruleset(settings, files, name, author, comment)
    print(f"published: rule set {name}, version {version}")


@app.command()
def explain(
    call: Annotated[str, typer.Argument(metavar="CALL", help="Id of a call; see `tingjian calls`.")],
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Id of a rule.")],
    rules: Annotated[Path | None, typer.Option(help="Folder of rules; without it those that judged the call.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say condition by condition why a rule did or did not hit in a call whose timeline is still kept."""
    from dataclasses import asdict

    from processors.inspect.book import compile_book
    from processors.inspect.explain import explain as explained
    from processors.inspect.explain import lines
    from processors.inspect.language import parse
    from processors.inspect.publish import encoder_of
    from processors.inspect.replays import published_files, stored_call

    own = None if rules is None else _compiled(rules)
    with _stack() as settings:
        records, name, version = stored_call(settings, call)
        book = own or compile_book(parse(published_files(settings, name, version)), name, version, encoder_of(settings))
    told = explained(book, records, rule)
    if as_json:
        plain = asdict(told)
        plain["violations"] = [one.to_avro() for one in told.violations]
        print(json.dumps(plain, ensure_ascii=False))
    else:
        print("\n".join(lines(told)))


@app.command()
def backtest(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Folder of the new rules.")],
    since: Annotated[str, typer.Option(help="Only calls written within this time: 12h, 7d. Empty: all kept.")] = "",
    against: Annotated[str, typer.Option(help="A folder of rules, or what is published now.")] = "published",
    name: Name = "default",
    verdicts: Annotated[
        Path | None, typer.Option(help="Reviews, a CSV with violation_id and verdict (confirmed, overturned).")
    ] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the report to this file; - is stdout.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report to this file, as a web page.")] = None,
    processes: Annotated[int, typer.Option(min=0, help="Processes that replay; 0: one a core.")] = 0,
) -> None:
    """Replay past calls through new rules and the old ones, and show what would change."""
    from processors.inspect.backtest_page import page
    from processors.inspect.backtest_report import report
    from processors.inspect.language import ruleset_version
    from processors.inspect.replays import Question, published_files
    from processors.inspect.replays import backtest as replay
    from processors.inspect.reviews import read_reviews
    from processors.inspect.rule_files import read_rule_files
    from processors.runtime.slots import cores

    since_ms = _since_ms(since)
    for out in (json_out, html):
        if out is not None and out != Path("-") and (out.is_dir() or not out.parent.is_dir()):
            raise UserError(f"{out}: name a file in a folder that exists", 2)
    _compiled(new, name)
    files = read_rule_files(new)
    if against != PUBLISHED:
        _compiled(Path(against), name)
    reviews = {} if verdicts is None else read_reviews(_text_of(verdicts), str(verdicts))
    with _stack() as settings, _progress() as progress:
        old = published_files(settings, name) if against == PUBLISHED else read_rule_files(Path(against))
        question = Question(old, files, name, since_ms, reviews)
        tally = replay(settings, question, processes or cores(), progress)
    made = report(tally, ruleset_version(old), ruleset_version(files), since, against)
    text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
    if html is not None:
        html.write_text(page(made), encoding="utf-8")
    if json_out == Path("-"):
        sys.stdout.write(text)
        return
    if json_out is not None:
        json_out.write_text(text, encoding="utf-8")
    _print_backtest(made)


@app.command("import")
def import_rules(
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="Rules as Alibaba's 智能对话分析 exports them.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the rules; without it they go to stdout.")] = None,
    as_json: AsJson = False,
) -> None:
    """Translate rules of Alibaba's 智能对话分析 (SCA); list what can not be translated, with the reason."""
    from processors.inspect.alibaba.rules import import_rules as translate

    imported = translate(_text_of(file), str(file))
    notes = [str(note) for note in imported.notes]
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in imported.files.items():
            (out / name).write_text(text, encoding="utf-8")
    elif not as_json:
        print("\n---\n".join(imported.files.values()))
    if as_json:
        plain = {"files": dict(imported.files), "rules": imported.rules, "not_imported": imported.refused,
                 "notes": [note.plain() for note in imported.notes]}  # fmt: skip
        print(json.dumps(plain, ensure_ascii=False))
        return
    for note in notes:
        print(note, file=sys.stderr)
    print(
        f"{_count(imported.rules, 'rule')} imported, {imported.refused} not, {_count(len(notes), 'note')}"
        + (f"; write examples, then `tingjian rules test {out}`" if out is not None and imported.rules else ""),
        file=sys.stderr,
    )


@contextmanager
def _stack() -> Iterator[Settings]:
    """The broker of the settings, that of the running stack, or the embedded one for as long as this takes."""
    from processors.runtime.logs import configure_logs
    from processors.runtime.settings import load_settings
    from processors.runtime.supervisor import Stack

    settings = load_settings()
    configure_logs(settings.model_copy(update={"log_level": "warning"}))
    if not settings.embedded_kafka:
        yield settings
        return
    with Stack(settings, (), lambda text: print(text, file=sys.stderr)):
        yield settings


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("records replayed", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def _since_ms(text: str) -> int:
    """UTC milliseconds of `30m`, `12h`, `7d` ago; 0 for an empty text."""
    if not text:
        return 0
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if match is None:
        raise UserError(f"--since {text}: write it like 90s, 30m, 24h or 7d", 2)
    return max(1, time.time_ns() // 1_000_000 - int(match[1]) * UNIT_MS[match[2]])


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"can not read {file}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}", 2) from error


def _print_backtest(made: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from processors.inspect.backtest_report import findings, rule_rows, scheme_rows

    console = Console(highlight=False)
    rules = Table("rule", "name", title=f"{made['old_version']} ({made['against']}) → {made['new_version']}")
    for column in ("old", "new", "newly hit", "no longer", "points", "precision"):
        rules.add_column(column, justify="right")
    rows = rule_rows(made, changed_only=True)
    for row in rows:
        rules.add_row(*map(escape, row))
    if rows:
        console.print(rules)
    if made["calls_scored_otherwise"]:
        scores = Table("scheme", title=f"{_count(made['calls_scored_otherwise'], 'call')} scored otherwise")
        for column in ("calls", "mean score", "failed calls"):
            scores.add_column(column, justify="right")
        for row in scheme_rows(made):
            scores.add_row(escape(row[0]) or "(none: sum of points)", *map(escape, row[1:]))
        console.print(scores)
    changes = findings(made)
    table = Table("", "call", "time", "rule", "quote")
    for change in changes[:SHOWN]:
        table.add_row(*map(escape, change), style="red" if change[0] == "+" else "green")
    if changes:
        console.print(table)
    if len(changes) > SHOWN:
        console.print(f"and {len(changes) - SHOWN} more changes, see --json or --html")
    live, points = made["live"], made["points"]
    console.print(
        f"{_count(made['calls'], 'call')}: {made['changed_calls']} changed, {made['calls_newly_hit']} newly hit, "
        f"{made['calls_no_longer_hit']} no longer hit, points {points['old']:g} → {points['new']:g}"
    )
    if live["calls"]:
        console.print(f"verdicts of the old rules equal the live ones in {live['equal']} of {live['calls']} calls")
    for key, what in (("unfinished_calls", "without an end, judged as far as they are there"),
                      ("calls_without_beginning", "without a beginning, not judged")):  # fmt: skip
        if made[key]:
            console.print(f"{_count(made[key], 'call')} {what}")
