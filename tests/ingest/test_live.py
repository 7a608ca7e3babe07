"""Time is kept on the call's grid, whatever happens to the frames on their way."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ingest.live import MAX_SKEW_MS, LiveCall
from processors.ingest.media import MediaRecord
from processors.records import AgentJoined, AudioChunk, CallEnded, CallStarted, HoldChanged, MediaGap

Frame = tuple[int, int, bytes]
"""Channel, timestamp, payload."""


def new_call(channels: int = 2) -> LiveCall:
    roles = ("agent", "customer")[:channels]
    return LiveCall(CallStarted(call_id="c", at_ms=5_000, lane="live", channels=roles), "pcmu", 8000)


def speech(channel: int, count: int, begin_ms: int = 0) -> list[Frame]:
    """Frames of 20 ms, each with bytes of its own."""
    return [(channel, begin_ms + 20 * n, bytes([(begin_ms // 20 + n) % 251, channel]) * 80) for n in range(count)]


def play(call: LiveCall, frames: Iterable[Frame], *, numbered: bool = True) -> list[MediaRecord]:
    records: list[MediaRecord] = []
    for channel, timestamp_ms, payload in frames:
        records += call.audio(channel, timestamp_ms, timestamp_ms // 20 + 1 if numbered else None, payload)
    return records + call.end("hangup")


def heard(records: list[MediaRecord], channel: int) -> dict[int, bytes]:
    """Payload byte by its call time in eighths of a millisecond."""
    audio: dict[int, bytes] = {}
    for record in records:
        if isinstance(record, AudioChunk) and record.channel == channel:
            for offset in range(0, len(record.payload), 160):
                audio[record.start_ms * 8 + offset] = record.payload[offset : offset + 160]
    return audio


def gaps(records: list[MediaRecord], channel: int) -> list[tuple[int, int, str]]:
    return [(r.start_ms, r.end_ms, r.reason) for r in records if isinstance(r, MediaGap) and r.channel == channel]


def merged(*tracks: list[Frame]) -> list[Frame]:
    return sorted((frame for track in tracks for frame in track), key=lambda frame: (frame[1], frame[0]))


def test_a_whole_call_has_no_gap_and_one_end() -> None:
    records = play(new_call(), merged(speech(0, 101), speech(1, 101)))
    assert not gaps(records, 0)
    assert not gaps(records, 1)
    assert [len(r.payload) for r in records if isinstance(r, AudioChunk) and r.channel == 0] == [800] * 20 + [160]
    assert records[-1] == CallEnded(call_id="c", call_ms=2020, at_ms=7020, reason="hangup")


def test_nothing_comes_after_the_end() -> None:
    call = new_call()
    play(call, speech(0, 3))
    late = [(0, 60 + 20 * n, bytes(160)) for n in range(9)]
    assert play(call, late) == []
    assert call.hold(True) == []
    assert call.agent_joined("A2", "t") == []
    assert call.end("connection_lost") == []


@pytest.mark.parametrize("numbered", [True, False])
def test_lost_frames_become_a_gap_and_what_follows_keeps_its_time(numbered: bool) -> None:
    frames = [frame for frame in speech(0, 50) if not 200 <= frame[1] < 460]
    records = play(new_call(1), frames, numbered=numbered)
    assert gaps(records, 0) == [(200, 460, "lost")]
    assert heard(records, 0) == {8 * at_ms: payload for _, at_ms, payload in frames}


def test_one_lost_frame_is_a_gap_of_a_frame() -> None:
    frames = [frame for frame in speech(0, 50) if frame[1] != 300]
    assert gaps(play(new_call(1), frames), 0) == [(300, 320, "lost")]


def test_a_call_may_begin_late() -> None:
    assert gaps(play(new_call(1), speech(0, 20, begin_ms=100)), 0) == [(0, 100, "lost")]


@pytest.mark.parametrize("numbered", [True, False])
def test_repeated_frames_are_dropped(numbered: bool) -> None:
    frames = speech(0, 50)
    call = new_call(1)
    twice = [copy for number, frame in enumerate(frames) for copy in [frame] * (1 + (number % 3 == 0))]
    assert play(call, twice, numbered=numbered) == play(new_call(1), frames)
    assert call.dropped == 17


@given(st.randoms(use_true_random=False))
def test_frames_that_overtake_each_other_by_two_are_sorted(draw: random.Random) -> None:
    frames = speech(0, 60)
    shuffled = sorted(frames, key=lambda frame: frame[1] + draw.uniform(0, 50))
    assert play(new_call(1), shuffled) == play(new_call(1), frames)


def test_a_frame_that_comes_much_too_late_is_dropped() -> None:
    frames = speech(0, 50)
    call = new_call(1)
    records = play(call, [*frames[:10], *frames[11:], frames[10]])
    assert gaps(records, 0) == [(200, 220, "lost")]
    assert call.dropped == 1


@given(st.lists(st.integers(-9, 9), min_size=50, max_size=50))
def test_jitter_of_timestamps_within_half_a_frame_is_no_gap(jitter: list[int]) -> None:
    frames = speech(0, 50)
    jittered = [(c, max(0, at_ms + off), payload) for (c, at_ms, payload), off in zip(frames, jitter, strict=True)]
    records = play(new_call(1), jittered)
    assert not gaps(records, 0)
    assert len(heard(records, 0)) == 50


def test_a_clock_that_runs_slow_loses_no_time() -> None:
    """Frames of 20 ms each 19 ms: a frame is given up now and then, and the call is as long as it was."""
    frames = [(0, 19 * n, bytes(160)) for n in range(500)]
    call = new_call(1)
    records = play(call, frames)
    assert abs(call.end_ms - 19 * 500) <= 40
    assert not gaps(records, 0)


def test_frames_of_any_length_give_the_same_chunks() -> None:
    audio = bytes(n % 251 for n in range(8_000))
    expected = play(new_call(1), [(0, at_ms, audio[8 * at_ms : 8 * at_ms + 160]) for at_ms in range(0, 1000, 20)])
    for step_ms in (5, 10, 30, 50, 100, 250, 1000):
        frames = [(0, at_ms, audio[8 * at_ms : 8 * (at_ms + step_ms)]) for at_ms in range(0, 1000, step_ms)]
        assert play(new_call(1), frames, numbered=False) == expected


def test_a_track_that_falls_silent_does_not_hold_up_the_other() -> None:
    call = new_call()
    records: list[MediaRecord] = []
    for frame in [*merged(speech(0, 50), speech(1, 50)), *speech(1, 500, begin_ms=1000)]:
        records += call.audio(frame[0], frame[1], None, frame[2])
    known = max(gap.end_ms for gap in records if isinstance(gap, MediaGap) and gap.channel == 0)
    assert call.end_ms - known <= MAX_SKEW_MS + 100
    assert len(gaps(records, 0)) < 30
    records += call.end("hangup")
    assert gaps(records, 0)[0][0] == 1000
    assert gaps(records, 0)[-1][1] == 11_000


def test_the_silent_track_may_come_back() -> None:
    call = new_call()
    records = play(call, [*speech(1, 500), *merged(speech(0, 50, begin_ms=10_000), speech(1, 50, begin_ms=10_000))])
    assert set(heard(records, 0)) == {8 * at_ms for at_ms in range(10_000, 11_000, 20)}


def test_frames_without_timestamps_follow_each_other() -> None:
    call = new_call(1)
    records = [record for _ in range(10) for record in call.audio(0, None, None, bytes(160))]
    assert len(records) == 2
    assert call.end_ms == 200


def test_hold_and_transfer_are_said_once_in_call_time() -> None:
    call = new_call(1)
    for frame in speech(0, 30):
        call.audio(frame[0], frame[1], None, frame[2])
    assert call.hold(False) == []
    assert call.hold(True) == [HoldChanged(call_id="c", call_ms=600, held=True)]
    assert call.hold(True) == []
    assert call.agent_joined("A2", "t") == [AgentJoined(call_id="c", call_ms=600, agent_id="A2", team_id="t")]


TIMES = st.integers(0, 20_000)
NUMBERS = st.none() | st.integers(0, 99)


@given(st.lists(st.tuples(st.integers(0, 1), TIMES, NUMBERS, st.integers(0, 999)), max_size=60))
def test_no_frames_break_the_order_of_a_channel(frames: list[tuple[int, int, int | None, int]]) -> None:
    call = new_call()
    records: list[MediaRecord] = []
    for channel, timestamp_ms, number, size in frames:
        records += call.audio(channel, timestamp_ms, number, bytes(size))
    records += call.end("hangup")
    for channel in (0, 1):
        at_ms, seq = 0, 0
        for record in records:
            if isinstance(record, AudioChunk | MediaGap) and record.channel == channel:
                assert record.start_ms >= at_ms - 1
                chunk = isinstance(record, AudioChunk)
                at_ms = record.start_ms + len(record.payload) // 8 if chunk else record.end_ms
                if chunk:
                    assert record.seq == seq
                    seq += 1
        assert at_ms <= records[-1].call_ms + 1
