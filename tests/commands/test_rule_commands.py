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


WHOLE = (
    RULES
    + """---
flow: f
steps: [{id: s, when: {said: [再见]}}]
examples: [{says: ['agent 1 再见', 'end 9'], done: [s]}, {says: ['agent 1 好', 'end 9'], missed: []}]
---
scheme: m
items: [{id: i, rules: [a]}]
examples: [{says: ['agent 1 您好'], points: 90}]
---
id: b
when: {all: [{said: [您好]}, {not: {said: [再见]}, within_s: 5}]}
examples: [{says: ['agent 1 您好', 'agent 3 再见'], hit: true}]
"""
)


def test_list_names_rules_flows_and_schemes(rules: Path) -> None:
    (rules / "a.yaml").write_text(WHOLE, encoding="utf-8")
    made = json.loads(tingjian("list", rules, "--json").stdout)
    names = [[one[key] for one in made[kind]] for kind, key in
             (("rules", "rule_id"), ("flows", "flow_id"), ("schemes", "scheme_id"))]  # fmt: skip
    assert names == [["a", "b"], ["f"], ["m"]]
    assert all(name in tingjian("list", rules).stdout for name in "abfm")


def test_failing_examples_say_what_was_found_and_a_named_rule_why(rules: Path) -> None:
    (rules / "a.yaml").write_text(WHOLE, encoding="utf-8")
    result = tingjian("test", rules)
    assert result.exit_code == 1
    places = [line.partition(": ")[2] for line in result.stdout.splitlines() if line.startswith(str(rules))]
    assert places == [
        "b, example 1: not found, but should be",
        "f, example 2: missed s, should miss nothing",
        "m, example 1: scores 100, should be 90: no item was hit",
    ]
    assert f"tingjian rules test {rules} --rule b" in result.stdout
    why = tingjian("test", rules, "--rule", "b").stdout
    assert "it is there, so it is not missing" in why and "0:03.0 to 0:03.5 agent 再见" in why
    assert tingjian("test", rules, "--rule", "a").exit_code == 0


@pytest.mark.parametrize("name", ["f/s", "nothing"])
def test_only_what_stands_in_the_files_can_be_tested(rules: Path, name: str) -> None:
    (rules / "a.yaml").write_text(WHOLE, encoding="utf-8")
    with pytest.raises(UserError, match="no rule, flow or scheme"):
        tingjian("test", rules, "--rule", name)


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
