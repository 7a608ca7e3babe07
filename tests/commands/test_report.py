from typing import Any

import pytest

from processors.commands.report import CallRows, call_report, report

CARD = {
    "state": "final", "points": 85.0, "fatal": False, "scheme": "", "ruleset": "default", "ruleset_version": "abc",
    "duration_ms": 9000, "talk_ms": {"agent": 3000}, "talk_ratio_agent": 1.0, "silence_ms": 6000,
    "longest_silence_ms": 4000, "overlap_ms": 0, "overlaps": 0, "hold_ms": 0, "chars_per_min": {"agent": 200.0},
    "utterances": 2, "audio_ms": 18000, "transcribed_ms": 18000, "evaluated_ms": 18000, "skipped": [], "version": 12,
}  # fmt: skip


def utterance(start_ms: int, text: str, channel: int = 0, version: int = 5) -> dict[str, Any]:
    return {
        "channel": channel, "role": "agent", "start_ms": start_ms, "end_ms": start_ms + 900, "text": text,
        "version": version, "confidence": 0.9,
    }  # fmt: skip


def violation(violation_id: str, state: str = "confirmed", version: int = 5) -> dict[str, Any]:
    return {
        "violation_id": violation_id, "rule_id": "r", "rule_name": "规则", "rule_version": "1",
        "ruleset_version": "abc", "severity": "high", "state": state, "start_ms": 0, "end_ms": 500, "points": -15.0,
        "fatal": False, "role": "agent", "explanation": "", "evidence": [{"quote": "保证下款"}], "version": version,
        "agent_id": "A1",
    }  # fmt: skip


def rows(since: dict[str, int] | None = None, **tables: list[dict[str, Any]]) -> CallRows:
    return CallRows("c", "c.wav", {"scorecards": [CARD], **tables}, since or {})


def test_a_call_has_the_parts_of_the_contract() -> None:
    made = call_report(rows(utterances=[utterance(0, "您好")], violations=[violation("v")]))

    assert made["call_id"] == "c" and made["duration_ms"] == 9000
    assert made["transcript"] == [{"channel": 0, "role": "agent", "start_ms": 0, "end_ms": 900, "text": "您好"}]
    assert made["violations"][0]["violation_id"] == "v"
    assert made["violations"][0]["evidence"] == [{"quote": "保证下款"}]
    assert made["scorecard"]["points"] == 85.0 and made["scorecard"]["metrics"]["silence_ms"] == 6000
    assert made["coverage"] == {"audio_ms": 18000, "transcribed_ms": 18000, "evaluated_ms": 18000, "skipped": []}


def test_the_transcript_is_in_the_order_of_speech_over_both_channels() -> None:
    made = call_report(rows(utterances=[utterance(4000, "三"), utterance(0, "一"), utterance(2000, "二", channel=1)]))

    assert [line["text"] for line in made["transcript"]] == ["一", "二", "三"]


def test_a_retracted_violation_is_no_violation() -> None:
    made = call_report(rows(violations=[violation("a", "retracted"), violation("b")]))

    assert [found["violation_id"] for found in made["violations"]] == ["b"]


def test_rows_of_an_earlier_inspection_of_the_same_call_are_left_out() -> None:
    made = call_report(rows(
        {"violations": 10, "utterances": 7}, violations=[violation("old", version=9), violation("new", version=10)],
        utterances=[utterance(0, "旧", version=6), utterance(0, "新", version=7)],
    ))  # fmt: skip

    assert [found["violation_id"] for found in made["violations"]] == ["new"]
    assert [line["text"] for line in made["transcript"]] == ["新"]


def test_items_of_an_earlier_scorecard_are_left_out() -> None:
    item = {
        "item_id": "i", "name": "", "dimension": "", "points": -5.0, "hits": 1, "fatal": False, "applicable": True,
        "violation_ids": ["v"],
    }  # fmt: skip
    made = call_report(rows(score_items=[{**item, "version": 11}, {**item, "item_id": "j", "version": 12}]))

    assert [found["item_id"] for found in made["scorecard"]["items"]] == ["j"]


def test_a_call_without_a_scorecard_was_not_inspected() -> None:
    with pytest.raises(KeyError):
        call_report(CallRows("c", "c.wav", {}))


def test_skipped_files_are_listed_with_their_reason() -> None:
    assert report([], [("a.wav", "the file is empty")]) == {
        "calls": [],
        "skipped": [{"path": "a.wav", "reason": "the file is empty"}],
    }
