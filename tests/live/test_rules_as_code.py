"""Rules as code over a real Kafka: published, followed by a running inspect, replayed over what was kept, explained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from processors.inspect.commands import app
from processors.inspect.operators.base import TimelineRecord
from processors.inspect.rule_sets import RuleSets, Version
from processors.records import Scorecard, Violation
from processors.runtime.compacted import read_compacted
from processors.runtime.errors import UserError
from processors.runtime.events import headers
from processors.runtime.kafka import make_producer
from processors.runtime.offsets import ends
from processors.runtime.settings import Settings
from processors.runtime.wire import encode
from tests.inspect.timeline import ended, said, started, tick
from tests.live.processes import Written, processor
from tests.live.waiting import until

PROMISE = """id: promise
name: 承诺下款
points: -5
when:
  said: [保证下款]
examples:
  - {says: ["agent 1 保证下款"], hit: true}
"""
RUDE = """id: rude
name: 辱骂
points: -9
when:
  said: [笨蛋]
examples:
  - {says: ["agent 1 你这个笨蛋"], hit: true}
"""
CALLS = 10
UTTERANCE_MS = 4_000


@pytest.fixture(autouse=True)
def environment(kafka: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINGJIAN_KAFKA", kafka.kafka)
    monkeypatch.setenv("TINGJIAN_HOME", str(kafka.home))
    monkeypatch.setenv("TINGJIAN_SENTENCE_ENCODER", "")


def tingjian(*words: object) -> str:
    """What `tingjian rules WORDS` prints; raises what it raises."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def folder(path: Path, *rules: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "rules.yaml").write_text("---\n".join(rules), encoding="utf-8")
    return path


def version_in(printed: str) -> str:
    return printed.rstrip().rpartition(" ")[2]


def test_a_published_set_is_read_from_the_topic_and_replaced_by_a_newer_one(kafka: Settings, tmp_path: Path) -> None:
    sets = RuleSets()
    sets.start()
    one, two = folder(tmp_path / "one", PROMISE), folder(tmp_path / "two", PROMISE, RUDE)
    versions = [version_in(tingjian("publish", rules, "--name", "read", "--author", "李")) for rules in (one, two)]
    content = {key: value for key, value in read_compacted(kafka, "rulebook").items() if key.startswith("read")}
    assert set(content) == {"read", *(f"read@{version}" for version in versions)}
    for key, value in content.items():
        sets.received(key, value)
    assert sets.current("read") == Version("read", versions[1])
    for version, rules in zip(versions, (1, 2), strict=True):  # running calls still find the first one
        book = until(lambda version=version: sets.book(Version("read", version)), "it was compiled")  # type: ignore[misc]
        assert len(book.rules) == rules


def test_publishing_what_is_current_writes_nothing(kafka: Settings, tmp_path: Path) -> None:
    rules = folder(tmp_path / "rules", PROMISE)
    first = tingjian("publish", rules, "--name", "twice")
    before = ends(kafka, ["rulebook"])
    assert tingjian("publish", rules, "--name", "twice") == first
    assert ends(kafka, ["rulebook"]) == before


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (PROMISE.replace("hit: true", "hit: false"), "1 of 1 examples fail, of the rules promise"),
        (PROMISE.partition("examples:")[0], "promise have no examples"),
    ],
)
def test_a_set_that_is_not_proven_is_not_published(kafka: Settings, tmp_path: Path, rules: str, reason: str) -> None:
    before = ends(kafka, ["rulebook"])
    with pytest.raises(UserError, match=reason):
        tingjian("publish", folder(tmp_path / "rules", rules), "--name", "unproven")
    assert ends(kafka, ["rulebook"]) == before


class Speakers:
    """Calls that go on, written one utterance at a time."""

    def __init__(self, settings: Settings, ruleset: str) -> None:
        self._producer = make_producer(settings, linger_ms=1)
        self._ruleset = ruleset
        self.said: dict[str, list[str]] = {}

    def begin(self, call_id: str) -> None:
        self.said[call_id] = []
        self._write(replace(started(ruleset=self._ruleset), call_id=call_id))

    def say(self, call_id: str, text: str) -> None:
        no = len(self.said[call_id])
        end_ms = (no + 1) * UTTERANCE_MS
        spoken = said(0, end_ms - 2_000, end_ms - 500, text, no=no)
        self._write(replace(spoken, call_id=call_id, utterance_no=no, utterance_id=f"{call_id}/0/{no}"))
        self._write(replace(tick(end_ms), call_id=call_id))
        self.said[call_id].append(text)

    def end(self, call_id: str) -> None:
        self._write(replace(ended(len(self.said[call_id]) * UTTERANCE_MS + 1_000), call_id=call_id))

    def flush(self) -> None:
        assert self._producer.flush(60) == 0

    def _write(self, record: TimelineRecord) -> None:
        self._producer.produce("calls.timeline", encode(record), record.call_id, headers=headers("", record))


