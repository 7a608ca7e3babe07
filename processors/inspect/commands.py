"""`tingjian rules ...`: check, test, list, explain, backtest, import and publish rule sets.

Names and options only; heavy modules are imported when a command runs, so that `tingjian --help` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from processors.inspect.book import RuleBook
    from processors.inspect.language import ParsedRules

app = typer.Typer(no_args_is_help=True, help="Rules as code: check, test, explain, backtest and publish rule sets.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of YAML files, or one file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


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

    parsed = _parsed(folder)
    if parsed.errors:
        _print_problems(parsed)
        raise typer.Exit(1)
    return compile_book(parsed, name)


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
    rule: Annotated[str, typer.Option(help="Only the examples of this rule.")] = "",
    as_json: AsJson = False,
) -> None:
    """Run the examples of all rules through the engine. Exit 1 when one does not do what it promises."""
    from processors.inspect.rule_files import shown
    from processors.inspect.trial import run_examples

    book = _compiled(folder)
    outcomes = [outcome for outcome in run_examples(book) if rule in ("", outcome.rule_id)]
    if rule and book.rule(rule) is None:
        from processors.inspect.reader import nearest

        print(f"no rule '{rule}' in {folder}; {nearest(rule, book.by_id)}", file=sys.stderr)
        raise typer.Exit(2)
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
        without = [one.rule.rule_id for one in book.rules if not one.hidden and not one.rule.examples]
        for rule_id in without if not rule else []:
            print(f"warning: the rule '{rule_id}' has no examples")
        print(f"{len(outcomes) - len(failed)} of {_count(len(outcomes), 'example')} passed; version {book.version}")
    if failed:
        raise typer.Exit(1)


@app.command("list")
def list_rules(folder: Folder, as_json: AsJson = False) -> None:
    """List rules, flows and schemes of a rule set."""
    book = _compiled(folder)
    rows: list[dict[str, Any]] = [
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
    ]
    if as_json:
        print(json.dumps({"version": book.version, "rules": rows}, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{folder} (version {book.version})")
    for column in ("rule", "name", "severity", "points", "scope", "examples"):
        table.add_column(column, justify="right" if column in ("points", "examples") else "left")
    for row in rows:
        points = "fatal" if row["fatal"] else f"{row['points']:g}"
        scope = " ".join([*row["scenario"], row["role"]])
        table.add_row(row["rule_id"], row["name"], row["severity"], points, scope, str(row["examples"]))
    Console().print(table)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the rule language, for editors."""
    from processors.inspect.schema import language_schema

    print(json.dumps(language_schema(), ensure_ascii=False, indent=2))
