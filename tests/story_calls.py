"""Whole calls as scripts: reads tests/stories and gives their timelines. What a story may say is in test_stories."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from processors.inspect.examples import timeline
from processors.inspect.operators.base import TimelineRecord
from processors.records import Partial, Utterance
from tests.inspect.rules import example

FOLDER = Path(__file__).parent / "stories"
CALL = ("scenario", "queue", "team", "direction", "attributes")
Story = dict[str, Any]


def stories() -> list[Story]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        found += list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    return found


STORIES = stories()


def records(story: Story, call_id: str = "example") -> list[TimelineRecord]:
    """The timeline of the story's call, partials included."""
    made = timeline(example(story["says"], **{key: story[key] for key in CALL if key in story}), call_id)
    for line in story.get("partials", ()):
        partial = heard(line, made)
        place = next(i for i, record in enumerate(made) if i and known_ms(record) >= partial.end_ms)
        made.insert(place, partial)
    return made


def heard(line: str, made: list[TimelineRecord]) -> Partial:
    role, start, until, text = re.fullmatch(r"(\w+) ([\d.]+)-([\d.]+) (.+)", line).groups()  # type: ignore[union-attr]
    whole = next(
        one for one in made
        if isinstance(one, Utterance) and one.role == role and one.start_ms == round(float(start) * 1000)
    )  # fmt: skip
    end_ms = round(float(until) * 1000)
    assert whole.start_ms < end_ms < whole.end_ms, f"{line}: heard when the utterance is open"
    return Partial(
        call_id=whole.call_id,
        channel=whole.channel,
        role=whole.role,
        utterance_no=whole.utterance_no,
        start_ms=whole.start_ms,
        end_ms=end_ms,
        text=text,
        at_ms=whole.at_ms - whole.end_ms + end_ms,
    )


def known_ms(record: TimelineRecord) -> int:
    """Call time at which a record of an example's timeline is written."""
    return record.end_ms if isinstance(record, Utterance | Partial) else record.call_ms  # type: ignore[union-attr]
