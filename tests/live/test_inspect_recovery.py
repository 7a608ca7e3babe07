"""kill -9 of `inspect` in the middle of calls: what it has found in the end is what the engine finds undisturbed."""

from __future__ import annotations

from pathlib import Path

from processors.inspect.book import compile_book
from processors.inspect.language import parse
from processors.inspect.publish import publish_ruleset
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.trial import replay, standing
from processors.runtime.events import headers
from processors.runtime.kafka import make_producer
from processors.runtime.settings import Settings
from processors.runtime.wire import encode
from tests.live.processes import Written, processor
from tests.live.story_media import at_once, calls
from tests.live.undisturbed import TOPICS, assert_undisturbed, final

NAME = "recovery"
KILLS = (0.3, 0.7)
"""Shares of all records that are written when the process is killed."""


def test_killed_in_the_middle_of_calls_inspect_finds_what_it_finds_undisturbed(kafka: Settings, tmp_path: Path) -> None:
    files = read_rule_files(shipped_folder())
    publish_ruleset(kafka, files, NAME, strict=False)
    book = compile_book(parse(files), NAME)
    timelines = calls("inspect-recovery", NAME)
    expected = {call_id: replay(book, timeline) for call_id, timeline in timelines.items()}
    records = at_once(timelines)

    producer, written, log = make_producer(kafka, linger_ms=1), Written(kafka, *TOPICS), tmp_path / "inspect.log"
    begun = 0
    for share in (*KILLS, 1.0):
        with processor(kafka, "inspect", log) as process:
            known = sum(map(len, written.records.values()))
            until = int(share * len(records))
            for record in records[begun:until]:
                producer.produce("calls.timeline", encode(record), record.call_id, headers=headers("", record))
            assert producer.flush(60) == 0
            begun = until
            if share < 1.0:  # it works on what was just written when it is killed
                written.wait(lambda known=known: sum(map(len, written.records.values())) > known, process, log)  # type: ignore[misc]
            else:
                written.wait(lambda: all(final(written, call_id) for call_id in timelines), process, log)
                written.read(1.0)
    written.close()

    assert_undisturbed(written, expected)
    assert sum(len(standing(outputs)) for outputs in expected.values()) > 50
    assert "was skipped" not in log.read_text(), "it begins where it stopped, without a second try"
