"""The records of a recording."""

from __future__ import annotations

from collections.abc import Iterator

from processors.ingest.manifest import Entry
from processors.ingest.media import paced_records, started
from processors.records import AudioChunk, CallEnded, CallStarted
from processors.runtime.errors import BadRecord

START = started(
    Entry(call_id="c", path="c.wav", agent_id="A1", attributes={"vip": "1"}),
    1_000,
    ("agent", "customer"),
    "recordings",
    "dir-1",
)


def test_metadata_become_the_start_of_the_call() -> None:
    expected = CallStarted(
        call_id="c",
        at_ms=1_000,
        lane="recordings",
        channels=("agent", "customer"),
        agent_id="A1",
        attributes={"vip": "1"},
        door="recordings",
        ruleset="dir-1",
        language="zh-CN",
    )
    assert expected == START
    assert started(Entry(call_id="c", path="p", ruleset="own"), 0, ("mixed",), "live", "dir-1").ruleset == "own"


def test_channels_alternate_and_the_end_comes_last_at_any_block_size() -> None:
    audio = [bytes(range(256)) * 10, bytes(range(255, -1, -1)) * 10]

    def blocks(size: int) -> Iterator[list[bytes]]:
        for begin in range(0, 2560, size):
            yield [channel[begin : begin + size] for channel in audio]

    whole = list(paced_records(START, "pcmu", 8000, blocks(2560), "note"))
    assert whole == list(paced_records(START, "pcmu", 8000, blocks(7), "note"))
    records = [record for _, group in whole for record in group]
    chunks = [record for record in records if isinstance(record, AudioChunk)]
    assert [(chunk.start_ms, chunk.channel) for chunk in chunks] == [
        (start_ms, channel) for start_ms in (0, 100, 200, 300) for channel in (0, 1)
    ]
    assert [due_ms for due_ms, _ in whole] == [0, 100, 200, 300, 320]
    assert records[0] == START
    assert records[-1] == CallEnded(call_id="c", call_ms=320, at_ms=1_320, reason="end_of_file", detail="note")


def test_a_file_that_breaks_ends_its_call_with_the_reason() -> None:
    def blocks() -> Iterator[list[bytes]]:
        yield [bytes(800), bytes(800)]
        raise BadRecord("the disk is gone")

    records = [record for _, group in paced_records(START, "pcmu", 8000, blocks(), "") for record in group]
    assert [type(record) for record in records] == [CallStarted, AudioChunk, AudioChunk, CallEnded]
    ended = CallEnded(call_id="c", call_ms=100, at_ms=1_100, reason="bad_media", detail="the disk is gone")
    assert records[-1] == ended
