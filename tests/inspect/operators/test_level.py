"""Loudness."""

from __future__ import annotations

import pytest

from processors.inspect.operators.level import Level
from processors.records import Utterance
from tests.inspect.measuring import hits, read, spans, try_read
from tests.inspect.timeline import said, started


def level(text: str) -> Level:
    found: Level = read(Level, text)
    return found


def loud(n: int, level_db: float, channel: int = 0) -> Utterance:
    return said(channel, n * 5000, n * 5000 + 2000, level_db=level_db)


@pytest.mark.parametrize(("level_db", "found"), [(-12.0, []), (-11.9, [(0, 2000)])])
def test_exactly_the_limit_is_not_above_it(level_db: float, found: list[tuple[int, int]]) -> None:
    assert spans(level("{of: agent, above_db: -12}"), [started(), loud(0, level_db)]) == found


@pytest.mark.parametrize(("level_db", "found"), [(-40.0, []), (-40.1, [(0, 2000)])])
def test_exactly_the_lower_limit_is_not_below_it(level_db: float, found: list[tuple[int, int]]) -> None:
    assert spans(level("{of: agent, below_db: -40}"), [started(), loud(0, level_db)]) == found


@pytest.mark.parametrize(("level_db", "found"), [(-16.1, []), (-16.0, [(10_000, 12_000)])])
def test_a_jump_counts_from_exactly_its_size(level_db: float, found: list[tuple[int, int]]) -> None:
    records = [started(), loud(0, -26), loud(1, -26), loud(2, level_db)]
    assert spans(level("{of: agent, jump_db: 10}"), records) == found


def test_a_jump_is_measured_against_the_speaker_himself() -> None:
    records = [started(), loud(0, -40, 1), loud(0, -12), loud(1, -40, 1), loud(1, -12), loud(2, -10)]
    assert spans(level("{of: agent, jump_db: 10}"), records) == []


def test_no_jump_before_two_utterances() -> None:
    assert spans(level("{of: agent, jump_db: 10}"), [started(), loud(0, -40), loud(1, -10)]) == []


def test_shouting_is_told_once_until_it_is_over() -> None:
    records = [started(), *(loud(n, db) for n, db in enumerate((-26, -26, -8, -8, -8, -26, -8)))]
    assert spans(level("{of: agent, jump_db: 10}"), records) == [(10_000, 12_000), (30_000, 32_000)]


def test_the_value_is_the_level_or_the_size_of_the_jump() -> None:
    records = [started(), loud(0, -26), loud(1, -26), loud(2, -8)]
    assert hits(level("{of: agent, jump_db: 10}"), records)[0].value == 18.0
    assert hits(level("{of: agent, above_db: -12}"), records)[0].value == -8.0


def test_without_acoustics_nothing_is_known() -> None:
    assert spans(level("{of: agent, below_db: -40}"), [started(), said(0, 0, 2000)]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{of: agent}", "exactly one of"),
        ("{of: agent, above_db: 3}", "at most 0"),
        ("{of: agent, jump_db: 0}", "above 0"),
        ("{of: agent, jump_db: 5, above_db: -3}", "exactly one of"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    assert any(message in str(problem) for problem in try_read(Level, text)[1])
