"""The live door over loopback, with real sockets and a sender that keeps what it is given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from processors.ingest import server
from processors.ingest.dialects import twilio
from processors.ingest.folder import Planned, find_recordings
from processors.ingest.media import MediaRecord, paced_records
from processors.ingest.play import media_message, play_call, play_calls
from processors.records import AudioChunk, CallEnded, CallStarted, HoldChanged
from processors.runtime.errors import UserError
from processors.runtime.settings import load_settings

START = json.dumps({"event": "start", "start": {"callSid": "CA1", "streamSid": "MZ1", "tracks": ["inbound"]}})
STOP = json.dumps({"event": "stop", "stop": {}})


class KeptSender:
    """Stands for Kafka: keeps the records, or is full, or reports failures."""

    def __init__(self) -> None:
        self.records: list[MediaRecord] = []
        self.full = False
        self.stuck = 0.0
        self.failed: list[str] = []

    def try_send(self, record: MediaRecord) -> bool:
        if not self.full:
            self.records.append(record)
        return not self.full

    def poll(self) -> list[str]:
        failed, self.failed = self.failed, []
        return failed

    def stuck_s(self) -> float:
        return self.stuck

    def waiting(self) -> int:
        return 0

    def flush(self, timeout_s: float) -> None:
        """Nothing waits."""

    def of(self, call_id: str) -> list[MediaRecord]:
        return [record for record in self.records if record.call_id == call_id]

    def ended(self, call_id: str = "CA1") -> CallEnded:
        (end,) = [record for record in self.of(call_id) if isinstance(record, CallEnded)]
        return end


@asynccontextmanager
async def open_door(**settings: object) -> AsyncIterator[tuple[str, KeptSender]]:
    """A door on a free port, closed at the end."""
    sender = KeptSender()
    stop = asyncio.Event()
    opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        server.run_door(load_settings(door_port=0, **settings), sender, stop, opened)  # type: ignore[arg-type]
    )
    await asyncio.wait([task, opened], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield f"ws://127.0.0.1:{opened.result()}/twilio", sender
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that must come."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for happens on a socket
            await asyncio.sleep(0.01)


def frame(number: int, track: str = "inbound") -> str:
    return media_message("MZ1", number, track, 20 * number, bytes([number % 256]) * 160)


async def answer(url: str, messages: list[str | bytes]) -> tuple[int, str]:
    """Send messages on a connection of their own; the close code and reason that come back."""
    socket = await connect(url, compression=None, max_size=None)
    with suppress(ConnectionClosed):
        for message in messages:
            await socket.send(message)
    async with asyncio.timeout(20):
        await socket.wait_closed()
    return socket.close_code or 0, socket.close_reason or ""


def recordings(folder: Path, count: int = 1, seconds: float = 3.0) -> list[Planned]:
    draw = np.random.default_rng(1)
    for number in range(count):
        noise = draw.normal(0, 0.1, (round(8000 * seconds), 2))
        soundfile.write(folder / f"call{number}.wav", noise, 8000, subtype="ULAW")
    return find_recordings(folder, ("agent", "customer"))[0]


def chunks(records: list[MediaRecord], channel: int) -> list[AudioChunk]:
    return [record for record in records if isinstance(record, AudioChunk) and record.channel == channel]


def as_recording(call: Planned) -> list[MediaRecord]:
    start = CallStarted(call_id=call.entry.call_id, at_ms=0, lane="live", channels=call.roles)
    groups = paced_records(start, "pcmu", 8000, call.recording.blocks(), "")
    return [record for _, group in groups for record in group]


def test_a_call_through_the_door_has_the_chunks_of_the_recording(tmp_path: Path) -> None:
    calls = recordings(tmp_path, 3)

    async def scenario() -> None:
        async with open_door() as (url, sender):
            played = await play_calls(url, calls, speed=20)
            for call, done in zip(calls, played, strict=True):
                records = sender.of(call.entry.call_id)
                start, end = records[0], sender.ended(call.entry.call_id)
                assert isinstance(start, CallStarted)
                assert (start.channels, start.lane, start.door) == (("agent", "customer"), "live", "twilio")
                assert abs(start.at_ms - done.started_at_ms) < 1_000
                assert (end.reason, end.call_ms, records[-1]) == ("hangup", 3_000, end)
                for channel in (0, 1):
                    assert chunks(records, channel) == chunks(as_recording(call), channel)

    asyncio.run(scenario())


BAD: list[tuple[str, list[str | bytes], int, str]] = [
    ("a binary message", [START, b"\x00\x01"], 4400, "binary"),
    ("no JSON", [START, "hello"], 4400, "not JSON"),
    ("deep JSON", [START, "[" * 60_000], 4400, "not JSON"),
    ("a huge number", [START, '{"event":"media","x":' + "9" * 60_000 + "}"], 4400, "not JSON"),
    ("wrong base64", [START, '{"event":"media","media":{"track":"inbound","payload":"%"}}'], 4400, "base64"),
    ("a track nobody announced", [START, frame(0, "outbound")], 4400, "not announced"),
    ("a second start", [START, START], 4400, "second start"),
    (
        "runaway timestamps",
        [START, media_message("MZ1", 1, "inbound", 10**8, b"a" * 160), *map(frame, range(9))],
        4400,
        "ahead of the clock",
    ),
    ("ten megabytes", [START, "x" * 10_000_000], 1009, "1009"),
]


@pytest.mark.parametrize(("messages", "code", "reason"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad_media_ends_that_call_with_a_reason(messages: list[str | bytes], code: int, reason: str) -> None:
    async def scenario() -> None:
        async with open_door() as (url, sender):
            assert (await answer(url, messages))[0] == code
            await until(lambda: any(isinstance(record, CallEnded) for record in sender.records))
            end = sender.ended()
            assert end.reason == "bad_media"
            assert reason in end.detail

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([frame(0)], "does not begin with a start"),
        ([STOP, ""], ""),
        (["nonsense"], "not JSON"),
        ([b"x"], "binary"),
        (['{"event":"start","start":{}}'], "callSid"),
    ],
)
def test_without_a_start_there_is_no_call(messages: list[str | bytes], reason: str) -> None:
    async def scenario() -> None:
        async with open_door() as (url, sender):
            code, text = await answer(url, messages)
            assert code in (1000, 4400)
            assert reason in text
            assert sender.records == []

    asyncio.run(scenario())


def test_a_socket_that_dies_ends_the_call_as_lost() -> None:
    async def scenario() -> None:
        async with open_door() as (url, sender):
            async with connect(url, compression=None) as socket:
                await socket.send(START)
                for number in range(10):
                    await socket.send(frame(number))
                await until(lambda: len(sender.records) == 3)
                socket.transport.abort()
            await until(lambda: len(sender.records) == 4)
            assert (sender.ended().reason, sender.ended().call_ms) == ("connection_lost", 200)

    asyncio.run(scenario())


def test_hold_reaches_the_media_topic() -> None:
    async def scenario() -> None:
        async with open_door() as (url, sender):
            hold = '{"event":"hold","hold":{"held":true}}'
            assert await answer(url, [START, *map(frame, range(5)), hold, STOP]) == (1000, "")
            assert HoldChanged(call_id="CA1", call_ms=100, held=True) in sender.records
            assert sender.ended().reason == "hangup"

    asyncio.run(scenario())


def test_attackers_do_not_change_a_good_call(tmp_path: Path) -> None:
    (call,) = recordings(tmp_path)

    async def scenario() -> None:
        async with open_door() as (url, sender):
            attacks = [answer(url, messages) for _ in range(5) for _, messages, _, _ in BAD]
            await asyncio.gather(play_call(url, call, speed=2), *attacks, return_exceptions=True)
            records = sender.of(call.entry.call_id)
            assert sender.ended(call.entry.call_id).reason == "hangup"
            for channel in (0, 1):
                assert chunks(records, channel) == chunks(as_recording(call), channel)

    asyncio.run(scenario())


async def _status(url: str, **headers: str) -> int:
    try:
        async with connect(url, additional_headers=headers):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def test_a_token_is_asked_for_in_the_handshake_or_in_the_start() -> None:
    async def scenario() -> None:
        async with open_door(door_token="s3cret") as (url, sender):
            assert await _status(f"{url}?token=wrong") == 401
            assert await _status(url, Authorization="Bearer s3cret") == 101
            assert (await answer(url, [START]))[0] == 4401
            assert (await answer(f"{url}?token=s3cret", [START, STOP]))[0] == 1000
            message = json.loads(START)
            message["start"]["customParameters"] = {"token": "s3cret"}
            assert (await answer(url, [json.dumps(message), STOP]))[0] == 1000
            assert len([record for record in sender.records if isinstance(record, CallStarted)]) == 2

    asyncio.run(scenario())


def test_a_twilio_signature_is_asked_for_when_there_is_a_secret() -> None:
    async def scenario() -> None:
        async with open_door(twilio_auth_token="auth") as (url, _):
            assert await _status(url) == 403
            assert await _status(url, **{"X-Twilio-Signature": twilio.signature("auth", url)}) == 101

    asyncio.run(scenario())


def test_other_paths_are_no_door() -> None:
    async def scenario() -> None:
        async with open_door() as (url, _):
            assert await _status(url.replace("twilio", "other")) == 404

    asyncio.run(scenario())


def test_limits_of_calls_and_of_connections_of_an_address() -> None:
    async def scenario() -> None:
        async with open_door(door_calls_max=1, door_calls_per_address=2) as (url, sender), connect(url) as first:
            await first.send(START)
            await until(lambda: len(sender.records) == 1)
            assert (await answer(url, [START.replace("CA1", "CA2")]))[0] == 1013
            async with connect(url):
                with pytest.raises((ConnectionError, InvalidMessage)):
                    await connect(url)
            await first.send(STOP)
            await first.wait_closed()
            assert (await answer(url, [START.replace("CA1", "CA2"), STOP]))[0] == 1000

    asyncio.run(scenario())


def test_the_same_call_cannot_be_open_twice() -> None:
    async def scenario() -> None:
        named = START.replace('"tracks"', '"customParameters": {"call_id": "mine"}, "tracks"')
        async with open_door() as (url, sender), connect(url) as first:
            await first.send(named)
            await until(lambda: len(sender.records) == 1)
            assert (await answer(url, [named]))[0] == 4409
            await first.send(STOP)
            await first.wait_closed()
            assert sender.ended("mine").reason == "hangup"

    asyncio.run(scenario())


def test_when_kafka_takes_nothing_calls_end_clearly_and_their_end_is_owed() -> None:
    async def scenario() -> None:
        async with open_door() as (url, sender), connect(url) as socket:
            await socket.send(START)
            await until(lambda: len(sender.records) == 1)
            sender.full = True
            for number in range(5):
                await socket.send(frame(number))
            await socket.wait_closed()
            assert socket.close_code == 1013
            assert len(sender.records) == 1
            sender.full = False
            await until(lambda: len(sender.records) == 2)
            assert sender.ended().reason == "broker_unavailable"

    asyncio.run(scenario())


def test_a_chunk_that_was_not_delivered_ends_its_call_only() -> None:
    async def scenario() -> None:
        async with open_door() as (url, sender), connect(url) as one, connect(url) as other:
            await one.send(START)
            await other.send(START.replace("CA1", "CA2"))
            await until(lambda: len(sender.records) == 2)
            sender.failed = ["CA1", "gone"]
            await one.wait_closed()
            assert one.close_code == 1013
            assert sender.ended("CA1").reason == "broker_unavailable"
            await other.send(STOP)
            await other.wait_closed()
            assert sender.ended("CA2").reason == "hangup"

    asyncio.run(scenario())


def test_no_new_calls_while_kafka_is_away() -> None:
    async def scenario() -> None:
        async with open_door() as (url, sender):
            sender.stuck = 60.0
            assert (await answer(url, [START]))[0] == 1013
            assert sender.records == []

    asyncio.run(scenario())


def test_streams_that_say_nothing_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "START_S", 0.2)
    monkeypatch.setattr(server, "WATCH_S", 0.05)

    async def scenario() -> None:
        async with open_door(door_idle_s=0.2) as (url, sender):
            assert (await answer(url, []))[0] == 4408
            assert (await answer(url, [START]))[0] == 4408
            assert sender.ended().reason == "idle"

    asyncio.run(scenario())


def test_a_handshake_that_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.2)

    async def scenario() -> None:
        async with open_door() as (url, _):
            port = int(url.split(":")[2].split("/")[0])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /twilio HTTP/1.1\r\nHost: x\r\n")
            async with asyncio.timeout(20):
                assert await reader.read() == b""
            writer.close()

    asyncio.run(scenario())


async def _raw(url: str, noise: bytes) -> None:
    port = int(url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(noise)
    try:
        async with asyncio.timeout(20):
            await reader.read()
    except ConnectionError:
        pass
    writer.close()


def test_binary_garbage_instead_of_a_handshake_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_S", 0.2)

    async def scenario() -> None:
        async with open_door() as (url, sender):
            await asyncio.gather(*(_raw(url, bytes(range(256)) * size) for size in (1, 10, 1000)))
            assert (await answer(url, [START, STOP]))[0] == 1000
            assert sender.ended().reason == "hangup"

    asyncio.run(scenario())


def test_closing_the_door_ends_all_calls() -> None:
    async def scenario() -> None:
        sockets: list[ClientConnection] = []
        async with open_door() as (url, sender):
            for number in range(3):
                sockets.append(await connect(url))
                await sockets[-1].send(START.replace("CA1", f"CA{number}"))
            await until(lambda: len(sender.records) == 3)
        assert sorted(r.reason for r in sender.records if isinstance(r, CallEnded)) == ["shutdown"] * 3
        for socket in sockets:
            await socket.wait_closed()
            assert socket.close_code == 1001

    asyncio.run(scenario())


def test_frames_on_their_way_when_the_door_closes_do_not_follow_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CLOSE_S", 0.5)

    async def flood(socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            for number in range(1_000):
                await socket.send(frame(number))

    async def scenario() -> None:
        sockets: list[ClientConnection] = []
        async with open_door() as (url, sender):
            for number in range(8):
                sockets.append(await connect(url))
                await sockets[-1].send(START.replace("CA1", f"CA{number}"))
            floods = [asyncio.create_task(flood(socket)) for socket in sockets]
            await until(lambda: all(len(sender.of(f"CA{number}")) > 5 for number in range(8)))
        await asyncio.gather(*floods)
        assert {type(sender.of(f"CA{number}")[-1]) for number in range(8)} == {CallEnded}

    asyncio.run(scenario())


def test_the_player_says_why_a_door_is_shut(tmp_path: Path) -> None:
    (call,) = recordings(tmp_path)

    async def scenario() -> None:
        async with open_door(door_token="s3cret") as (url, _):
            attempts: list[Awaitable[object]] = [play_call(url, call), play_call(url, call, token="wrong")]
            for attempt in attempts:
                with pytest.raises(UserError, match=r"token|401"):
                    await attempt
        with pytest.raises(UserError, match="does not answer as a live door"):
            await play_call(url, call)

    asyncio.run(scenario())
