"""What the rule reference shows can be written: each example of it is read by the language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import processors.inspect
from processors.inspect.language import parse
from processors.inspect.operators import OPERATORS

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
    problems = parse({"a.yaml": f"id: r\nscope: {{role: agent}}\nwhen:\n  {line}\n"}).errors
    assert not problems


@pytest.mark.parametrize("text", DOCUMENTS)
def test_each_flow_and_scheme_is_read(text: str) -> None:
    named = "\n---\n".join(f"{{id: {name}, when: {{said: [甲]}}}}" for name in NAMED)
    assert not parse({"a.yaml": text, "b.yaml": named}).errors


@pytest.mark.parametrize("text", ALERTS)
def test_each_alert_is_read(text: str) -> None:
    assert not parse({"a.yaml": f"{{id: r, when: {{said: [甲]}}, alert: {text}}}"}).errors


def test_operators_on_measurements_have_an_example() -> None:
    shown = {line.partition(":")[0] for line in CONDITIONS}
    measuring = (
        *("silence", "response_time", "overlap", "rate", "level", "emotion", "hold", "talk_ratio"),
        *("duration", "speaker", "attribute"),
    )
    assert set(measuring) <= shown
    assert DOCUMENTS and ALERTS
