"""Tokens of the network to what an utterance says, and what is counted as left out."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.records import Skipped
from processors.speech.coverage import Skips
from processors.speech.hypotheses import (
    LONGEST_TOKEN_MS,
    alternatives_of,
    characters,
    spaced,
    text_of,
    tokens_of,
)
from processors.speech.overload import ACOUSTICS_LAG_S, MEANING_LAG_S, PARTIALS_LAG_S, effort_at
from processors.speech.recogniser import Grid, Piece, first_sample
from processors.speech.slots import Slots
from tests.speech.pretended import GRID


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (["▁你", "好"], "你好"),
        (["▁你", "▁好"], "你好"),
        (["▁app", "▁store"], "app store"),
        (["▁打开", "▁app", "吧"], "打开app吧"),
        (["▁a", "b", "▁c"], "ab c"),
        (["<unk>", "你"], "你"),
        (["▁", "▁你"], "你"),
        ([], ""),
    ],
)
def test_marks_of_words_become_spaces_between_words_of_letters_only(labels: list[str], text: str) -> None:
    assert "".join(spaced(labels)) == text


def pieces(*places: tuple[int, int]) -> list[Piece]:
    """Tokens of these frames (first, last)."""
    return [Piece(number, first, last, 0.9) for number, (first, last) in enumerate(places)]


def test_a_character_lasts_until_the_next_one_but_not_long() -> None:
    tokens = tokens_of(pieces((0, 0), (2, 3), (20, 22)), GRID, 1_000, 1_000, 5_000)
    assert [(one.text, one.start_ms, one.end_ms) for one in tokens] == [
        ("您", 1_000, 1_160),
        ("好", 1_160, 1_160 + LONGEST_TOKEN_MS),
        ("请", 2_600, 2_840),
    ]
    assert text_of(pieces((0, 0), (2, 3)), GRID) == "您好"
    assert characters(tokens) == 3


def test_what_a_character_may_be_instead_goes_with_it() -> None:
    doubtful = [Piece(0, 0, 0, 0.9), Piece(1, 2, 2, 0.5, (2, 0))]

    assert [one.alternatives for one in tokens_of(doubtful, GRID, 0, 0, 5_000)] == ["", "请您"]
    assert alternatives_of(doubtful, GRID) == ("", "请您")
    assert alternatives_of(pieces((0, 0), (2, 3)), GRID) == ()


def test_words_of_letters_have_no_characters_instead() -> None:
    grid = Grid(9, 16, 2, 80, ("▁app", "▁apple", "好"))

    assert [one.alternatives for one in tokens_of([Piece(0, 0, 0, 0.5, (1, 2))], grid, 0, 0, 5_000)] == [""]
    assert alternatives_of([Piece(0, 0, 0, 0.5, (1, 2)), Piece(2, 4, 4, 0.5, (1,))], grid) == ()


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 10)), max_size=30),
    st.integers(-400, 10_000),
    st.integers(0, 20_000),
)
def test_tokens_lie_in_order_within_their_utterance(places: list[tuple[int, int]], zero: int, length: int) -> None:
    start_ms, end_ms = max(0, zero + 200), max(0, zero + 200) + length
    ordered = sorted(places)
    tokens = tokens_of(
        [Piece(n % 14, first, first + more, 0.5) for n, (first, more) in enumerate(ordered)], GRID, zero, start_ms,
        end_ms,
    )  # fmt: skip
    assert len(tokens) == len(ordered)
    assert all(start_ms <= one.start_ms <= one.end_ms <= end_ms for one in tokens)
    assert all(one.end_ms <= two.start_ms for one, two in pairwise(tokens))


@given(st.integers(1, 20), st.integers(1, 64), st.integers(1, 8), st.integers(0, 400_000))
def test_the_grid_agrees_with_itself(first: int, features: int, frames: int, samples: int) -> None:
    grid = Grid(first, features, frames, 80, ())
    chunks = grid.chunks_within(samples)
    assert grid.samples_until(chunks) <= samples or chunks == 0
    assert samples < grid.samples_until(chunks + 1)
    over = grid.chunks_over(samples)
    assert grid.samples_until(over) >= samples
    assert over == 0 or grid.samples_until(over - 1) < samples
    assert first_sample(grid, chunks) <= grid.samples_until(chunks)


def test_what_is_left_out_is_counted_by_reason() -> None:
    skips = Skips()
    for _ in range(3):
        skips.add("overload_partials", 160)
    skips.add("overload_meaning", 900)
    again = Skips.load(skips.dump())
    coverage = again.coverage(heard_ms=19_000, channels=2, call_ms=10_000)
    assert (coverage.audio_ms, coverage.transcribed_ms) == (19_000, 19_000)
    assert coverage.skipped == (
        Skipped(reason="overload_meaning", amount_ms=900, count=1),
        Skipped(reason="overload_partials", amount_ms=480, count=3),
        Skipped(reason="media_gap", amount_ms=1_000, count=1),
    )


def test_rounding_is_no_gap() -> None:
    assert Skips().coverage(heard_ms=19_998, channels=2, call_ms=10_000).skipped == ()


def test_overload_takes_partials_first_then_meaning_then_acoustics() -> None:
    lags = (0.0, PARTIALS_LAG_S, MEANING_LAG_S, ACOUSTICS_LAG_S)
    left = [(one.partials, one.meaning, one.acoustics) for one in map(effort_at, lags)]
    assert left == [(True, True, True), (False, True, True), (False, False, True), (False, False, False)]
    assert [effort_at(lag).overloaded for lag in lags] == [False, True, True, True]


def test_a_slot_is_given_once_and_taken_back_once() -> None:
    slots = Slots(3)
    assert [slots.take() for _ in range(4)] == [0, 1, 2, None]
    slots.give_back(1)
    assert (slots.taken, slots.take()) == (2, 1)
    slots.give_back(0)
    with pytest.raises(ValueError, match="slot 0 is free already"):
        slots.give_back(0)
