"""Members of `inspect` come, leave and die in the middle of calls, which changes nothing about what is found."""

from __future__ import annotations

from pathlib import Path

from processors.inspect.book import compile_book
from processors.inspect.language import parse
from processors.inspect.publish import publish_ruleset
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.trial import replay
from processors.runtime.events import headers
from processors.runtime.kafka import make_producer
from processors.runtime.settings import Settings
from processors.runtime.wire import encode
from tests.live.processes import Written, processor
from tests.live.story_media import at_once, calls
from tests.live.undisturbed import TOPICS, assert_undisturbed, final

NAME = "scaling"


def test_members_come_leave_and_die_in_the_middle_of_calls(kafka: Settings, tmp_path: Path) -> None:
    files = read_rule_files(shipped_folder())
    publish_ruleset(kafka, files, NAME, strict=False)
    book = compile_book(parse(files), NAME)
    timelines = calls("scaling", NAME)
    expected = {call_id: replay(book, timeline) for call_id, timeline in timelines.items()}
    records = at_once(timelines)
    quarters = [records[len(records) * n // 4 : len(records) * (n + 1) // 4] for n in range(4)]
    producer, written = make_producer(kafka, linger_ms=1), Written(kafka, *TOPICS)
    first, second, third = (tmp_path / f"{n}.log" for n in range(3))

    def write(quarter: int) -> None:
        for record in quarters[quarter]:
            producer.produce("calls.timeline", encode(record), record.call_id, headers=headers("", record))
        assert producer.flush(60) == 0

    def has_partitions(log: Path) -> bool:
        return '"assigned": [' in log.read_text()

    with processor(kafka, "inspect", first) as one:
        write(0)
        written.wait(lambda: bool(written.records), one, first)
        with processor(kafka, "inspect", second, instance_id="inspect-1") as other:
            written.wait(lambda: has_partitions(second), other, second)
            write(1)
            written.read(1.0)
            with processor(kafka, "inspect", third, instance_id="inspect-2") as last:
                written.wait(lambda: has_partitions(third), last, third)
                write(2)
                assert other.leave() == 0
                one.kill()
                write(3)
                written.wait(lambda: all(final(written, call_id) for call_id in timelines), last, third)
                written.read(1.0)
    written.close()

    assert_undisturbed(written, expected)
    for log in (first, second, third):
        assert "was skipped" not in log.read_text()
