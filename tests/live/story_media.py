"""The stories as calls that go on at the same time: their timelines in the order of call time."""

from __future__ import annotations

import heapq
from dataclasses import replace

from processors.inspect.operators.base import TimelineRecord
from processors.records import CallStarted
from tests.story_calls import STORIES, known_ms, records


def calls(prefix: str, ruleset: str = "") -> dict[str, list[TimelineRecord]]:
    """Timelines by call id; `ruleset` is named by their starts."""
    made = {}
    for number, story in enumerate(STORIES):
        call_id = f"{prefix}-{number}"
        made[call_id] = [
            replace(record, ruleset=ruleset) if isinstance(record, CallStarted) else record
            for record in records(story, call_id)
        ]
    return made


def at_once(timelines: dict[str, list[TimelineRecord]]) -> list[TimelineRecord]:
    """All of them as if the calls had begun together."""

    def timed(number: int, timeline: list[TimelineRecord]) -> list[tuple[int, int, int, TimelineRecord]]:
        return [
            (0 if isinstance(record, CallStarted) else known_ms(record), number, place, record)
            for place, record in enumerate(timeline)
        ]

    merged = heapq.merge(*(timed(number, each) for number, each in enumerate(timelines.values())))
    return [record for *_, record in merged]
