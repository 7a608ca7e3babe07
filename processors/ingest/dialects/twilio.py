"""Twilio Media Streams: the text frames of a stream, and what its start says about the call.

Pure. Everything that can be wrong with a frame raises BadRecord with a reason for the one who sent it. Events that
Twilio may add are `Other`, so that they do no harm. Beyond Twilio's own events there are two that its clients may send
themselves: `hold` and `agent` (see README).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from processors.ingest.manifest import MAX_ID, parse_direction, parse_roles
from processors.ingest.media import LANGUAGE
from processors.records import CallStarted, Encoding, Role
from processors.runtime.errors import BadRecord

DOOR = "twilio"
TRACKS = ("outbound", "inbound")
"""By channel: the agent is channel 0 as in recordings. A stream with one track has one channel."""
DEFAULT_ROLES: dict[str, Role] = {"inbound": "customer", "outbound": "agent"}
ENCODINGS: dict[str, Encoding] = {"audio/x-mulaw": "pcmu", "audio/x-alaw": "pcma"}
SAMPLE_RATE_HZ = 8_000
MAX_TIMESTAMP_MS = 7 * 24 * 3_600_000
MAX_PARAMETERS = 100
MAX_VALUE = 2_000
TOKEN_PARAMETER = "token"
HOLD_MARKS = {"hold": True, "unhold": False}
FIELDS = ("agent_id", "team_id", "customer_id", "scenario", "queue", "ruleset")


@dataclass(frozen=True, slots=True)
class Start:
    """The stream begins."""

    call_id: str  # chosen by the client; "" when it left that to us
    call_sid: str
    stream_sid: str
    tracks: tuple[str, ...]  # by channel
    encoding: Encoding
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Media:
    """A frame of audio."""

    track: str
    timestamp_ms: int | None
    chunk: int | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Hold:
    """The call is put on hold or taken back."""

    held: bool


@dataclass(frozen=True, slots=True)
class AgentChange:
    """Another agent takes over."""

    agent_id: str
    team_id: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream ends."""


@dataclass(frozen=True, slots=True)
class Other:
    """Nothing to do: `connected`, `dtmf` (digits may be card numbers: they are not looked at), marks, new events."""

    event: str


Event = Start | Media | Hold | AgentChange | Stop | Other


def parse(text: str) -> Event:
    """One text frame. Raises BadRecord."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRecord("the message is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("event"), str):
        raise BadRecord("the message has no `event`")
    event = cast("str", message["event"])
    parser = _PARSERS.get(event)
    return parser(message) if parser else Other(event[:40])


def _body(message: dict[str, Any], name: str) -> dict[str, Any]:
    body = message.get(name)
    if not isinstance(body, dict):
        raise BadRecord(f"the {name} message has no `{name}`")
    return body


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)) or len(str(value)) > MAX_VALUE:
        raise BadRecord(f"`{name}` is not a text of at most {MAX_VALUE} characters")
    text = str(value).strip()
    if any(ord(sign) < 32 for sign in text):
        raise BadRecord(f"`{name}` has control characters")
    return text


def _count(body: Mapping[str, Any], name: str, maximum: int) -> int | None:
    """Twilio writes numbers as strings; clients of one's own often as numbers."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= 15 and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= maximum:
        raise BadRecord(f"`{name}` is not a number from 0 to {maximum}")
    return value


def _media(message: dict[str, Any]) -> Media:
    body = _body(message, "media")
    track = body.get("track", "inbound")
    if track not in TRACKS:
        raise BadRecord("the media message is of an unknown `track`")
    payload = body.get("payload")
    if not isinstance(payload, str):
        raise BadRecord("the media message has no `payload`")
    try:
        audio = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise BadRecord("the `payload` of a media message is not base64") from None
    return Media(track, _count(body, "timestamp", MAX_TIMESTAMP_MS), _count(body, "chunk", 1 << 50), audio)


