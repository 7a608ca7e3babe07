import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from processors.commands.tables import show_call, show_calls, show_violations
from processors.records import (
    AnyRecord,
    CallEnded,
    CallMetrics,
    CallStarted,
    Coverage,
    Evidence,
    Scorecard,
    Utterance,
    Violation,
)
from processors.runtime.errors import UserError
from processors.runtime.settings import load_settings
from processors.sink.migrate import load_migrations, migrate
from processors.sink.rows import COLUMNS, rows
from processors.sink.store import embedded_folder, open_embedded

AT_MS = 1_767_000_000_000
VIOLATION = Violation(
    violation_id="v", call_id="c1", rule_id="guaranteed-approval", rule_name="承诺下款", rule_version="1",
    ruleset_version="1", state="confirmed", severity="high", points=-15.0, fatal=False, role="agent", agent_id="A1",
    start_ms=3000, end_ms=4000, audio_at_ms=AT_MS + 4000, detected_at_ms=AT_MS + 4500,
    evidence=(Evidence(start_ms=3000, end_ms=4000, operator="said", quote="保证下款"),),
)  # fmt: skip
RECORDS: list[AnyRecord] = [
    CallStarted(call_id="c1", at_ms=AT_MS, lane="recordings", channels=("agent", "customer"), agent_id="A1"),
    CallStarted(call_id="c2", at_ms=AT_MS + 60_000, lane="live", channels=("agent", "customer")),
    Utterance(
        utterance_id="c1/0/0", call_id="c1", channel=0, role="agent", utterance_no=0, start_ms=3000, end_ms=4000,
        text="我们保证下款", confidence=0.9, at_ms=AT_MS + 4000,
    ),
    VIOLATION,
    replace(VIOLATION, violation_id="w", rule_id="threat", rule_name="威胁", state="retracted"),
    CallEnded(call_id="c1", call_ms=9000, at_ms=AT_MS + 9000),
    Scorecard(
        call_id="c1", state="final", points=85.0, fatal=False, ruleset_version="1", metrics=CallMetrics(),
        coverage=Coverage(), call_ms=9000, at_ms=AT_MS + 9000,
    ),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home whose stack is down, with two calls in it."""
    home: Path = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINGJIAN_HOME", str(home))
        patch.setenv("COLUMNS", "200")
        store = open_embedded(embedded_folder(load_settings()))
        migrate(store, load_migrations())
        for position, record in enumerate(RECORDS):
            for table, row in rows(record, position):
                store.insert(table, COLUMNS[table], [[value] for value in row], f"{position}-{table}")
        store.close()
        yield


def test_calls_are_listed_with_score_violations_and_state(capsys: pytest.CaptureFixture[str]) -> None:
    show_calls(since="", limit=50, as_json=True)
    newest, oldest = map(json.loads, capsys.readouterr().out.splitlines())

    assert (newest["call_id"], newest["ended"], newest["points"]) == ("c2", False, None)
    assert (oldest["call_id"], oldest["ended"], oldest["points"]) == ("c1", True, 85.0)
    assert int(oldest["confirmed"]) == 1


def test_the_table_of_calls_says_which_are_running(capsys: pytest.CaptureFixture[str]) -> None:
    show_calls(since="", limit=50, as_json=False)
    text = capsys.readouterr().out

    assert "running" in text and "hangup" in text and "0:09.0" in text


def test_one_call_shows_transcript_and_confirmed_violations(capsys: pytest.CaptureFixture[str]) -> None:
    show_call("c1", as_json=False)
    text = capsys.readouterr().out

    assert "我们保证下款" in text and "承诺下款" in text
    assert "威胁" not in text


def test_an_unknown_call_is_a_clear_error() -> None:
    with pytest.raises(UserError, match="no call 'nope'"):
        show_call("nope", as_json=False)


def test_violations_are_filtered_by_state_rule_call_and_agent(capsys: pytest.CaptureFixture[str]) -> None:
    def ids(**given: str) -> list[str]:
        asked = {"since": "", "rule": "", "call": "", "agent": "", "state": "confirmed", **given}
        show_violations(limit=50, as_json=True, **asked)
        return [json.loads(line)["violation_id"] for line in capsys.readouterr().out.splitlines()]

    assert ids() == ["v"]
    assert ids(state="all") == ["v", "w"]
    assert ids(state="retracted", rule="threat") == ["w"]
    assert ids(rule="threat") == []
    assert ids(call="c2") == []
    assert ids(agent="A1") == ["v"] and ids(agent="A2") == []


def test_violations_older_than_since_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    show_violations(since="1m", rule="", call="", agent="", state="all", limit=50, as_json=False)

    assert "no violations within 1m" in capsys.readouterr().out


def test_a_wrong_duration_is_bad_usage() -> None:
    with pytest.raises(UserError, match="--since yesterday") as caught:
        show_calls(since="yesterday", limit=50, as_json=False)

    assert caught.value.exit_code == 2
