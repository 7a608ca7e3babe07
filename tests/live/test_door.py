"""Both doors into a real Kafka: the same call gives the same media, and nothing is lost at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processors.ingest.job import Progress, ingest_path, plan_path
from processors.ingest.media import MediaRecord
from processors.ingest.play import play_calls
from processors.records import AudioChunk, CallEnded, CallStarted
from processors.runtime.children import free_ports
from processors.runtime.health import is_ready
from processors.runtime.history import messages
from processors.runtime.offsets import ends
from processors.runtime.settings import Settings
from processors.runtime.wire import decode
from tests.live.waiting import until

START_S = 60.0


def write_calls(folder: Path, seconds: int) -> None:
    draw = np.random.default_rng(7)
    for number in range(3):
        noise = draw.normal(0, 0.1, (8000 * seconds + number, 2))
        soundfile.write(folder / f"call{number}.wav", noise, 8000, subtype="ULAW")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_calls(tmp_path, 3)
    (tmp_path / "text.wav").write_text("This is not audio.")
    return tmp_path


@contextmanager
def door(kafka: Settings) -> Iterator[str]:
    """The live door as its own process, as in production."""
    port, health = free_ports(2)
    there = {
        "TINGJIAN_KAFKA": kafka.kafka,
        "TINGJIAN_HOME": str(kafka.home),
        "TINGJIAN_DOOR_PORT": str(port),
        "TINGJIAN_METRICS_PORT": str(health),
    }
    command = [sys.executable, "-m", "processors.cli", "run", "ingest"]
    with subprocess.Popen(command, env={**os.environ, **there}) as process:
        try:
            deadline = time.monotonic() + START_S
            while not is_ready(f"http://127.0.0.1:{health}") and time.monotonic() < deadline:
                assert process.poll() is None
                time.sleep(0.1)
            yield f"ws://127.0.0.1:{port}"
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


def media(kafka: Settings, topic: str, before: dict[tuple[str, int], int]) -> dict[str, list[MediaRecord]]:
    """Records by call, in the order of the topic, that came since."""
    calls: dict[str, list[MediaRecord]] = {}
    for message in messages(kafka, before, ends(kafka, [topic])):
        record = decode(message.value())
        assert message.key() == record.call_id.encode()
        calls.setdefault(record.call_id, []).append(record)
    return calls


def chunks(records: list[MediaRecord], channel: int) -> list[AudioChunk]:
    return [record for record in records if isinstance(record, AudioChunk) and record.channel == channel]


def test_the_live_door_and_the_recordings_give_the_same_media(kafka: Settings, folder: Path) -> None:
    live, lane = "calls.media", "calls.media.recordings"
    before_live, before = ends(kafka, [live]), ends(kafka, [lane])
    steps: list[Progress] = []
    ingested = ingest_path(kafka, folder, ruleset="r", on_progress=steps.append)
    assert [(call.call_id, call.duration_ms) for call in ingested.calls] == [
        ("call0", 3000),
        ("call1", 3000),
        ("call2", 3000),
    ]
    assert [(skipped.path, skipped.reason) for skipped in ingested.skipped] == [
        ("text.wav", "it is not a WAV file: it begins like text")
    ]
    assert {step.call_id for step in steps if step.ended} == {"call0", "call1", "call2"}

    planned, _ = plan_path(kafka, folder)
    with door(kafka) as url:
        asyncio.run(play_calls(url, planned, speed=4))

    recorded, played = media(kafka, lane, before), media(kafka, live, before_live)
    assert set(recorded) == set(played) == {"call0", "call1", "call2"}
    for call_id, records in recorded.items():
        first, last = records[0], records[-1]
        assert isinstance(first, CallStarted)
        assert (first.lane, first.ruleset) == ("recordings", "r")
        assert isinstance(last, CallEnded)
        assert played[call_id][-1].call_ms == last.call_ms
        for channel in (0, 1):
            assert chunks(records, channel) == chunks(played[call_id], channel)


def test_real_time_and_full_speed_give_the_same_records(kafka: Settings, folder: Path) -> None:
    topic = "calls.media.recordings"
    outcomes = []
    for speed in ("max", "real"):
        before = ends(kafka, [topic])
        begun_s = time.monotonic()
        ingest_path(kafka, folder, speed=speed)  # type: ignore[arg-type]
        outcomes.append((media(kafka, topic, before), time.monotonic() - begun_s))
    (fast, _), (slow, slow_s) = outcomes
    assert fast == slow
    assert slow_s >= 3.0


def test_a_door_that_is_stopped_ends_its_calls(kafka: Settings, tmp_path: Path) -> None:
    write_calls(tmp_path, 30)
    topic = "calls.media"
    before = ends(kafka, [topic])
    planned, _ = plan_path(kafka, tmp_path)

    def spoken() -> bool:
        calls = media(kafka, topic, before)
        return len(calls) == 3 and all(len(chunks(records, 0)) > 5 for records in calls.values())

    async def cut() -> None:
        stack = ExitStack()
        playing = asyncio.create_task(play_calls(stack.enter_context(door(kafka)), planned))
        await asyncio.to_thread(until, spoken, "each call has said something")
        await asyncio.to_thread(stack.close)
        assert await asyncio.gather(playing, return_exceptions=True)

    asyncio.run(cut())
    calls = media(kafka, topic, before)
    for records in calls.values():
        end = records[-1]
        assert isinstance(end, CallEnded) and end.reason == "shutdown"
        audio_ms = sum(len(chunk.payload) for chunk in chunks(records, 0)) // 8
        assert 500 < audio_ms <= end.call_ms < 30_000
