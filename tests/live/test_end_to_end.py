"""Recordings through everything: ingest, Kafka, NeMo, Faust, ClickHouse; and the same verdicts at any speed."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from processors.commands.inspect import SLOTS, inspect
from processors.inspect.book import compile_book
from processors.inspect.language import parse
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.trial import replay, standing
from processors.records import AnyRecord, CallStarted, Violation
from processors.runtime.history import messages
from processors.runtime.offsets import beginnings, ends
from processors.runtime.settings import Settings, load_settings
from processors.runtime.supervisor import Stack
from processors.runtime.wire import decode

DEMO = Path(__file__).parents[2] / "processors" / "ingest" / "demo"
CALLS = ("demo-2-abusive-agent", "demo-3-guaranteed-approval")
RATE_HZ = 8_000
PATIENCE_S = 400.0
Report = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A whole stack with its own home, as `tingjian inspect` starts it; the commands below join it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TINGJIAN_HOME", str(home))
        environment.setenv("COLUMNS", "200")
        settings = load_settings()
        with Stack(settings, SLOTS):
            yield settings


def demo(name: str, begin_s: float = 0.0, end_s: float | None = None) -> np.ndarray:
    samples, rate_hz = soundfile.read(DEMO / f"{name}.wav", dtype="int16", always_2d=True)
    assert rate_hz == RATE_HZ
    return np.asarray(samples[int(begin_s * rate_hz) : None if end_s is None else int(end_s * rate_hz)])


def abuse() -> np.ndarray:
    """Fifteen seconds in which an agent insults and threatens."""
    return demo("demo-2-abusive-agent", 26.0, 41.0)


def lying(path: Path) -> None:
    """The header claims ten times the audio that is there."""
    soundfile.write(path, abuse()[: 6 * RATE_HZ], RATE_HZ, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 10 * struct.unpack_from("<I", content, at)[0])
    path.write_bytes(content)


def truncated(path: Path) -> None:
    """The copy was interrupted in the middle of a sample."""
    soundfile.write(path, abuse(), RATE_HZ, subtype="PCM_16")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 - 1])


def at_44100_hz(path: Path) -> None:
    wide = np.repeat(abuse()[: 6 * RATE_HZ], 6, axis=0)[: 6 * 44_100]  # 48 kHz, played a little slowly
    soundfile.write(path, wide, 44_100, subtype="PCM_16")


ODD: dict[str, Callable[[Path], object]] = {
    "whole.wav": lambda path: soundfile.write(path, abuse(), RATE_HZ, subtype="PCM_16"),
    "lying.wav": lying,
    "truncated.wav": truncated,
    "mono.wav": lambda path: soundfile.write(path, abuse()[:, 0], RATE_HZ, subtype="PCM_16"),
    "at-44100-hz.wav": at_44100_hz,
    "empty.wav": lambda path: path.write_bytes(b""),
    "text.wav": lambda path: path.write_text("会议纪要：下周一开会\n" * 20, encoding="utf-8"),
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    for name, make in ODD.items():
        make(folder / name)
    return folder


@pytest.fixture(scope="module")
def inspected(stack: Settings, odd: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The folder through the command, as somebody scripts against it."""
    out = tmp_path_factory.mktemp("out") / "report.json"
    command = [sys.executable, "-m", "processors.cli", "inspect", str(odd), "--json", str(out)]
    done = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 3, f"some could not be inspected\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert "5 calls inspected, 2 not" in done.stdout
    report: Report = json.loads(out.read_text(encoding="utf-8"))
    return report


def of_call(report: Report, call_id: str) -> Report:
    (found,) = [call for call in report["calls"] if call["call_id"] == call_id]
    return dict(found)


def test_odd_recordings_are_inspected_or_listed_with_a_reason(inspected: Report) -> None:
    assert {call["path"] for call in inspected["calls"]} == {
        "whole.wav", "lying.wav", "truncated.wav", "mono.wav", "at-44100-hz.wav"
    }  # fmt: skip
    reasons = {one["path"]: one["reason"] for one in inspected["skipped"]}
    assert set(reasons) == {"empty.wav", "text.wav"}
    assert "empty" in reasons["empty.wav"]
    assert "text" in reasons["text.wav"]


def test_what_is_wrong_with_a_file_costs_no_audio_that_is_there(inspected: Report) -> None:
    lengths = {call["call_id"]: call["duration_ms"] for call in inspected["calls"]}
    assert lengths["whole"] == lengths["mono"] == 15_000
    assert lengths["lying"] == lengths["at-44100-hz"] == 6_000
    assert lengths["truncated"] == pytest.approx(7_500, abs=10)
    for call in inspected["calls"]:
        coverage, channels = call["coverage"], 1 if call["call_id"] == "mono" else 2
        assert coverage["audio_ms"] == coverage["transcribed_ms"] == coverage["evaluated_ms"]
        assert coverage["audio_ms"] == pytest.approx(channels * call["duration_ms"], abs=20)


