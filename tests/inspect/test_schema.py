"""The JSON Schema for editors and the language itself accept and refuse the same documents."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from processors.inspect.language import parse
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.schema import language_schema

SCHEMA = Draft202012Validator(language_schema())
RULE: dict[str, Any] = {"id": "r", "when": {"said": ["甲"]}, "examples": [{"says": ["agent 1 甲"], "hit": True}]}
FLOW: dict[str, Any] = {"flow": "f", "steps": [{"id": "a", "when": {"said": ["甲"]}}]}
SCHEME: dict[str, Any] = {"scheme": "s", "items": [{"id": "i", "rules": ["r"]}]}
EXAMPLE = {"says": ["agent 1 甲"]}


def accepted(document: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the schema and the language accept a document, beside the rule that schemes count."""
    files = {"a.yaml": yaml.safe_dump(document, allow_unicode=True)}
    if "id" not in document:
        files["r.yaml"] = yaml.safe_dump(RULE, allow_unicode=True)
    return not list(SCHEMA.iter_errors(document)), not parse(files).errors


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(language_schema())


def test_every_document_of_the_shipped_rule_book_is_accepted() -> None:
    documents = [one for text in read_rule_files(shipped_folder()).values() for one in yaml.safe_load_all(text)]
    assert len(documents) >= 43
    for document in documents:
        assert [error.message for error in SCHEMA.iter_errors(document)] == [], document


@pytest.mark.parametrize(
    "document",
    [
        {**RULE, "alert": {"min_hits": 2, "every_s": 60, "max": 3, "quiet": "22:00-08:00", "to": ["supervisor"]}},
        {**RULE, "alert": {"to": {"*": ["supervisor"], "team-1": ["boss"]}}},
        {**FLOW, "ordered": False, "examples": [{**EXAMPLE, "done": ["a"], "missed": []}]},
        {**FLOW, "steps": [{"id": "a", "branches": [{"when": {"said": ["甲"]}, "go": "end"}, {"go": "end"}]}]},
        {**SCHEME, "start": 80, "least": -5, "most": 90, "examples": [{**EXAMPLE, "points": 80, "fatal": False}]},
        {"scheme": "s", "normalise_to": 100, "dimensions": [
            {"id": "d", "least": -5, "items": [{"id": "i", "rules": ["r"], "full": 10, "points": -3, "times": 2}]}]},
    ],
)  # fmt: skip
def test_both_accept(document: dict[str, Any]) -> None:
    assert accepted(document) == (True, True)


@pytest.mark.parametrize(
    "document",
    [
        {**RULE, "alert": {"min_hit": 2}},
        {**RULE, "alert": {"max": 0}},
        {**RULE, "alert": {"to": {"team-1": ["boss"]}}},
        {**RULE, "examples": [EXAMPLE]},
        {**FLOW, "step": []},
        {**FLOW, "steps": []},
        {**FLOW, "steps": [{"id": "a"}]},
        {**FLOW, "steps": [{"id": "end", "when": {"said": ["甲"]}}]},
        {**FLOW, "steps": [{"id": "a", "when": {"sayd": ["甲"]}}]},
        {**FLOW, "examples": [{**EXAMPLE, "hit": True}]},
        {**SCHEME, "dimensions": [{"id": "d", "items": [{"id": "i", "rules": ["r"]}]}]},
        {"scheme": "s"},
        {**SCHEME, "items": [{"id": "i"}]},
        {**SCHEME, "items": [{"id": "i", "rules": []}]},
        {**SCHEME, "items": [{"id": "i", "rules": ["r"], "times": 0}]},
        {**SCHEME, "examples": [EXAMPLE]},
        {**SCHEME, "normalise_to": 0},
    ],
)
def test_both_refuse(document: dict[str, Any]) -> None:
    assert accepted(document) == (False, False)
