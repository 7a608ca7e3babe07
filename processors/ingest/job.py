"""Shell of the recordings' door: files in, media topic out, at full speed or at real time.

Memory is bounded by ten seconds of audio for each call that is under way and by the producer's queue; a slow broker
slows the reading down. What the records are is decided in `media`, what is read in `folder` and `recordings`.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from processors.ingest.folder import Planned, find_recordings
from processors.ingest.manifest import Skipped, parse_roles
from processors.ingest.media import DOOR, MediaRecord, paced_records, started
from processors.ingest.sending import Sender
from processors.records import AudioChunk, CallEnded, Lane, Role
from processors.runtime.errors import BadRecord, UserError
from processors.runtime.logs import get_logger
from processors.runtime.metrics import INGEST_AUDIO_SECONDS, INGEST_CALLS_ENDED, INGEST_CALLS_OPEN
from processors.runtime.settings import Settings

Speed = Literal["max", "real"]
AT_ONCE: dict[Speed, int] = {"max": 16, "real": 500}
"""Calls under way; at full speed enough for `speech` to batch over."""
SEND_TIMEOUT_S = 60.0
TOPICS: dict[Lane, str] = {"live": "calls.media", "recordings": "calls.media.recordings"}


@dataclass(frozen=True, slots=True)
class IngestedCall:
    """A call whose media are in Kafka."""

    call_id: str
    path: str
    duration_ms: int
    roles: tuple[Role, ...]
    note: str = ""  # what was wrong with the file, for people


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one call has been sent."""

    call_id: str
    sent_ms: int
    duration_ms: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a folder or manifest."""

    calls: list[IngestedCall]
    skipped: list[Skipped]


def plan_path(settings: Settings, path: Path) -> tuple[list[Planned], list[Skipped]]:
    """What `ingest_path` would send, without sending it, and what is skipped. UserError when nothing is there."""
    try:
        roles = parse_roles(settings.channels)
    except BadRecord as error:
        raise UserError(f"TINGJIAN_CHANNELS: {error}", 2) from None
    if len(roles) != 2:
        raise UserError("TINGJIAN_CHANNELS: name the roles of two channels, for example agent,customer", 2)
    return find_recordings(path, roles)


def ingest_path(
    settings: Settings,
    path: Path,
    *,
    speed: Speed = "max",
    lane: Lane = "recordings",
    ruleset: str = "",
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Ingested:
    """Send all recordings behind a path and wait until the brokers have them; Unavailable when they do not."""
    planned, skipped = plan_path(settings, path)
    calls = send_planned(settings, planned, speed=speed, lane=lane, ruleset=ruleset, on_progress=on_progress)
    return Ingested(calls, skipped)


def send_planned(
    settings: Settings,
    planned: list[Planned],
    *,
    speed: Speed = "max",
    lane: Lane = "recordings",
    ruleset: str = "",
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[IngestedCall]:
    """Send these recordings, several at a time; calls that are cut short by an interruption end as `aborted`."""
    log = get_logger("ingest")
    sender = Sender(settings, TOPICS[lane])
    done: list[IngestedCall] = []
    open_calls: dict[str, int] = {}  # how far each call under way has been sent
    waiting = [_paced(call, lane, ruleset) for call in reversed(planned)]
    calls = {call.entry.call_id: call for call in planned}
    try:
        for call_id, due_ms, records in _merged(waiting, AT_ONCE[speed], real_time=speed == "real"):
            for record in records:
                sender.send(record, SEND_TIMEOUT_S)
                _count(record)
            last = records[-1]
            open_calls[call_id] = due_ms
            if isinstance(last, CallEnded):
                del open_calls[call_id]
                call = calls[call_id]
                done.append(IngestedCall(call_id, call.entry.path, last.call_ms, call.roles, last.detail))
                log.info("recording sent", call_id=call_id, duration_ms=last.call_ms, note=last.detail)
            on_progress(Progress(call_id, due_ms, calls[call_id].recording.duration_ms, isinstance(last, CallEnded)))
    finally:
        for call_id, sent_ms in open_calls.items():
            at_ms = calls[call_id].at_ms + sent_ms
            sender.send_at_last(
                CallEnded(
                    call_id=call_id,
                    call_ms=sent_ms,
                    at_ms=at_ms,
                    reason="aborted",
                    detail="sending the recording was interrupted",
                )
            )
        INGEST_CALLS_OPEN.labels(DOOR).set(0)
        sender.flush(SEND_TIMEOUT_S)
    return done


def _paced(call: Planned, lane: Lane, ruleset: str) -> tuple[str, Iterator[tuple[int, list[MediaRecord]]]]:
    start = started(call.entry, call.at_ms, call.roles, lane, ruleset)
    recording = call.recording
    return start.call_id, paced_records(start, recording.encoding, recording.rate_hz, recording.blocks(), call.note)


def _merged(
    waiting: list[tuple[str, Iterator[tuple[int, list[MediaRecord]]]]], at_once: int, *, real_time: bool
) -> Iterator[tuple[str, int, list[MediaRecord]]]:
    """Groups of records of several calls in the order of their time; the last ones of `waiting` begin first."""
    begun_s = time.monotonic()
    now_ms = 0
    turn = 0
    heap: list[tuple[int, int, int, str, list[MediaRecord], Iterator[tuple[int, list[MediaRecord]]]]] = []
    while waiting or heap:
        while waiting and len(heap) < at_once:
            call_id, groups = waiting.pop()
            due_ms, records = next(groups)
            heap.append((now_ms + due_ms, turn, now_ms, call_id, records, groups))
            turn += 1
        heapq.heapify(heap)
        now_ms, order, begin_ms, call_id, records, groups = heapq.heappop(heap)
        if real_time:
            time.sleep(max(0.0, begun_s + now_ms / 1000 - time.monotonic()))
        yield call_id, now_ms - begin_ms, records
        following = next(groups, None)
        if following is not None:
            heapq.heappush(heap, (begin_ms + following[0], order, begin_ms, call_id, following[1], groups))


def _count(record: MediaRecord) -> None:
    if isinstance(record, AudioChunk):
        samples = len(record.payload) // (2 if record.encoding == "pcm_s16le" else 1)
        INGEST_AUDIO_SECONDS.labels(DOOR).inc(samples / record.sample_rate_hz)
    elif isinstance(record, CallEnded):
        INGEST_CALLS_ENDED.labels(DOOR, record.reason).inc()
        INGEST_CALLS_OPEN.labels(DOOR).dec()
    else:
        INGEST_CALLS_OPEN.labels(DOOR).inc()
