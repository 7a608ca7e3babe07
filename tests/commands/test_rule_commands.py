"""`tingjian rules import` and what `backtest`, `publish` and `explain` refuse before they start anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from processors.inspect.commands import app
from processors.runtime.errors import UserError

RULES = "id: a\nwhen: {said: [您好]}\nexamples:\n  - {says: ['agent 1 您好'], hit: true}\n"
EXPORT = {
    "conditions": [
        {"cid": "1", "check_range": {"role": "客服"}, "lambda": "1",
         "operators": [{"oid": "1", "type": "HIT_ANY_KEYWORDS", "param": {"keywords": ["您好"]}}]},
        {"cid": "2", "check_range": {}, "lambda": "1",
         "operators": [{"oid": "1", "type": "LLM", "param": {"dimensions": [{"name": "态度"}]}}]},
    ],
    "rules": [{"rid": "7", "name": "问候", "lambda": "1"}, {"rid": "8", "name": "态度", "lambda": "2"}],
}  # fmt: skip


def tingjian(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "export.json"
    file.write_text(json.dumps(EXPORT, ensure_ascii=False), encoding="utf-8")
    return file


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(RULES, encoding="utf-8")
    return tmp_path / "rules"


def test_import_writes_rules_that_pass_the_check_and_lists_the_others(export: Path, tmp_path: Path) -> None:
    result = tingjian("import", export, "--out", tmp_path / "made")
    assert [file.name for file in (tmp_path / "made").iterdir()] == ["sca-7.yaml"]
    assert "$.conditions[1].operators[0].param: NOT IMPORTED sca-8" in result.stderr
    assert "1 rule imported, 1 not" in result.stderr
    assert tingjian("check", tmp_path / "made").exit_code == 0


def test_import_prints_rules_or_json_when_no_folder_is_named(export: Path) -> None:
    assert tingjian("import", export).stdout.startswith("id: sca-7")
    made = json.loads(tingjian("import", export, "--json").stdout)
    assert (made["rules"], made["not_imported"], list(made["files"])) == (1, 1, ["sca-7.yaml"])
    assert made["notes"][0]["refused"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--since", "1 week"], "--since 1 week: write it like"),
        (["--json", "/nowhere/report.json"], "name a file in a folder that exists"),
        (["--html", "."], "name a file in a folder that exists"),
        (["--against", "/nowhere"], "no rule set at /nowhere"),
        (["--verdicts", "/nowhere.csv"], "can not read /nowhere.csv"),
    ],
)
def test_backtest_refuses_wrong_options_before_it_starts_anything(
    rules: Path, options: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        tingjian("backtest", rules, *options)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("command", [["publish"], ["backtest"], ["explain", "call", "a", "--rules"]])
def test_mistakes_in_rules_are_shown_before_anything_starts(rules: Path, command: list[str]) -> None:
    (rules / "a.yaml").write_text("id: a\nwhen: {sayd: [您好]}\n", encoding="utf-8")
    result = tingjian(*command, rules)
    assert result.exit_code == 1
    assert "a.yaml:2:8: no operator or modifier 'sayd'" in result.stdout


def test_nobody_publishes_as_the_program_itself(rules: Path) -> None:
    with pytest.raises(UserError, match="use a name of your own"):
        tingjian("publish", rules, "--author", "tingjian")
