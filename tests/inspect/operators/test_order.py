"""What measuring operators find does not depend on ticks, nor on how the timeline is cut, stored and read again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.inspect.operators import OPERATORS
from processors.inspect.operators.base import Measuring
from processors.records import Tick, Utterance
from tests.inspect.measuring import read, spans
from tests.inspect.timeline import ended, held, said, started, tick

WRITTEN = {
    "silence": ["{at_least_s: 2}", "{of: agent, at_least_s: 3}", "{at_least_s: 2, holds: true, times: 2}"],
    "response_time": [
        *("{of: agent, more_than_s: 1}", "{of: customer, less_than_s: 0.5}"),
        "{of: agent, more_than_s: 0.5, less_than_s: 2}",
    ],
    "metric": ["{is: silence_s, more_than: 2}", "{is: overlaps, more_than: 0}"],
    "overlap": ["{by: agent, at_least_ms: 300}", "{by: customer, at_least_ms: 700, times: 2}"],
    "rate": ["{of: agent, more_than: 200, over_s: 4}", "{of: customer, less_than: 150}"],
    "level": ["{of: agent, jump_db: 5}", "{of: customer, above_db: -20}"],
    "hold": ["{at_least_s: 2}", "{times: 2}", "{total_s: 3}"],
    "talk_ratio": ["{of: agent, more_than: 0.6}", "{of: agent, more_than: 0.5, from_s: 3}"],
    "duration": ["{more_than_s: 9}", "{less_than_s: 12}"],
}
CASES = [(word, text) for word, texts in WRITTEN.items() for text in texts]

pauses = st.integers(0, 4000)
lengths = st.integers(200, 5000)
turns = st.lists(st.tuples(pauses, lengths, st.integers(-30, -10)), max_size=6)
holds = st.lists(st.tuples(st.integers(100, 4000), st.integers(100, 4000)), max_size=3)


def speech(channel: int, spoken: list[tuple[int, int, int]]) -> list[Utterance]:
    """Utterances one after the other, ten characters each."""
    made, now_ms = [], 0
    for number, (pause_ms, length_ms, level_db) in enumerate(spoken):
        start_ms = now_ms + pause_ms
        now_ms = start_ms + length_ms
        made.append(said(channel, start_ms, now_ms, "一二三四五六七八九十", no=number + 1, level_db=level_db))
    return made


def timeline(utterances: list[Utterance], on_hold: list[tuple[int, int]], every_ms: int, lag_ms: int) -> list[Any]:
    """Records in the order of call time; ticks each `every_ms` (0: none) whose knowledge is `lag_ms` old."""
    timed: list[tuple[int, int, Any]] = [(one.end_ms, 0, one) for one in utterances]
    now_ms = 0
    for pause_ms, length_ms in on_hold:
        timed.append((now_ms + pause_ms, 1, held(now_ms + pause_ms)))
        now_ms += pause_ms + length_ms
        timed.append((now_ms, 1, held(now_ms, False)))
    last_ms = max((at_ms for at_ms, _, _ in timed), default=0) + 2500
    for call_ms in range(every_ms, last_ms, every_ms) if every_ms else ():
        finals = []
        for channel in (0, 1):
            open_ms = [one.start_ms for one in utterances if one.channel == channel and one.end_ms > call_ms]
            finals.append(max(0, min([*open_ms, call_ms]) - lag_ms))
        timed.append((call_ms, 2, tick(call_ms, *finals)))
    return [started(), *(record for _, _, record in sorted(timed, key=lambda one: one[:2])), ended(last_ms)]


@settings(max_examples=25)
@given(turns, turns, holds)
@pytest.mark.parametrize(("word", "text"), CASES)
def test_ticks_change_when_something_is_found_but_not_what(
    word: str, text: str, agent: list[Any], customer: list[Any], on_hold: list[Any]
) -> None:
    operator: Measuring = read(OPERATORS[word], text)
    utterances = [*speech(0, agent), *speech(1, customer)]
    wanted = sorted(spans(operator, timeline(utterances, on_hold, 1000, 0)))
    for every_ms, lag_ms in ((1000, 700), (3000, 0), (0, 0)):
        assert sorted(spans(operator, timeline(utterances, on_hold, every_ms, lag_ms))) == wanted


@settings(max_examples=15)
@given(turns, turns)
@pytest.mark.parametrize(("word", "text"), [case for case in CASES if case[0] not in ("hold", "duration")])
def test_utterances_that_close_at_the_same_time_may_come_in_any_order(
    word: str, text: str, agent: list[Any], customer: list[Any]
) -> None:
    operator: Measuring = read(OPERATORS[word], text)
    records = timeline([*speech(0, agent), *speech(1, customer)], [], 1000, 0)
    swapped = list(records)
    for index in range(1, len(swapped) - 2):
        one, two = swapped[index], swapped[index + 1]
        if isinstance(one, Utterance) and isinstance(two, Utterance) and one.channel != two.channel:
            known = max(
                (max(c.final_until_ms for c in r.channels) for r in swapped[:index] if isinstance(r, Tick)), default=0
            )
            if min(one.start_ms, two.start_ms) >= known:
                swapped[index], swapped[index + 1] = two, one
    assert sorted(spans(operator, swapped)) == sorted(spans(operator, records))
