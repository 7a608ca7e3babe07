"""The audio of a channel on the time line of its call."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.runtime.errors import BadRecord
from processors.speech.resample import BLOCK, BLOCK_MS
from processors.speech.track import MOST_AHEAD_MS, Track
from tests.speech.pretended import chunk, chunks

RATE_HZ = 8_000
RAMP = (np.arange(RATE_HZ * 2) % 2_000).astype(np.int16)  # two seconds in which no two places are alike for long


def of(*parts: tuple[int, int]) -> tuple[Track, list[int]]:
    """A track of pieces of the ramp (from, until in ms) and what was missing before each."""
    track = Track()
    missing = [track.add(chunk(RAMP[begin * 8 : end * 8], begin), offset) for offset, (begin, end) in enumerate(parts)]
    return track, missing


def blocks(track: Track) -> list[np.ndarray | None]:
    return [track.block(number)[0] for number in range(track.blocks)]


@settings(max_examples=60)
@given(st.sets(st.integers(1, 1_999), max_size=12), st.sampled_from([8_000, 11_025, 16_000, 44_100, 48_000]))
def test_any_cutting_into_chunks_gives_the_same_blocks(cuts_ms: set[int], rate_hz: int) -> None:
    samples = (np.sin(np.arange(2 * rate_hz) * 0.05) * 9_000).astype(np.int16)
    tracks = []
    for cuts in (set(), cuts_ms):
        track = Track()
        for offset, part in enumerate(chunks(samples, cuts, rate_hz=rate_hz)):
            assert track.add(part, offset) == 0
        track.end(2_000)
        tracks.append(blocks(track))
    assert len(tracks[0]) == 13
    for one, other in zip(*tracks, strict=True):
        assert one is not None and other is not None and len(one) == BLOCK
        assert np.array_equal(one, other)


def test_what_comes_twice_or_overlaps_counts_once() -> None:
    whole, _ = of((0, 1000))
    track, missing = of((0, 400), (0, 400), (200, 700), (100, 300), (700, 1000))
    assert missing == [0] * 5
    for one, other in zip(blocks(track), blocks(whole), strict=True):
        assert one is not None and other is not None and np.array_equal(one, other)


def test_what_is_missing_is_silence_and_is_counted() -> None:
    track, missing = of((0, 320), (960, 1600))
    assert missing == [0, 640]
    assert track.known_ms == 1600
    empty = [number for number in range(track.blocks) if track.block(number)[0] is None]
    assert empty == [3, 4]
    assert [track.block(number)[1] for number in range(8)] == [160, 160, 0, 0, 0, 0, 160, 160]


def test_a_late_chunk_fills_no_gap_that_has_been_taken_for_silence() -> None:
    track, _ = of((0, 320), (960, 1600), (320, 960))
    assert track.block(4) == (None, 0)


def test_rounded_start_times_leave_no_holes() -> None:
    """Chunks of 20 ms at 11,025 Hz begin between two milliseconds."""
    samples = (np.sin(np.arange(11_025) * 0.05) * 9_000).astype(np.int16)
    track, size = Track(), 441
    for number in range(25):
        part = samples[number * size : (number + 1) * size]
        assert track.add(chunk(part, round(number * size / 11.025), rate_hz=11_025), number) == 0
    assert track.known_ms == 1_000


def test_blocks_come_out_only_when_nothing_can_change_them() -> None:
    """The block before the end waits for its margin: what comes next is heard in it."""
    track, _ = of((0, BLOCK_MS))
    assert track.blocks == 0
    track.add(chunk(RAMP[BLOCK_MS * 8 : (BLOCK_MS + 10) * 8], BLOCK_MS), 1)
    assert track.blocks == 1
    track.end(BLOCK_MS + 10)
    assert track.blocks == 2


def test_only_the_records_that_are_still_needed_hold_the_offset_back() -> None:
    track, _ = of(*((begin, begin + 100) for begin in range(0, 2000, 100)))
    assert track.needed_offset == 0
    track.forget(5)
    assert track.needed_offset == 0, "what was read may have to be read again"
    track.release(5)
    assert track.needed_offset == 7, "block 5 begins at 800 ms, its margin 10 ms before"
    track.release(100)
    assert track.needed_offset is None


def test_memory_holds_only_what_was_not_read() -> None:
    track, _ = of(*((begin, begin + 100) for begin in range(0, 2000, 100)))
    assert track.held_ms == 2000
    track.forget(10)
    assert track.held_ms == 500


@pytest.mark.parametrize(
    ("start_ms", "rate_hz", "message"),
    [
        (0, 7_999, "no sample rate"),
        (0, 96_000, "no sample rate"),
        (100, 16_000, "changed within the channel"),
        (100 + MOST_AHEAD_MS + 1, 8_000, "not within two hours"),
        (-1, 8_000, "not within two hours"),
    ],
)
def test_chunk_that_can_not_be_placed_is_a_bad_record(start_ms: int, rate_hz: int, message: str) -> None:
    track, _ = of((0, 100))
    with pytest.raises(BadRecord, match=message):
        track.add(chunk(RAMP[:80], start_ms, rate_hz=rate_hz), 1)
    assert track.known_ms == 100


def test_half_a_sample_is_a_bad_record() -> None:
    odd = chunk(RAMP[:80], 0)
    odd = type(odd)(**{**{name: getattr(odd, name) for name in odd.__slots__}, "payload": odd.payload[:-1]})
    with pytest.raises(BadRecord, match="whole number"):
        Track().add(odd, 0)


def test_a_gap_moves_the_channel_on() -> None:
    track, _ = of((0, 400))
    assert track.skip(1_000) == 600
    assert track.skip(900) == 0
    assert track.known_ms == 1_000
    with pytest.raises(BadRecord):
        track.skip(MOST_AHEAD_MS + 1_001)
