"""What `inspect` wrote while it was disturbed, against what the engine finds alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from processors.inspect.engine import Output
from processors.inspect.trial import standing
from processors.records import AnyRecord, Scorecard, Violation
from processors.runtime.events import identity
from tests.live.processes import Written

TOPICS = ("violations", "emotions", "scorecards", "alerts")


def once(records: Sequence[AnyRecord]) -> dict[str, AnyRecord]:
    """By identity. AssertionError when two with one identity differ in more than the time of publication.

    Several running cards may have the same call time: the final one counts.
    """
    found: dict[str, AnyRecord] = {}
    for record in records:
        if isinstance(record, Scorecard) and record.state == "running":
            continue
        if isinstance(record, Violation):
            record = replace(record, detected_at_ms=0)
        assert found.setdefault(identity(record), record) == record
    return found


def final(written: Written, call_id: str) -> bool:
    return any(isinstance(one, Scorecard) and one.state == "final" for one in written.records.get(call_id, ()))


def assert_undisturbed(written: Written, expected: Mapping[str, Sequence[Output]]) -> None:
    """Each call has what the engine puts out, once, and its last words are the engine's."""
    for call_id, outputs in expected.items():
        assert once(written.records[call_id]) == once(outputs), call_id
        ends = {one.violation_id: one.state for one in written.records[call_id] if isinstance(one, Violation)}
        assert {name for name, state in ends.items() if state == "confirmed"} == {
            one.violation_id for one in standing(outputs)
        }, "the last word on the topic is the last word of the engine"
