"""Shell of the live door: WebSocket in, `calls.media` out. What is said on the socket is understood in `dialects`, what
it means for the call in `live`, who may come in in `admission`.

One stream can never hurt another: everything that is wrong with it ends its own call, with a reason, and every wait,
queue and size has a bound. While Kafka is away, audio waits in the producer's queue; when that is full or too old, the
calls concerned end with close code 1013 instead of losing a part in silence.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import deque
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.http11 import Request, Response

from processors.ingest.admission import Addresses, CallIds, Pace, Refused, same, signed_by_twilio, token_given
from processors.ingest.dialects import twilio
from processors.ingest.job import TOPICS
from processors.ingest.live import LiveCall
from processors.ingest.media import MediaRecord
from processors.ingest.sending import Sender
from processors.records import AudioChunk, MediaGap
from processors.runtime.errors import BadRecord, UserError
from processors.runtime.health import serve_health
from processors.runtime.logs import get_logger
from processors.runtime.metrics import (
    INGEST_AUDIO_SECONDS,
    INGEST_CALLS_ENDED,
    INGEST_CALLS_OPEN,
    INGEST_FRAMES_DROPPED,
    INGEST_GAP_SECONDS,
    INGEST_QUEUE_RECORDS,
    INGEST_REJECTED,
)
from processors.runtime.settings import Settings

PATH = "/twilio"
MAX_MESSAGE_BYTES = 65_536
HANDSHAKE_S = 5.0
START_S = 10.0
"""From the handshake to the start message."""
CLOSE_S = 5.0
PING_S = 20.0
MAX_QUEUE = 64
"""Messages of one connection that wait here; beyond that the client's TCP waits."""
POLL_S = 0.05
WATCH_S = 1.0
STUCK_S = 5.0
"""Kafka counts as away when it has taken nothing for so long."""
FLUSH_S = 10.0
REASON_BYTES = 120
"""A close frame holds 123."""
BAD_CODES = {1002, 1003, 1007, 1009}
"""Close codes that the library sends when the client breaks the protocol."""