@dataclass(frozen=True)
class Judged:
    """What inspect has found while a new version was published in the middle of ten calls."""

    name: str
    first: str
    second: str
    old: Path
    new: Path
    said: Mapping[str, list[str]]
    violations: Mapping[str, list[Violation]]
    finals: Mapping[str, list[Scorecard]]

    def versions(self, call_id: str, rule_id: str) -> list[str]:
        """Version of the rule set behind each violation of a rule, in the order in which they were found."""
        return [one.ruleset_version for one in self.violations[call_id] if one.rule_id == rule_id]


@pytest.fixture(scope="module")
def runs(kafka: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Judged]:
    """By TINGJIAN_RULE_SWITCH."""
    return {switch: judge(switch, kafka, tmp_path_factory) for switch in ("keep", "utterance")}


@pytest.fixture(params=["keep", "utterance"])
def judged(request: pytest.FixtureRequest, runs: dict[str, Judged]) -> Judged:
    switch: str = request.param
    return runs[switch]


def judge(switch: str, kafka: Settings, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Ten calls are begun, a newer version is published, and they go on."""
    home, name = tmp_path_factory.mktemp(switch), f"switch-{switch}"
    old, new = folder(home / "old", PROMISE), folder(home / "new", PROMISE, RUDE)
    log, written, calls = home / "inspect.log", Written(kafka, "violations", "scorecards"), Speakers(kafka, name)
    names = [f"{switch}-{number}" for number in range(CALLS)]

    def found(call_id: str, kind: type[Any], **fields: object) -> list[Any]:
        of = [one for one in written.records.get(call_id, ()) if isinstance(one, kind)]
        return [one for one in of if all(getattr(one, key) == value for key, value in fields.items())]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINGJIAN_KAFKA", kafka.kafka)
        patch.setenv("TINGJIAN_HOME", str(kafka.home))
        first = version_in(tingjian("publish", old, "--name", name))
        with processor(kafka, "inspect", log, rule_switch=switch) as process:

            def wait(enough: Callable[[], bool]) -> None:
                calls.flush()
                written.wait(enough, process, log)

            for call_id in names:
                calls.begin(call_id)
                calls.say(call_id, "我们保证下款")
            wait(lambda: all(found(call_id, Violation) for call_id in names))
            second = version_in(tingjian("publish", new, "--name", name))
            for later in range(100):  # calls that begin now are judged by the new version as soon as inspect knows it
                call_id = f"{switch}-later-{later}"
                calls.begin(call_id)
                calls.say(call_id, "保证下款")
                wait(lambda call_id=call_id: bool(found(call_id, Violation)))  # type: ignore[misc]
                calls.end(call_id)
                if found(call_id, Violation, ruleset_version=second):
                    break
            for _ in range(3):
                for call_id in names:
                    calls.say(call_id, "你这个笨蛋")
                    calls.say(call_id, "保证下款")
                wait(lambda: all(len(found(one, Violation)) >= calls.said[one].count("保证下款") for one in names))
            for call_id in names:
                calls.end(call_id)
            wait(lambda: all(found(call_id, Scorecard, state="final") for call_id in calls.said))
            written.read(1.0)
    written.close()
    violations = {call_id: found(call_id, Violation) for call_id in calls.said}
    finals = {call_id: found(call_id, Scorecard, state="final") for call_id in calls.said}
    return Judged(name, first, second, old, new, calls.said, violations, finals)


def running(judged: Judged) -> Iterator[str]:
    return (call_id for call_id in judged.said if "later" not in call_id)


def test_no_call_is_lost_and_nothing_is_found_twice(judged: Judged) -> None:
    assert len(list(running(judged))) == CALLS
    for call_id, lines in judged.said.items():
        promised = [one for one in judged.violations[call_id] if one.rule_id == "promise"]
        assert len(promised) == len({one.violation_id for one in promised}) == sum("保证下款" in line for line in lines)
        assert len(judged.finals[call_id]) == 1


def test_each_call_is_judged_by_the_version_that_the_setting_promises(judged: Judged) -> None:
    assert judged.first != judged.second
    for call_id in running(judged):
        promised = judged.versions(call_id, "promise")
        if judged.name == "switch-keep":
            assert set(promised) == {judged.first} and not judged.versions(call_id, "rude")
            assert judged.finals[call_id][0].ruleset_version == judged.first
        else:  # the first after a publication is still spoken under the old one, then all are under the new one
            assert promised == sorted(promised, key=[judged.first, judged.second].index)
            assert promised[0] == judged.first and promised[-1] == judged.second
            assert set(judged.versions(call_id, "rude")) == {judged.second}
    last = [call_id for call_id in judged.said if "later" in call_id][-1]
    assert set(judged.versions(last, "promise")) == {judged.second}


def test_a_backtest_finds_what_was_found_live_and_what_would_change(runs: dict[str, Judged], tmp_path: Path) -> None:
    judged = runs["keep"]
    reviewed = [judged.violations[call_id][0].violation_id for call_id in running(judged)][:4]
    verdicts = tmp_path / "verdicts.csv"
    lines = [f"{one},{'overturned' if number == 0 else 'confirmed'}" for number, one in enumerate(reviewed)]
    verdicts.write_text("violation_id,verdict\n" + "\n".join(lines) + "\n", encoding="utf-8")
    out, html = tmp_path / "report.json", tmp_path / "report.html"
    printed = tingjian(
        "backtest", judged.new, "--against", judged.old, "--name", judged.name, "--since", "1h", "--processes", 2,
        "--verdicts", verdicts, "--json", out, "--html", html,
    )  # fmt: skip
    made = json.loads(out.read_text(encoding="utf-8"))
    judged_by_first = [one for one, cards in judged.finals.items() if cards[0].ruleset_version == judged.first]
    assert len(judged_by_first) >= CALLS
    assert made["live"] == {"calls": len(judged_by_first), "equal": len(judged_by_first), "differ": []}
    everybody = [call_id for run in runs.values() for call_id in running(run)]
    rude = next(one for one in made["rules"] if one["rule_id"] == "rude")
    assert rude["violations"] == {"old": 0, "new": 3 * len(everybody)} and rude["calls_newly_hit"] == len(everybody)
    promise = next(one for one in made["rules"] if one["rule_id"] == "promise")
    assert promise["precision"] == {"old": 0.75, "new": 0.75}
    changed = {one["call_id"]: [found["quote"] for found in one["gained"]] for one in made["changes"]}
    assert changed == {call_id: ["笨蛋"] * 3 for call_id in everybody}
    assert "verdicts of the old rules equal the live ones" in printed and "辱骂" in printed
    assert "笨蛋" in html.read_text(encoding="utf-8")


def test_a_backtest_against_what_is_published_reads_it_from_the_topic(runs: dict[str, Judged], tmp_path: Path) -> None:
    judged = runs["utterance"]
    out = tmp_path / "report.json"
    tingjian("backtest", judged.old, "--name", judged.name, "--json", out)
    made = json.loads(out.read_text(encoding="utf-8"))
    assert (made["old_version"], made["new_version"]) == (judged.second, judged.first)
    assert made["calls_newly_hit"] == 0
    with pytest.raises(UserError, match="no rule set 'nobody'"):
        tingjian("backtest", judged.old, "--name", "nobody")


def test_a_stored_call_is_explained_by_the_rules_that_judged_it(judged: Judged) -> None:
    call_id = next(running(judged))
    hit = tingjian("explain", call_id, "promise")
    assert "HIT" in hit and "保证下款" in hit
    told = json.loads(tingjian("explain", call_id, "rude", "--rules", judged.new, "--json"))
    assert told["hit"] and [place["quote"] for place in told["when"]["places"]] == ["笨蛋"] * 3
    if judged.name == "switch-keep":  # the version that judged this call does not know the rule
        with pytest.raises(UserError, match="no rule 'rude'"):
            tingjian("explain", call_id, "rude")
    with pytest.raises(UserError, match="nothing of the call 'nobody'"):
        tingjian("explain", "nobody", "promise")
