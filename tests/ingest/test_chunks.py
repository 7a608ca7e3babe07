"""Chunks depend on the samples alone, not on the pieces in which they came."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ingest.chunks import CHUNK_MS, ChannelGrid
from processors.records import AudioChunk, MediaGap


def pushed(pieces: list[bytes], encoding: str = "pcmu", rate_hz: int = 8000) -> list[AudioChunk]:
    """All chunks of a channel that comes in these pieces."""
    grid = ChannelGrid("c", 0, encoding, rate_hz)  # type: ignore[arg-type]
    chunks = [chunk for piece in pieces for chunk in grid.push(piece)]
    return chunks + grid.flush()


@given(st.binary(max_size=5_000), st.lists(st.integers(0, 5_000), max_size=20), st.sampled_from([8000, 11025, 44100]))
def test_any_split_of_the_bytes_gives_the_same_chunks(audio: bytes, cuts: list[int], rate_hz: int) -> None:
    places = [0, *sorted(min(cut, len(audio)) for cut in cuts), len(audio)]
    pieces = [audio[begin:end] for begin, end in pairwise(places)]
    assert pushed(pieces, "pcm_s16le", rate_hz) == pushed([audio], "pcm_s16le", rate_hz)


@given(st.binary(max_size=5_000), st.sampled_from(["pcmu", "pcm_s16le"]))
def test_no_sample_is_lost_or_doubled(audio: bytes, encoding: str) -> None:
    whole = len(audio) - (len(audio) % 2 if encoding == "pcm_s16le" else 0)
    assert b"".join(chunk.payload for chunk in pushed([audio], encoding)) == audio[:whole]


@pytest.mark.parametrize(
    ("rate_hz", "sizes"), [(8000, [800, 800, 400]), (11025, [1103, 1102, 795]), (44100, [4410, 2090])]
)
def test_chunks_lie_on_the_grid_of_a_tenth_of_a_second(rate_hz: int, sizes: list[int]) -> None:
    chunks = pushed([bytes(2 * sum(sizes))], "pcm_s16le", rate_hz)
    assert [len(chunk.payload) // 2 for chunk in chunks] == sizes
    assert [chunk.start_ms for chunk in chunks] == [CHUNK_MS * number for number in range(len(sizes))]
    assert [chunk.seq for chunk in chunks] == list(range(len(sizes)))


def test_a_gap_ends_the_chunk_before_it_and_keeps_the_time() -> None:
    grid = ChannelGrid("c", 1, "pcmu", 8000)
    records = [*grid.push(bytes(1000)), *grid.gap_until(230, "lost"), *grid.push(bytes(1600)), *grid.flush()]
    assert [(type(r), r.start_ms) for r in records] == [
        (AudioChunk, 0),
        (AudioChunk, 100),
        (MediaGap, 125),
        (AudioChunk, 230),
        (AudioChunk, 300),
        (AudioChunk, 400),
    ]
    assert isinstance(records[2], MediaGap)
    assert records[2].end_ms == 230
    assert grid.end_ms == 430


def test_a_gap_into_the_past_is_none() -> None:
    grid = ChannelGrid("c", 0, "pcmu", 8000)
    grid.push(bytes(800))
    assert grid.gap_until(100, "lost") == []
    assert grid.gap_until(20, "lost") == []


@given(
    st.lists(st.one_of(st.integers(1, 900), st.integers(-500, -1)), max_size=30), st.sampled_from([8000, 16000, 22050])
)
def test_chunks_and_gaps_cover_the_call_without_overlap(steps: list[int], rate_hz: int) -> None:
    """Positive steps are samples, negative ones gaps in milliseconds."""
    grid = ChannelGrid("c", 0, "pcm_s16le", rate_hz)
    records: list[AudioChunk | MediaGap] = []
    for step in steps:
        records += grid.push(bytes(2 * step)) if step > 0 else grid.gap_until(grid.end_ms - step, "lost")
    records += grid.flush()
    at_ms = 0.0
    for record in records:
        assert abs(record.start_ms - at_ms) <= 1.2
        gap = isinstance(record, MediaGap)
        at_ms = record.end_ms if gap else record.start_ms + len(record.payload) / 2 * 1000 / rate_hz
    assert abs(at_ms - grid.end_ms) <= 1.2
