"""From probabilities of speech to utterances."""

from __future__ import annotations

from itertools import groupby, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.speech.utterances import (
    CLOSE_WINDOWS,
    GRID_OFFSET,
    GRID_WINDOWS,
    LEAD_WINDOWS,
    MOST_WINDOWS,
    OPEN_WINDOWS,
    SEARCH_WINDOWS,
    Closed,
    Segmenter,
    lead_of,
)
from processors.speech.vad import VoiceActivity


def cut(speech: list[bool], quiet: int = -1, segments: Segmenter | None = None, first: int = 0) -> list[Closed]:
    """Utterances of these windows, the last one closed by the end; the quietest window is `quiet` where it may be."""
    segments = segments or Segmenter()
    closed = [
        segments.observe(first + window, one, lambda start, end: quiet if start <= quiet < end else start)
        for window, one in enumerate(speech)
    ]
    return [one for one in [*closed, segments.close()] if one is not None]


def test_speech_begins_high_and_lasts_lower() -> None:
    """Hysteresis: 0.4 keeps speech going and does not begin it."""
    voice = VoiceActivity()
    heard = [voice.observe(p) for p in (0.4, 0.49, 0.5, 0.4, 0.35, 0.34, 0.4, 0.9)]
    assert heard == [False, False, True, True, True, False, False, True]


def test_a_click_is_no_utterance() -> None:
    assert cut([True] * (OPEN_WINDOWS - 1) + [False] * 50) == []
    assert len(cut([True] * OPEN_WINDOWS + [False] * 50)) == 1


def test_an_utterance_lasts_from_its_first_to_behind_its_last_window_of_speech() -> None:
    assert cut([False] * 10 + [True] * 20 + [False] * 40) == [Closed(0, 10, 30, False)]


def test_a_pause_shorter_than_600_ms_does_not_close() -> None:
    assert len(cut([True] * 10 + [False] * (CLOSE_WINDOWS - 1) + [True] * 10)) == 1
    assert len(cut([True] * 10 + [False] * CLOSE_WINDOWS + [True] * 10)) == 2
    assert CLOSE_WINDOWS * 32 >= 600 > (CLOSE_WINDOWS - 1) * 32


def test_twenty_seconds_are_cut_at_the_quietest_point_of_the_last_five() -> None:
    quiet = MOST_WINDOWS - 60
    assert SEARCH_WINDOWS > 60
    first, second = cut([True] * (MOST_WINDOWS + 100), quiet)
    assert (first.end, first.cut) == (quiet, True)
    assert (second.start, second.end, second.number) == (quiet, MOST_WINDOWS + 100, 1)


def test_the_audio_begins_on_the_grid_some_time_before_the_speech() -> None:
    for start in range(40):
        lead = lead_of(start)
        assert (lead - GRID_OFFSET) % GRID_WINDOWS == 0
        assert LEAD_WINDOWS <= start - lead < LEAD_WINDOWS + GRID_WINDOWS


def test_what_may_become_an_utterance_is_not_final() -> None:
    """A tick must not promise that nothing begins before a window that is speech already."""
    segments = Segmenter()
    untils = []
    for window, speech in enumerate([False] * 5 + [True] * 6):
        segments.observe(window, speech, lambda start, end: start)
        untils.append(segments.final_until(window + 1))
    assert untils == [1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5]


speeches = st.lists(st.tuples(st.booleans(), st.integers(1, 700)), max_size=8).map(
    lambda runs: [speech for speech, count in runs for _ in range(count)]
)


@settings(max_examples=80)
@given(speeches, st.integers(0, 2_000))
def test_utterances_are_numbered_apart_and_never_too_long(speech: list[bool], quiet: int) -> None:
    utterances = cut(speech, quiet)
    assert [one.number for one in utterances] == list(range(len(utterances)))
    for one in utterances:
        assert 0 < one.end - one.start <= MOST_WINDOWS
        assert all(speech[one.start : one.start + OPEN_WINDOWS]) or one.number > 0
    assert all(one.end <= following.start for one, following in pairwise(utterances))
    covered = {window for one in utterances for window in range(one.start, one.end)}
    runs = [[window for window, _ in run] for spoken, run in groupby(enumerate(speech), lambda each: each[1]) if spoken]
    assert {window for run in runs if len(run) >= OPEN_WINDOWS for window in run} <= covered


@settings(max_examples=60)
@given(speeches, st.integers(0, 2_000), st.integers(0, 5_000))
def test_a_segmenter_that_was_stored_goes_on_alike(speech: list[bool], quiet: int, at: int) -> None:
    at = min(at, len(speech))
    segments = Segmenter()
    before = [
        segments.observe(window, one, lambda start, end: quiet if start <= quiet < end else start)
        for window, one in enumerate(speech[:at])
    ]
    again = Segmenter.load(segments.dump())
    assert [one for one in before if one] + cut(speech[at:], quiet, again, at) == cut(speech, quiet)


@settings(max_examples=60)
@given(speeches, st.integers(0, 2_000))
def test_nothing_begins_before_what_was_called_final(speech: list[bool], quiet: int) -> None:
    segments = Segmenter()
    frontier, starts = 0, []
    for window, one in enumerate(speech):
        number = segments.next_number
        segments.observe(window, one, lambda start, end: quiet if start <= quiet < end else start)
        if segments.next_number > number and segments.open is not None:
            starts.append((segments.open.start, frontier))
        assert segments.final_until(window + 1) >= frontier
        frontier = segments.final_until(window + 1)
    assert all(start >= final for start, final in starts)