def test_the_others_are_not_affected(inspected: Report) -> None:
    """The first seconds of the broken copies say what the whole one says."""
    whole = of_call(inspected, "whole")
    assert {line["role"] for line in whole["transcript"]} == {"agent", "customer"}
    for name in ("lying", "truncated"):
        call = of_call(inspected, name)
        until = call["duration_ms"] - 1_000
        mine, others = ([line for line in one["transcript"] if line["end_ms"] < until] for one in (call, whole))
        assert mine and mine == others
    assert {line["role"] for line in of_call(inspected, "mono")["transcript"]} == {"mixed"}


def test_the_report_has_the_promised_shape(inspected: Report) -> None:
    assert set(inspected) == {"calls", "skipped"}
    for call in inspected["calls"]:
        assert {
            "call_id", "duration_ms", "transcript", "violations", "emotions", "scorecard", "coverage"
        } <= set(call)  # fmt: skip
        assert all({"channel", "role", "start_ms", "end_ms", "text"} <= set(line) for line in call["transcript"])
        for found in call["violations"]:
            assert {
                "violation_id", "rule_id", "severity", "state", "start_ms", "end_ms", "points", "evidence"
            } <= set(found)  # fmt: skip
        assert call["scorecard"]["state"] == "final"
        card = call["scorecard"]
        assert card["scheme"] == "service"  # a folder of recordings says nothing of their scenario
        assert card["points"] == (0 if card["fatal"] else max(0, 100 + sum(item["points"] for item in card["items"])))


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the demo calls with the lines of their manifest."""
    folder = tmp_path_factory.mktemp("demos")
    heading, *lines = (DEMO / "manifest.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.startswith(CALLS)]
    (folder / "manifest.csv").write_text("\n".join([heading, *kept]) + "\n", encoding="utf-8")
    for name in CALLS:
        shutil.copy(DEMO / f"{name}.wav", folder)
    return folder / "manifest.csv"


def verdicts(report: Report) -> dict[str, tuple[Any, ...]]:
    """What was found, by id."""
    return {
        found["violation_id"]: (call["call_id"], found["rule_id"], found["start_ms"], found["end_ms"], found["state"])
        for call in report["calls"]
        for found in call["violations"]
    }


def run(path: Path, out: Path, speed: str = "max") -> Report:
    assert inspect(path, rules=None, speed=speed, out=out) == 0  # type: ignore[arg-type]
    report: Report = json.loads(out.read_text(encoding="utf-8"))
    return report


def written(settings: Settings, topic: str) -> dict[str, list[AnyRecord]]:
    """Everything on a topic, by call, in order."""
    calls: dict[str, list[AnyRecord]] = {}
    for message in messages(settings, beginnings(settings, [topic]), ends(settings, [topic])):
        record = decode(message.value())
        calls.setdefault(record.call_id, []).append(record)
    return calls


def latest(timeline: list[AnyRecord]) -> list[AnyRecord]:
    """From the last start of the call on."""
    starts = [place for place, record in enumerate(timeline) if isinstance(record, CallStarted)]
    return timeline[starts[-1] :]


def test_two_runs_and_a_replay_of_the_timeline_give_the_same_verdicts(
    stack: Settings, demos: Path, tmp_path: Path
) -> None:
    first, second = (run(demos, tmp_path / f"{turn}.json") for turn in (1, 2))
    assert verdicts(first) == verdicts(second)
    assert {call_id for call_id, *_ in verdicts(first).values()} == set(CALLS)
    assert {state for *_, state in verdicts(first).values()} == {"confirmed"}
    lines = [[line for call in report["calls"] for line in call["transcript"]] for report in (first, second)]
    assert [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]] == []

    book = compile_book(parse(read_rule_files(shipped_folder())), "default")
    timelines, published = written(stack, "calls.timeline"), written(stack, "violations")
    for call_id in CALLS:
        again = standing(replay(book, latest(timelines[call_id])))  # type: ignore[arg-type]
        last = {one.violation_id: one for one in published[call_id] if isinstance(one, Violation)}
        assert {one.violation_id: one for one in again} == {
            name: replace(one, detected_at_ms=0) for name, one in last.items() if one.state == "confirmed"
        }
        assert {one.violation_id for one in again} == {
            name for name, found in verdicts(second).items() if found[0] == call_id
        }


def test_real_time_gives_the_verdicts_of_full_speed(
    stack: Settings, inspected: Report, odd: Path, tmp_path: Path
) -> None:
    fast = of_call(inspected, "whole")
    report = run(odd / "whole.wav", tmp_path / "real.json", "real")
    (slow,) = report["calls"]
    assert verdicts(report) == verdicts({"calls": [fast]})
    for part in ("transcript", "emotions", "scorecard", "coverage"):
        assert slow[part] == fast[part], part
