"""What the rule reference shows can be written and does what it says: conditions are read, examples are run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import processors.inspect
from processors.inspect.book import compile_book
from processors.inspect.conditions import LOGIC, MODIFIERS
from processors.inspect.language import RULE_KEYS, parse
from processors.inspect.operators import OPERATORS
from processors.inspect.scopes import SCOPE_KEYS
from processors.inspect.trial import Outcome, run_examples
from processors.runtime.sentences import sentence_encoder

REFERENCE = Path(processors.inspect.__file__).with_name("rule-reference.md").read_text("utf-8")
BLOCK = re.compile(r"(?:^    .*\n(?:\n(?=    ))?)+", re.MULTILINE)
BLOCKS = [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in BLOCK.findall(REFERENCE)]
CONDITIONS = [
    line
    for block in BLOCKS
    for line in block.splitlines()
    if (word := line.partition(":")[0]) in OPERATORS and line == line.lstrip() and not line.endswith(":") and word
]
DOCUMENTS = [block for block in BLOCKS if block.startswith(("flow:", "scheme:"))]
ALERTS = [block.partition("alert:")[2] for block in BLOCKS if block.startswith("alert:")]
NAMED = sorted(
    {name for block in DOCUMENTS for names in re.findall(r"(?:rules|only_after): \[([^\]]*)\]", block)
     for name in names.split(", ")}
)  # fmt: skip


@pytest.mark.parametrize("line", CONDITIONS)
def test_each_condition_on_one_line_is_read(line: str) -> None:
    named = "".join(
        f"---\nid: {name}\nwhen: {{said: [甲]}}\n" for name in re.findall(r"(?:hit|missed): ([\w-]+)", line)
    )
    problems = parse({"a.yaml": f"id: r\nscope: {{role: agent}}\nwhen:\n  {line}\n{named}"}).errors
    assert not problems


@pytest.mark.parametrize("text", DOCUMENTS)
def test_each_flow_and_scheme_is_read(text: str) -> None:
    named = "\n---\n".join(f"{{id: {name}, when: {{said: [甲]}}}}" for name in NAMED)
    assert not parse({"a.yaml": text, "b.yaml": named}).errors


@pytest.mark.parametrize("text", ALERTS)
def test_each_alert_is_read(text: str) -> None:
    assert not parse({"a.yaml": f"{{id: r, when: {{said: [甲]}}, alert: {text}}}"}).errors


RULES = {f"{number}.yaml": block for number, block in enumerate(BLOCKS) if block.startswith("id:")}
FLOWS = {f"{number}.yaml": block for number, block in enumerate(BLOCKS) if block.startswith("flow:")}


def outcomes(files: dict[str, str]) -> list[Outcome]:
    parsed = parse(files)
    assert [str(problem) for problem in parsed.problems] == []
    return run_examples(compile_book(parsed, "reference", encoder=sentence_encoder()))


def test_each_rule_and_flow_keeps_what_its_examples_promise() -> None:
    found = [*outcomes(RULES), *outcomes(FLOWS)]
    assert [f"{one.rule_id} {one.number}: {one.message}" for one in found if not one.passed] == []
    assert len(found) >= 70


def test_each_operator_has_a_heading_a_condition_and_an_example_that_is_run() -> None:
    """Of hits and of none; logic words and modifiers stand in rules that are run as well."""
    shown = {line.partition(":")[0] for line in CONDITIONS}
    written = "\n".join(RULES.values())
    for word in OPERATORS:
        assert re.search(rf"^### `{word}`", REFERENCE, re.MULTILINE), word
        assert word in shown, word
        assert re.search(rf"\b{word}:\s", written), word
    assert [word for word in (*LOGIC, *MODIFIERS) if not re.search(rf"\b{word}:", written)] == []
    for block in RULES.values():
        for document in block.split("\n---\n"):
            assert "hit: false" in document and re.search(r"hit: (true|\[)", document), document


def test_each_key_of_a_rule_is_told_of() -> None:
    head = REFERENCE.partition("## How a condition is meant")[0]
    assert [key for key in (*RULE_KEYS, *SCOPE_KEYS) if f"`{key}" not in head] == []
    assert DOCUMENTS and ALERTS
