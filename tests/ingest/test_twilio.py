"""Twilio Media Streams as they are documented, and as they are not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ingest.dialects import twilio
from processors.ingest.dialects.twilio import AgentChange, Hold, Media, Other, Start, Stop, call_started, parse
from processors.records import CallStarted
from processors.runtime.errors import BadRecord

CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'
START = """{"event":"start","sequenceNumber":"1","start":{"accountSid":"AC1","streamSid":"MZ1","callSid":"CA1",
"tracks":["inbound","outbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},
"customParameters":{"agent_id":"A7","scenario":"loan-sales","direction":"outbound","vip":"1"}},"streamSid":"MZ1"}"""
MEDIA = """{"event":"media","sequenceNumber":"3","media":{"track":"outbound","chunk":"1","timestamp":"5",
"payload":"//8A"},"streamSid":"MZ1"}"""
DTMF = '{"event":"dtmf","streamSid":"MZ1","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"1"}}'
MARK = '{"event":"mark","sequenceNumber":"4","streamSid":"MZ1","mark":{"name":"my label"}}'
STOP = '{"event":"stop","sequenceNumber":"5","stop":{"accountSid":"AC1","callSid":"CA1"},"streamSid":"MZ1"}'


def start(**changes: Any) -> str:
    """A start message with some fields of its body changed; None takes a field away."""
    message = json.loads(START)
    message["start"].update(changes)
    message["start"] = {name: value for name, value in message["start"].items() if value is not None}
    return json.dumps(message)


def media(**changes: Any) -> str:
    message = json.loads(MEDIA)
    message["media"].update(changes)
    return json.dumps(message)


def test_recorded_messages() -> None:
    assert parse(CONNECTED) == Other("connected")
    assert parse(MEDIA) == Media("outbound", 5, 1, b"\xff\xff\x00")
    assert parse(DTMF) == Other("dtmf")
    assert parse(MARK) == Other("mark")
    assert parse(STOP) == Stop()
    parsed = parse(START)
    assert isinstance(parsed, Start)
    assert (parsed.call_sid, parsed.tracks, parsed.encoding) == ("CA1", ("outbound", "inbound"), "pcmu")


def test_parameters_become_the_metadata_of_the_call() -> None:
    parsed = parse(START)
    assert isinstance(parsed, Start)
    expected = CallStarted(
        call_id="CA1",
        at_ms=9,
        lane="live",
        direction="outbound",
        scenario="loan-sales",
        agent_id="A7",
        channels=("agent", "customer"),
        attributes={"vip": "1"},
        door="twilio",
        language="zh-CN",
    )
    assert call_started(parsed, "CA1", 9) == expected


def test_roles_and_the_id_may_be_chosen_and_the_token_goes_nowhere() -> None:
    parameters = {"inbound": "agent", "outbound": "customer", "call_id": "mine", "token": "secret", "ruleset": "r"}
    parsed = parse(start(customParameters=parameters))
    assert isinstance(parsed, Start)
    call = call_started(parsed, "mine", 0)
    assert (call.channels, call.ruleset) == (("customer", "agent"), "r")
    assert call.attributes == {"twilio_call_sid": "CA1"}


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        (["inbound"], ("inbound",)),
        (["outbound"], ("outbound",)),
        (None, ("outbound", "inbound")),
        ("both_tracks", ("outbound", "inbound")),
        (["inbound_track"], ("inbound",)),
    ],
)
def test_tracks(tracks: object, expected: tuple[str, ...]) -> None:
    parsed = parse(start(tracks=tracks))
    assert isinstance(parsed, Start)
    assert parsed.tracks == expected


def test_numbers_may_be_numbers_and_timestamps_may_be_missing() -> None:
    assert parse(media(timestamp=40, chunk=3)) == Media("outbound", 40, 3, b"\xff\xff\x00")
    assert parse(media(timestamp=None, chunk=None)) == Media("outbound", None, None, b"\xff\xff\x00")


def test_a_law_is_understood() -> None:
    parsed = parse(start(mediaFormat={"encoding": "audio/x-alaw", "sampleRate": "8000", "channels": 1}))
    assert isinstance(parsed, Start)
    assert parsed.encoding == "pcma"


def test_hold_and_transfer() -> None:
    assert parse('{"event":"hold","hold":{"held":true}}') == Hold(True)
    assert parse('{"event":"mark","mark":{"name":"hold"}}') == Hold(True)
    assert parse('{"event":"mark","mark":{"name":"unhold"}}') == Hold(False)
    assert parse('{"event":"agent","agent":{"agent_id":"A2","team_id":"t"}}') == AgentChange("A2", "t")


def test_events_of_the_future_do_no_harm() -> None:
    assert parse('{"event":"telepathy","x":1}') == Other("telepathy")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"event":' * 50_000, "not JSON"),
        ('{"event":"media","n":' + "9" * 50_000 + "}", "not JSON"),
        ("[1]", "no `event`"),
        ('{"event":7}', "no `event`"),
        ('{"event":"media"}', "no `media`"),
        ('{"event":"start","start":[]}', "no `start`"),
        ('{"event":"hold","hold":{"held":"yes"}}', "true or false"),
        ('{"event":"agent","agent":{}}', "no `agent_id`"),
        (media(track="sideways"), "unknown `track`"),
        (media(track=["inbound"]), "unknown `track`"),
        (media(payload=7), "no `payload`"),
        (media(payload="%%%%"), "not base64"),
        (media(payload="AAA"), "not base64"),
        (media(payload="语音"), "not base64"),
        (media(timestamp="soon"), "`timestamp` is not a number"),
        (media(timestamp="-5"), "`timestamp` is not a number"),
        (media(timestamp="٥"), "`timestamp` is not a number"),
        (media(timestamp=10**30), "`timestamp` is not a number"),
        (media(timestamp=1.5), "`timestamp` is not a number"),
        (media(timestamp=True), "`timestamp` is not a number"),
        (start(mediaFormat={"encoding": "audio/opus"}), "must be audio/x-mulaw"),
        (start(mediaFormat={"encoding": ["x"]}), "must be audio/x-mulaw"),
        (start(mediaFormat={"sampleRate": 16000}), "8000 Hz"),
        (start(mediaFormat={"channels": 2}), "1 channel"),
        (start(mediaFormat="x"), "`mediaFormat` is not an object"),
        (start(customParameters=[1]), "`customParameters`"),
        (start(customParameters={str(n): "x" for n in range(200)}), "`customParameters`"),
        (start(customParameters={"agent_id": ["x"]}), "`agent_id` is not a text"),
        (start(customParameters={"agent_id": "x" * 5_000}), "`agent_id` is not a text"),
        (start(customParameters={"agent_id": "a\x00b"}), "control characters"),
        (start(customParameters={"call_id": "x" * 300}), "longer than 200"),
        (start(tracks=["up"]), "unknown track"),
        (start(tracks=[]), "not a list"),
        (start(tracks=[{}]), "unknown track"),
        ('{"event":"start","start":{}}', "neither `callSid`"),
    ],
)
def test_what_is_wrong_is_said(text: str, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        parse(text)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [({"direction": "up"}, "direction"), ({"inbound": "robot"}, "role"), ({"inbound": "agent,agent"}, "more than one")],
)
def test_wrong_metadata_are_said(parameters: dict[str, str], reason: str) -> None:
    parsed = parse(start(customParameters=parameters))
    assert isinstance(parsed, Start)
    with pytest.raises(BadRecord, match=reason):
        call_started(parsed, "c", 0)


NAMES = (
    "event",
    "media",
    "start",
    "track",
    "payload",
    "timestamp",
    "chunk",
    "tracks",
    "mediaFormat",
    "encoding",
    "callSid",
    "customParameters",
    "hold",
    "held",
    "mark",
    "name",
    "agent",
    "agent_id",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@given(st.sampled_from(["media", "start", "hold", "mark", "agent", "stop", "x"]), JSON, JSON)
def test_no_message_makes_the_parser_fail_in_another_way(event: str, body: Any, other: Any) -> None:
    message = {"event": event, event: body, "other": other}
    try:
        parsed = parse(json.dumps(message))
        if isinstance(parsed, Start):
            call_started(parsed, "c", 0)
    except BadRecord:
        pass


@given(st.binary(max_size=300))
def test_every_payload_comes_through(audio: bytes) -> None:
    parsed = parse(media(payload=base64.b64encode(audio).decode()))
    assert isinstance(parsed, Media)
    assert parsed.payload == audio


def test_the_signature_is_that_of_twilio() -> None:
    """The example of Twilio's documentation of request validation, without its parameters, computed by openssl."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert twilio.signature("12345", url) == "zYQTYrRWXE7LtzbG4PfP7/bkkGo="
