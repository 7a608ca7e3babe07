"""The media records of a recording: its start, its chunks in order of call time, its end.

Pure apart from the blocks it is given: no clock, no files, no Kafka. The same recording gives the same records whatever
the speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from processors.ingest.chunks import ChannelGrid
from processors.ingest.manifest import Entry
from processors.records import (
    AgentJoined,
    AudioChunk,
    CallEnded,
    CallStarted,
    Encoding,
    HoldChanged,
    Lane,
    MediaGap,
    Role,
)
from processors.runtime.errors import BadRecord

MediaRecord = CallStarted | AudioChunk | MediaGap | HoldChanged | AgentJoined | CallEnded
DOOR = "recordings"
LANGUAGE = "zh-CN"


def roles_of(entry: Entry, channels: int, default: tuple[Role, ...]) -> tuple[tuple[Role, ...], str]:
    """Roles by channel, and a note for people when the manifest was not followed. BadRecord when it cannot be."""
    if not entry.channels:
        return (("mixed",), "") if channels == 1 else (default, "")
    if len(entry.channels) == channels:
        return entry.channels, ""
    if channels == 1:
        return ("mixed",), f"the manifest names {len(entry.channels)} channels, the file has 1: inspected as mixed"
    raise BadRecord(f"the manifest names {len(entry.channels)} channels, the file has {channels}")


def started(entry: Entry, at_ms: int, roles: tuple[Role, ...], lane: Lane, ruleset: str) -> CallStarted:
    """First record of a recording's call. A rule set named in the manifest wins over the given one."""
    return CallStarted(
        call_id=entry.call_id,
        at_ms=at_ms,
        lane=lane,
        direction=entry.direction,
        scenario=entry.scenario,
        queue=entry.queue,
        team_id=entry.team_id,
        agent_id=entry.agent_id,
        customer_id=entry.customer_id,
        language=entry.language or LANGUAGE,
        channels=roles,
        attributes=entry.attributes,
        door=DOOR,
        ruleset=entry.ruleset or ruleset,
    )


def paced_records(
    start: CallStarted, encoding: Encoding, rate_hz: int, blocks: Iterable[list[bytes]], detail: str
) -> Iterator[tuple[int, list[MediaRecord]]]:
    """Groups of records, each with the call time at which a live call would have them.

    A file that breaks while it is read ends the call with what could be read, reason `bad_media`.
    """
    yield 0, [start]
    grids = [ChannelGrid(start.call_id, channel, encoding, rate_hz) for channel in range(len(start.channels))]
    reason = "end_of_file"
    try:
        for payloads in blocks:
            chunks = [grid.push(payload) for grid, payload in zip(grids, payloads, strict=True)]
            for cell in zip(*chunks, strict=True):
                yield cell[0].start_ms + _length_ms(cell[0]), list(cell)
    except BadRecord as error:
        reason, detail = "bad_media", str(error)
    end_ms = max(grid.end_ms for grid in grids)
    rest: list[MediaRecord] = [
        chunk for cell in zip_longest(*(grid.flush() for grid in grids)) for chunk in cell if chunk is not None
    ]
    ended = CallEnded(call_id=start.call_id, call_ms=end_ms, at_ms=start.at_ms + end_ms, reason=reason, detail=detail)
    yield end_ms, [*rest, ended]


def _length_ms(chunk: AudioChunk) -> int:
    samples = len(chunk.payload) // (2 if chunk.encoding == "pcm_s16le" else 1)
    return samples * 1000 // chunk.sample_rate_hz