class Door:
    """All that the streams of this process share."""

    def __init__(self, settings: Settings, sender: Sender) -> None:
        self.settings = settings
        self.sender = sender
        self.log = get_logger("ingest")
        self.ids = CallIds()
        self.addresses = Addresses(settings.door_calls_per_address)
        self.streams: set[Stream] = set()
        self.open_calls: dict[str, Stream] = {}
        self.stopping = False
        self._owed: deque[MediaRecord] = deque(maxlen=4 * settings.door_calls_max)  # ends of calls that found no room

    def kafka_away(self) -> bool:
        """Whether the brokers have taken nothing for a while although something waits."""
        return self.sender.stuck_s() > STUCK_S

    def check_handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse who may not come in before anything of the stream is read."""
        path = request.path.partition("?")[0]
        if path.rstrip("/") != PATH:
            return self._refuse(connection, 404, "path", f"there is no such door; Twilio Media Streams: {PATH}\n")
        token = self.settings.twilio_auth_token
        if token and not signed_by_twilio(token, self.settings.door_public_url, request.path, _plain(request.headers)):
            return self._refuse(connection, 403, "signature", "the X-Twilio-Signature is missing or wrong\n")
        if self.stopping:
            return self._refuse(connection, 503, "stopping", "the door is closing\n")
        given = token_given(request.path, request.headers.raw_items())
        if given and self.settings.door_token and not same(self.settings.door_token, given):
            return self._refuse(connection, 401, "token", "the token is wrong\n")
        connection.authorised = bool(given) or not self.settings.door_token  # type: ignore[attr-defined]
        return None

    def _refuse(self, connection: ServerConnection, status: int, cause: str, text: str) -> Response:
        INGEST_REJECTED.labels(cause).inc()
        return connection.respond(status, text)

    def admit(self, stream: Stream, start: twilio.Start) -> LiveCall:
        """Open a call. Raises Refused, or BadRecord when its metadata are wrong."""
        secret = self.settings.door_token
        if not stream.authorised and not same(secret, start.parameters.get(twilio.TOKEN_PARAMETER, "")):
            raise Refused(4401, "token", "the token is missing or wrong")
        if len(self.open_calls) >= self.settings.door_calls_max:
            raise Refused(1013, "calls_max", f"{self.settings.door_calls_max} calls are open, try again later")
        if self.kafka_away():
            raise Refused(1013, "kafka_away", "Kafka cannot be reached, try again later")
        call_id = self.ids.take(start)
        try:
            call = LiveCall(
                twilio.call_started(start, call_id, time.time_ns() // 1_000_000), start.encoding, twilio.SAMPLE_RATE_HZ
            )
        except BadRecord:
            self.ids.release(call_id)
            raise
        self.open_calls[call_id] = stream
        INGEST_CALLS_OPEN.labels(twilio.DOOR).set(len(self.open_calls))
        return call

    def send(self, records: list[MediaRecord]) -> bool:
        """Queue records of one call; False when there is no room, and then none of the rest is queued."""
        for record in records:
            if not self.sender.try_send(record):
                return False
            if isinstance(record, AudioChunk):
                INGEST_AUDIO_SECONDS.labels(twilio.DOOR).inc(len(record.payload) / record.sample_rate_hz)
            elif isinstance(record, MediaGap):
                INGEST_GAP_SECONDS.labels(twilio.DOOR).inc((record.end_ms - record.start_ms) / 1000)
        return True

    def close_call(self, call: LiveCall, reason: str, detail: str) -> None:
        """Send the end of a call; it is kept when there is no room now."""
        records = call.end(reason, detail)
        call_id = call.start.call_id
        if self.open_calls.pop(call_id, None) is None or not records:
            return
        self.ids.release(call_id)
        if not self.send(records):
            self._owed.append(records[-1])
        INGEST_CALLS_OPEN.labels(twilio.DOOR).set(len(self.open_calls))
        INGEST_CALLS_ENDED.labels(twilio.DOOR, reason).inc()
        INGEST_FRAMES_DROPPED.labels(twilio.DOOR).inc(call.dropped)
        self.log.info(
            "call ended",
            call_id=call_id,
            reason=reason,
            detail=detail,
            call_ms=call.end_ms,
            frames_dropped=call.dropped,
        )

    async def watch_kafka(self) -> None:
        """Let delivery reports in, and end the calls of which something was not delivered."""
        while True:
            for call_id in self.sender.poll():
                stream = self.open_calls.get(call_id)
                if stream:
                    stream.cut("broker_unavailable", "Kafka did not take the audio", 1013)
            while self._owed and self.sender.try_send(self._owed[0]):
                self._owed.popleft()
            INGEST_QUEUE_RECORDS.set(self.sender.waiting())
            await asyncio.sleep(POLL_S)

    async def watch_streams(self) -> None:
        """End streams that say nothing, never begin, or never end."""
        longest_ms = self.settings.door_call_hours * 3_600_000
        while True:
            now_s = time.monotonic()
            for stream in list(self.streams):
                if stream.call is None and now_s - stream.begun_s > START_S:
                    INGEST_REJECTED.labels("no_start").inc()
                    stream.cut("", f"no start message within {START_S:.0f} s", 4408)
                elif stream.call and now_s - stream.heard_s > self.settings.door_idle_s:
                    stream.cut("idle", f"nothing came for {self.settings.door_idle_s:.0f} s", 4408)
                elif stream.call and stream.call.end_ms > longest_ms:
                    stream.cut("too_long", f"longer than {self.settings.door_call_hours:g} hours", 4413)
            await asyncio.sleep(WATCH_S)


class Stream:
    """One connection, from its handshake to its end."""

    def __init__(self, door: Door, socket: ServerConnection) -> None:
        self.door = door
        self.socket = socket
        self.authorised = bool(getattr(socket, "authorised", False))
        self.call: LiveCall | None = None
        self.channels: dict[str, int] = {}
        self.begun_s = self.heard_s = time.monotonic()
        self._pace = Pace(self.begun_s)
        self._closing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Read until the call has ended, for whatever reason."""
        try:
            await self._read()
        except BadRecord as error:
            INGEST_REJECTED.labels("bad_media").inc()
            self._end("bad_media", str(error))
            await self._close(4400, str(error))
        except Refused as error:
            INGEST_REJECTED.labels(error.cause).inc()
            self.door.log.warning("stream refused", cause=error.cause, reason=str(error))
            await self._close(error.code, str(error))
        except ConnectionClosedOK:
            self._end("hangup", "closed without a stop message")
        except ConnectionClosed as error:
            sent = error.sent
            if sent is not None and sent.code in BAD_CODES and error.rcvd is None:
                INGEST_REJECTED.labels("bad_media").inc()
                self._end("bad_media", f"WebSocket error {sent.code} {sent.reason}".strip())
            else:
                self._end("connection_lost", str(error))
        finally:
            self._end("connection_lost", "the connection was dropped")
            if self._closing:
                await self._closing

    async def _read(self) -> None:
        while self._closing is None:
            message = await self.socket.recv()
            if self._closing is not None:  # cut while it waited for this message
                return
            self.heard_s = time.monotonic()
            if not isinstance(message, str):
                raise BadRecord("a binary message; Twilio Media Streams are JSON texts")
            event = twilio.parse(message)
            if isinstance(event, twilio.Stop):
                self._end("hangup", "")
                await self._close(1000, "")
                return
            wait_s = self._pace.wait_s(self.heard_s, self._call_ms(event))
            self._handle(event)
            if wait_s > 0:
                await asyncio.sleep(wait_s)

    def _call_ms(self, event: twilio.Event) -> int:
        """How far the stream says it is."""
        if isinstance(event, twilio.Media) and event.timestamp_ms is not None:
            return event.timestamp_ms
        return self.call.end_ms if self.call else 0

    def _handle(self, event: twilio.Event) -> None:
        """What the event means for the call."""
        if isinstance(event, twilio.Other):
            return
        if isinstance(event, twilio.Start):
            self._begin(event)
            return
        if self.call is None:
            raise BadRecord("the stream does not begin with a start message")
        if isinstance(event, twilio.Media):
            channel = self.channels.get(event.track)
            if channel is None:
                raise BadRecord(f"the track {event.track} was not announced by the start message")
            records = self.call.audio(channel, event.timestamp_ms, event.chunk, event.payload)
        elif isinstance(event, twilio.Hold):
            records = self.call.hold(event.held)
        elif isinstance(event, twilio.AgentChange):
            records = self.call.agent_joined(event.agent_id, event.team_id)
        else:
            return
        if not self.door.send(records):
            self.cut("broker_unavailable", "Kafka does not keep up and the queue is full", 1013)

    def _begin(self, start: twilio.Start) -> None:
        if self.call is not None:
            raise BadRecord("a second start message")
        self.call = self.door.admit(self, start)
        self.channels = {track: channel for channel, track in enumerate(start.tracks)}
        self.door.log.info("call started", call_id=self.call.start.call_id, channels=list(self.call.start.channels))
        if not self.door.send([self.call.start]):
            self.cut("broker_unavailable", "Kafka does not keep up and the queue is full", 1013)

    def cut(self, reason: str, detail: str, code: int) -> None:
        """End the call from our side, now; the connection is closed behind it."""
        self._end(reason, detail)
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(code, detail))

    def _end(self, reason: str, detail: str) -> None:
        if self.call is not None:
            self.door.close_call(self.call, reason, detail)

    async def _close(self, code: int, reason: str) -> None:
        await self.socket.close(code, reason.encode()[:REASON_BYTES].decode(errors="ignore"))


