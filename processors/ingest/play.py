"""Plays recordings through the live door in real time as Twilio would: both tracks, mu-law, a frame each 20 ms.

A client, for `tingjian play`, the demo and the benchmarks. Channel 0 of a file is the outbound track and channel 1 the
inbound one, with their roles in the parameters, so that the call comes out as the same recording would. A frame is sent
when its audio has been spoken, so call time t of the audio is `started_at_ms + t` on the wall clock.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from processors.ingest import g711
from processors.ingest.dialects import twilio
from processors.ingest.folder import Planned
from processors.ingest.recordings import Recording
from processors.runtime.errors import UserError

FRAME_MS = 20
FRAME_BYTES = FRAME_MS * twilio.SAMPLE_RATE_HZ // 1000
PATH = "/twilio"
OPEN_S = 10.0
CLOSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Played:
    """A call that has been played."""

    call_id: str
    started_at_ms: int  # wall clock at call time 0
    duration_ms: int
    late_ms: int  # by how much the most delayed frame was late


async def play_call(
    url: str,
    call: Planned,
    *,
    speed: float = 1.0,
    token: str = "",
    on_frame: Callable[[int], None] | None = None,
) -> Played:
    """Play one recording. `on_frame` gets the call time that has been sent. UserError when the door is shut."""
    address = door_url(url)
    try:
        async with connect(
            address,
            compression=None,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
            max_queue=None,
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
        ) as socket:
            return await _play(socket, call, speed, on_frame)
    except ConnectionClosed as error:
        why = error.rcvd.reason if error.rcvd else "the connection was lost"
        raise UserError(f"the door ended the call {call.entry.call_id}: {why or 'without a reason'}") from None
    except (InvalidHandshake, InvalidURI, OSError, TimeoutError) as error:
        raise UserError(f"{address} does not answer as a live door: {error}; is the stack up? (tingjian up)") from None


async def play_calls(
    url: str,
    calls: Sequence[Planned],
    *,
    speed: float = 1.0,
    token: str = "",
    stagger_s: float = 0.0,
    on_frame: Callable[[str, int], None] = lambda call_id, call_ms: None,
) -> list[Played]:
    """Play several recordings at once, each beginning `stagger_s` after the one before; in the order given.

    A call that the door refuses does not disturb the others; the UserError comes when they are through.
    """

    async def one(number: int, call: Planned) -> Played:
        await asyncio.sleep(number * stagger_s)
        call_id = call.entry.call_id
        return await play_call(url, call, speed=speed, token=token, on_frame=lambda call_ms: on_frame(call_id, call_ms))

    outcomes = await asyncio.gather(*(one(*numbered) for numbered in enumerate(calls)), return_exceptions=True)
    played = [outcome for outcome in outcomes if isinstance(outcome, Played)]
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return played


def door_url(url: str) -> str:
    """The address with the path of the door, when it has none."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path if parts.path.strip("/") else PATH))


async def _play(
    socket: ClientConnection, call: Planned, speed: float, on_frame: Callable[[int], None] | None
) -> Played:
    sid = f"MZ{call.entry.call_id}"
    tracks = twilio.TRACKS[: call.recording.channels]
    await socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
    await socket.send(start_message(call, sid, tracks))
    started_at_ms, begun_s = time.time_ns() // 1_000_000, time.monotonic()
    sent_ms, late_s = 0, 0.0
    for number, frames in enumerate(frames_of(call.recording)):
        due_s = begun_s + (sent_ms + FRAME_MS) / 1000 / speed
        now_s = time.monotonic()
        if due_s > now_s:
            await asyncio.sleep(due_s - now_s)
        late_s = max(late_s, now_s - due_s)
        for track, frame in zip(tracks, frames, strict=True):
            await socket.send(media_message(sid, number, track, sent_ms, frame))
        sent_ms += FRAME_MS
        if on_frame:
            on_frame(sent_ms)
    stop = {"event": "stop", "streamSid": sid, "stop": {"callSid": call.entry.call_id}}
    await socket.send(json.dumps(stop))
    try:
        async with asyncio.timeout(CLOSE_S):
            await socket.wait_closed()
    except TimeoutError:
        await socket.close()
    return Played(call.entry.call_id, started_at_ms, sent_ms, round(late_s * 1000))


def start_message(call: Planned, sid: str, tracks: Sequence[str]) -> str:
    """The start of a stream, with what is known about the call as its parameters."""
    entry = call.entry
    parameters = {
        **entry.attributes,
        **{name: getattr(entry, name) for name in (*twilio.FIELDS, "direction", "language") if getattr(entry, name)},
        **dict(zip(tracks, call.roles, strict=True)),
        "call_id": entry.call_id,
    }
    media_format = {"encoding": "audio/x-mulaw", "sampleRate": twilio.SAMPLE_RATE_HZ, "channels": 1}
    start = {
        "accountSid": "AC0",
        "streamSid": sid,
        "callSid": f"CA{entry.call_id}",
        "tracks": list(tracks),
        "mediaFormat": media_format,
        "customParameters": parameters,
    }
    return json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": sid, "start": start}, ensure_ascii=False)


def media_message(sid: str, number: int, track: str, timestamp_ms: int, frame: bytes) -> str:
    """A frame of audio. Written by hand: twenty calls send two thousand of them a second."""
    payload = base64.b64encode(frame).decode()
    return (
        f'{{"event":"media","sequenceNumber":"{number + 2}","streamSid":{json.dumps(sid)},"media":{{"track":"{track}",'
        f'"chunk":"{number + 1}","timestamp":"{timestamp_ms}","payload":"{payload}"}}}}'
    )


def frames_of(recording: Recording) -> Iterator[list[bytes]]:
    """Frames of 20 ms of mu-law at 8 kHz, one of each channel; the last one may be shorter."""
    streams = [_Telephone(recording) for _ in range(recording.channels)]
    for payloads in recording.blocks():
        yield from _cut([stream.mu_law(payload) for stream, payload in zip(streams, payloads, strict=True)], streams)
    yield from _cut([stream.mu_law(b"", last=True) for stream in streams], streams, rest=True)


def _cut(fresh: list[bytes], streams: list[_Telephone], *, rest: bool = False) -> Iterator[list[bytes]]:
    for stream, payload in zip(streams, fresh, strict=True):
        stream.waiting += payload
    length = min(len(stream.waiting) for stream in streams)
    end = length if rest else length - length % FRAME_BYTES
    for begin in range(0, end, FRAME_BYTES):
        yield [bytes(stream.waiting[begin : min(begin + FRAME_BYTES, end)]) for stream in streams]
    for stream in streams:
        del stream.waiting[:end]


class _Telephone:
    """One channel on its way to mu-law at 8 kHz."""

    def __init__(self, recording: Recording) -> None:
        self.waiting = bytearray()
        self._encoding = recording.encoding
        rate_hz, target_hz = recording.rate_hz, twilio.SAMPLE_RATE_HZ
        self._resample = None if rate_hz == target_hz else soxr.ResampleStream(rate_hz, target_hz, 1, dtype="int16")

    def mu_law(self, payload: bytes, *, last: bool = False) -> bytes:
        if self._encoding == "pcmu":
            return payload
        pcm = self._encoding == "pcm_s16le"
        samples = np.frombuffer(payload, "<i2") if pcm else g711.decode(payload, self._encoding)
        if self._resample is not None:
            samples = self._resample.resample_chunk(samples, last=last)
        return g711.encode_mu_law(samples)