def _start(message: dict[str, Any]) -> Start:
    body = _body(message, "start")
    media_format = body.get("mediaFormat") or {}
    if not isinstance(media_format, dict):
        raise BadRecord("`mediaFormat` is not an object")
    encoding = ENCODINGS.get(str(media_format.get("encoding", "audio/x-mulaw")))
    rate, channels = media_format.get("sampleRate", SAMPLE_RATE_HZ), media_format.get("channels", 1)
    if encoding is None or str(rate) != str(SAMPLE_RATE_HZ) or str(channels) != "1":
        raise BadRecord(f"`mediaFormat` must be {' or '.join(ENCODINGS)} at {SAMPLE_RATE_HZ} Hz with 1 channel")
    parameters = body.get("customParameters") or {}
    if not isinstance(parameters, dict) or len(parameters) > MAX_PARAMETERS:
        raise BadRecord(f"`customParameters` is not an object of at most {MAX_PARAMETERS} texts")
    texts = {
        _text({"a name of `customParameters`": name}, "a name of `customParameters`"): _text(parameters, name)
        for name in parameters
    }
    stream_sid = _text(body, "streamSid") or _text(message, "streamSid")
    call_sid = _text(body, "callSid")
    call_id = texts.get("call_id", "")
    if max(len(call_id), len(call_sid), len(stream_sid)) > MAX_ID:
        raise BadRecord(f"the id of the call is longer than {MAX_ID} characters")
    if not (call_id or call_sid or stream_sid):
        raise BadRecord("the start message has neither `callSid` nor a parameter `call_id`")
    return Start(call_id, call_sid, stream_sid, _tracks(body.get("tracks")), encoding, texts)


def _tracks(tracks: object) -> tuple[str, ...]:
    """Channels of the stream. TwiML's `both_tracks` is understood, too."""
    names = [tracks] if isinstance(tracks, str) else tracks
    if names is None or names == ["both_tracks"]:
        return TRACKS
    if not isinstance(names, list) or not names or len(names) > len(TRACKS):
        raise BadRecord("`tracks` is not a list of tracks")
    plain = {str(name).removesuffix("_track") for name in names}
    if not plain <= set(TRACKS):
        raise BadRecord(f"`tracks` names an unknown track; known are {', '.join(TRACKS)}")
    return tuple(track for track in TRACKS if track in plain)


def _hold(message: dict[str, Any]) -> Hold:
    held = _body(message, "hold").get("held")
    if not isinstance(held, bool):
        raise BadRecord("`held` of a hold message is not true or false")
    return Hold(held)


def _mark(message: dict[str, Any]) -> Event:
    name = _text(_body(message, "mark"), "name")
    return Hold(HOLD_MARKS[name]) if name in HOLD_MARKS else Other("mark")


def _agent(message: dict[str, Any]) -> AgentChange:
    body = _body(message, "agent")
    agent_id = _text(body, "agent_id")
    if not agent_id:
        raise BadRecord("the agent message has no `agent_id`")
    return AgentChange(agent_id, _text(body, "team_id"))


_PARSERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "start": _start,
    "media": _media,
    "hold": _hold,
    "mark": _mark,
    "agent": _agent,
    "stop": lambda message: Stop(),
}


def call_started(start: Start, call_id: str, at_ms: int) -> CallStarted:
    """Metadata of the call from the stream's parameters. Raises BadRecord when one of them is wrong."""
    parameters = start.parameters
    roles = []
    for track in start.tracks:
        given = parse_roles(parameters.get(track, ""))
        if len(given) > 1:
            raise BadRecord(f"the parameter `{track}` names more than one role")
        roles.append(given[0] if given else DEFAULT_ROLES[track])
    known = {*FIELDS, *TRACKS, "call_id", "direction", "language", TOKEN_PARAMETER}
    attributes = {name: value for name, value in parameters.items() if name and value and name not in known}
    if start.call_sid and start.call_sid != call_id:
        attributes["twilio_call_sid"] = start.call_sid
    return CallStarted(
        call_id=call_id,
        at_ms=at_ms,
        lane="live",
        direction=parse_direction(parameters.get("direction", "")),
        channels=tuple(roles),
        language=parameters.get("language") or LANGUAGE,
        attributes=attributes,
        door=DOOR,
        **{name: parameters.get(name, "") for name in FIELDS},
    )


def signature(auth_token: str, url: str) -> str:
    """What Twilio puts into `X-Twilio-Signature` of a handshake with this URL."""
    digest = hmac.new(auth_token.encode(), url.encode("utf-8", "replace"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