def _plain(headers: Headers) -> dict[str, str]:
    """The two headers that matter for the signature, the first of each."""
    return {name: headers.get_all(name)[0] for name in ("Host", "X-Twilio-Signature") if headers.get_all(name)}


async def open_door(door: Door, host: str, port: int) -> Server:
    """Listen. Raises OSError when the port is taken."""

    class Counted(ServerConnection):
        """Counts connections by address from their first byte, before any handshake."""

        address = ""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            address = str((transport.get_extra_info("peername") or ("",))[0])
            if door.addresses.enter(address):
                self.address = address
            else:
                INGEST_REJECTED.labels("address").inc()
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            if self.address:
                door.addresses.leave(self.address)
            super().connection_lost(exc)

    async def handle(socket: ServerConnection) -> None:
        stream = Stream(door, socket)
        door.streams.add(stream)
        try:
            await stream.run()
        finally:
            door.streams.discard(stream)

    quiet = logging.getLogger("websockets.door")
    quiet.setLevel(logging.CRITICAL)  # scanners would fill the log; refusals are counted
    return await serve(
        handle,
        host,
        port,
        process_request=door.check_handshake,
        compression=None,
        open_timeout=HANDSHAKE_S,
        ping_interval=PING_S,
        ping_timeout=PING_S,
        close_timeout=CLOSE_S,
        max_size=MAX_MESSAGE_BYTES,
        max_queue=MAX_QUEUE,
        server_header=None,
        logger=quiet,
        create_connection=Counted,
    )


async def run_door(settings: Settings, sender: Sender, stop: asyncio.Event, opened: asyncio.Future[int]) -> None:
    """Serve until `stop` is set, then end all calls. `opened` gets the port."""
    door = Door(settings, sender)
    try:
        server = await open_door(door, settings.door_host, settings.door_port)
    except OSError as error:
        where = f"{settings.door_host}:{settings.door_port}"
        why = f"{error.strerror}; set TINGJIAN_DOOR_PORT to a free port"
        raise UserError(f"the door cannot listen on {where}: {why}") from None
    watchers = [asyncio.create_task(door.watch_kafka()), asyncio.create_task(door.watch_streams())]
    port = int(server.sockets[0].getsockname()[1])
    serve_health(settings.metrics_port, lambda: _ready(door), host=settings.health_host)
    door.log.info("door open", url=f"ws://{settings.door_host}:{port}{PATH}")
    opened.set_result(port)
    done, _ = await asyncio.wait([*watchers, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    door.stopping = True
    for stream in list(door.streams):
        stream.cut("shutdown", "the door was closed", 1001)
    server.close()
    await server.wait_closed()
    for watcher in watchers:
        watcher.cancel()
    sender.flush(FLUSH_S)
    for task in done & set(watchers):
        task.result()


def _ready(door: Door) -> tuple[bool, str]:
    if door.stopping:
        return False, "closing"
    if door.kafka_away():
        return False, "Kafka takes nothing"
    return True, f"{len(door.open_calls)} calls open"


def main(settings: Settings, **options: Any) -> None:
    """Run the live door until SIGTERM or SIGINT."""
    asyncio.run(_main(settings))


async def _main(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_door(settings, Sender(settings, TOPICS["live"]), stop, loop.create_future())
