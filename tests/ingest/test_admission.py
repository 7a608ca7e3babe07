"""Who may come in, under which name, and how fast."""

from __future__ import annotations

import pytest

from processors.ingest import admission
from processors.ingest.admission import Addresses, CallIds, Pace, Refused, same, signed_by_twilio, token_given
from processors.ingest.dialects import twilio
from processors.runtime.errors import BadRecord


def start(call_id: str = "", call_sid: str = "CA1") -> twilio.Start:
    return twilio.Start(call_id, call_sid, "MZ1", ("inbound",), "pcmu", {})


def test_a_call_cannot_be_open_twice() -> None:
    ids = CallIds()
    assert ids.take(start("mine")) == "mine"
    with pytest.raises(Refused, match="already open"):
        ids.take(start("mine"))
    ids.release("mine")
    assert ids.take(start("mine")) == "mine"


def test_the_second_stream_of_a_phone_call_is_a_call_of_its_own() -> None:
    ids = CallIds()
    names = []
    for _ in range(3):
        names.append(ids.take(start()))
        ids.release(names[-1])
    assert names == ["CA1", "CA1.2", "CA1.3"]


def test_the_memory_of_names_is_bounded() -> None:
    ids = CallIds()
    for number in range(admission.REMEMBERED_IDS + 10):
        ids.release(ids.take(start(call_sid=f"CA{number}")))
    assert ids.take(start(call_sid="CA0")) == "CA0"


def test_real_time_is_never_slowed_down() -> None:
    pace = Pace(0.0)
    assert all(pace.wait_s(0.01 * number, 10 * number) == 0.0 for number in range(20_000))


def test_a_stream_that_is_too_fast_is_read_at_twice_the_speed() -> None:
    pace, now_s = Pace(0.0), 0.0
    for number in range(20_000):
        now_s += pace.wait_s(now_s, 20 * number)
    assert now_s == pytest.approx((400 - 30) / 2, rel=0.05)


def test_timestamps_that_run_away_are_an_error() -> None:
    with pytest.raises(BadRecord, match="ahead of the clock"):
        Pace(0.0).wait_s(1.0, 7_200_000)


def test_a_flood_of_messages_without_audio_is_slowed_down() -> None:
    pace, now_s = Pace(0.0), 0.0
    for _ in range(12_500):
        now_s += pace.wait_s(now_s, 0)
    assert now_s == pytest.approx(20, rel=0.1)


def test_an_address_has_so_many_connections_and_no_more() -> None:
    addresses = Addresses(2)
    assert [addresses.enter("a"), addresses.enter("a"), addresses.enter("a"), addresses.enter("b")] == [
        True,
        True,
        False,
        True,
    ]
    addresses.leave("a")
    assert addresses.enter("a")


@pytest.mark.parametrize(
    ("path", "headers", "token"),
    [
        ("/twilio", [("Authorization", "Bearer abc")], "abc"),
        ("/twilio?token=abc", [], "abc"),
        ("/twilio?x=1", [("Authorization", "Basic abc")], ""),
        ("/twilio?" + "&".join(f"a{n}=1" for n in range(100)), [], ""),
    ],
)
def test_tokens_come_in_a_header_or_in_the_address(path: str, headers: list[tuple[str, str]], token: str) -> None:
    assert token_given(path, headers) == token


def test_comparison_stands_any_text() -> None:
    assert same("密码", "密码")
    assert not same("secret", "\udcff")


def test_a_signature_counts_for_the_address_that_was_called() -> None:
    mark = twilio.signature("auth", "wss://calls.example.com/twilio")
    headers = {"Host": "calls.example.com", "X-Twilio-Signature": mark}
    assert signed_by_twilio("auth", "", "/twilio", headers)
    assert signed_by_twilio("auth", "wss://calls.example.com/twilio", "/inner", {**headers, "Host": "10.0.0.1"})
    assert not signed_by_twilio("other", "", "/twilio", headers)
    assert not signed_by_twilio("auth", "", "/twilio", {"Host": "calls.example.com"})
