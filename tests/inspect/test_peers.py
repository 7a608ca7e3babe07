"""What users of other products write can be written here: every row of the table finds its call, and not the other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import processors.inspect
from processors.commands.docs import renewed
from processors.inspect.book import RuleBook, compile_book
from processors.inspect.examples import Example, read_examples, timeline
from processors.inspect.language import parse
from processors.inspect.peers import peer_rows, peer_table
from processors.inspect.reader import Reader
from processors.inspect.schema import language_schema
from processors.inspect.trial import replay, run_examples, standing
from processors.inspect.yaml_nodes import documents
from processors.records import Alert, Scorecard, Violation
from processors.runtime.sentences import sentence_encoder

ROWS = peer_rows()
WRITTEN = [row for row in ROWS if "why" not in row]
PEERS = ("Amazon", "Alibaba", "Genesys", "Google", "Verint")
REFERENCE = Path(processors.inspect.__file__).with_name("rule-reference.md")


def name(row: dict[str, Any]) -> str:
    return f"{row['peer']} {row['operator']}"


def book(text: str) -> RuleBook:
    parsed = parse({"peer.yaml": text})
    assert not parsed.errors, "\n".join(map(str, parsed.errors))
    return compile_book(parsed, "peers", encoder=sentence_encoder())


def call(says: list[str], beside: dict[str, Any]) -> Example:
    reader = Reader("call")
    (node,) = documents(reader, yaml.safe_dump([{"says": says, "hit": True, **beside}], allow_unicode=True))
    (made,) = read_examples(node, reader)
    assert not reader.problems, reader.problems
    return made


def outputs(judge: RuleBook, row: dict[str, Any], which: str) -> list[Any]:
    """Everything that comes out of one of the two calls of a row."""
    example = call(row[which], row.get(f"{which}_call", {}))
    return replay(judge, timeline(example, encoder=judge.encoder))


@pytest.mark.parametrize("row", [row for row in WRITTEN if "document" not in row], ids=name)
def test_finds_its_call_and_not_the_other(row: dict[str, Any]) -> None:
    extra = "".join(f"{line}\n" for line in (row.get("beside"), row.get("alert") and f"alert: {row['alert']}") if line)
    scheme = f"---\n{row['scheme']}\n" if "scheme" in row else ""
    judge = book(f"id: r\nwhen: {row['when']}\n{extra}{scheme}")
    found = outputs(judge, row, "hit")
    other = outputs(judge, row, "no_hit") if row["no_hit"] else []
    if "alert" in row:
        wanted = row.get("alerts", {"hit": 1, "no_hit": 0})
        assert {"hit": _alerts(found), "no_hit": _alerts(other)} == wanted
    elif "scheme" in row:
        assert {"hit": _points(found), "no_hit": _points(other)} == row["points"]
    else:
        assert [one.state for one in standing(found)], "not found"
        assert standing(other) == [], "found where it should not be"
        assert all(one.state == "confirmed" and one.evidence for one in standing(found))


@pytest.mark.parametrize("row", [row for row in WRITTEN if "document" in row], ids=name)
def test_documents_keep_what_their_examples_promise(row: dict[str, Any]) -> None:
    outcomes = run_examples(book(row["document"]))
    assert [(one.number, one.message) for one in outcomes if one.message] == []
    assert len(outcomes) >= 2


def test_what_is_shown_of_a_document_is_written_in_it() -> None:
    for row in WRITTEN:
        if "document" in row:
            shown = yaml.safe_load(row["shown"])
            assert any(_within(shown, part) for part in yaml.safe_load_all(row["document"])), row["shown"]


def _within(shown: Any, written: Any) -> bool:
    """Whether `shown`, less the keys that it leaves out, stands somewhere in `written`."""
    if isinstance(written, dict):
        here = isinstance(shown, dict) and all(k in written and _within(v, written[k]) for k, v in shown.items())
        return here or any(_within(shown, part) for part in written.values())
    if isinstance(written, list):
        same = isinstance(shown, list) and len(shown) == len(written)
        here = same and all(_within(one, part) for one, part in zip(shown, written, strict=True))
        return here or any(_within(shown, part) for part in written)
    return bool(shown == written)


def test_editors_accept_every_row() -> None:
    """The JSON Schema of the language; YAML 1.1 takes the key `on` for true, the language does not."""
    schema = Draft202012Validator(language_schema())
    for row in WRITTEN:
        if "when" in row:
            when = yaml.safe_load(row["when"].replace("on: final", "'on': final"))
            assert not list(schema.iter_errors({"id": "r", "when": when})), name(row)
    assert list(schema.iter_errors({"id": "r", "when": {"sayd": ["x"]}}))


def test_each_peer_and_each_operator_is_there() -> None:
    """At least so many rows of each product; every operator of ours is of use to somebody."""
    counted = Counter(row["peer"] for row in ROWS)
    assert set(counted) == set(PEERS)
    assert all(counted[peer] >= least for peer, least in zip(PEERS, (40, 50, 12, 8, 12), strict=True)), counted
    assert len({name(row) for row in ROWS}) == len(ROWS), "a row stands twice"
    assert all(row.get("why") or row.get("when") or row.get("document") for row in ROWS)


def test_the_table_of_the_reference_is_fresh() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert "<!-- peers: generated -->" in text
    assert text == renewed(text, {"peers": peer_table()}), "run `make docs`"


def _alerts(out: list[Any]) -> int:
    return sum(isinstance(one, Alert) and one.cause == "violation" and one.state == "raised" for one in out)


def _points(out: list[Any]) -> float:
    assert all(one.state != "provisional" for one in out if isinstance(one, Violation))
    return float([one for one in out if isinstance(one, Scorecard)][-1].points)
