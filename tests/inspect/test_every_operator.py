"""Properties of all operators at once, with flows, alerts and a scheme around them, over random calls.

`test_engine` has the properties of the engine over a few rules; here is one rule at least for every word there is.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.inspect import engine
from processors.inspect.book import RuleBook, compile_book
from processors.inspect.conditions import LOGIC, MODIFIERS
from processors.inspect.engine import dump_state, load_state, step
from processors.inspect.language import parse
from processors.inspect.operators import OPERATORS
from processors.inspect.operators.base import TimelineRecord
from processors.inspect.similarity import load_background
from processors.inspect.state import CallState
from processors.records import Alert, Meaning, Partial, SpeakerCheck, Utterance, Violation
from tests.inspect.test_engine import calls

CONDITIONS = [
    "{said: {any: [包过, 保证下款], except: [再见]}, role: agent}",
    "{said: {all: [保证, 下款]}}",
    "{said: {at_least: 2, of: [您好, 抱歉, 投诉]}}",
    "{said: {none: [您好, 嗯]}, role: agent}",
    "{matches: '下.|保.'}",
    "{matches: {regex: '[0-9三]', written: true}}",
    "{near: {words: [保证, 下款], chars: 4}}",
    "{near: {words: [投诉, 抱歉], seconds: 6}}",
    "{near: {words: [您好, 再见], turns: 2, ordered: true}}",
    "{sequence: [{said: [您好]}, {not: {said: [嗯]}}, {said: [再见]}], within_s: 9}",
    "{sequence: [{said: [投诉]}, {not: {said: [抱歉]}}], within_turns: 2}",
    "{must_say: [您好], first_s: 5, role: agent}",
    "{must_say: [再见], last_s: [6, 1]}",
    "{must_say: [抱歉], after: {said: [投诉]}, within_s: 4}",
    "{repeated: {times: 2, within_s: 10, like: [投诉, 下款]}}",
    "{repeated: {times: 2, similarity: 0.7, min_chars: 2}}",
    "{similar: {to: [投诉, 您好], at_least: 0.9}}",
    "{intent: {is: complaint}}",
    "{entity: {kind: [id_card, bank_card, phone, amount, rate, date]}}",
    "{silence: {of: line, at_least_s: 3}}",
    "{silence: {of: agent, at_least_s: 2, holds: true}}",
    "{response_time: {of: agent, more_than_s: 1}}",
    "{response_time: {of: customer, more_than_s: 0.3, less_than_s: 4}}",
    "{overlap: {by: agent, at_least_ms: 300}}",
    "{rate: {of: agent, more_than: 150}}",
    "{level: {of: customer, above_db: -22}}",
    "{emotion: {of: customer, valence_below: 0.2}}",
    "{hold: {at_least_s: 1}}",
    "{talk_ratio: {of: agent, more_than: 0.5, from_s: 4}}",
    "{duration: {more_than_s: 7}}",
    "{metric: {is: silence_share, more_than: 0.2}}",
    "{speaker: {mismatch: agent}}",
    "{all: [{attribute: 'agent_id == \"a\"'}, {said: [包过]}, {not: {said: [审批为准]}, within_s: 4}]}",
    "{any: [{said: [下款], first_s: [1, 6]}, {said: [投诉], before: {said: [再见]}}]}",
    "{at_least: {n: 2, of: [{said: [包过]}, {said: [投诉]}, {matches: '下.'}]}}",
    "{all: [{rule: {hit: r0}}, {rule: {missed: r11}}]}",
]
RULES = "---\n".join(
    f"id: r{number}\nwhen: {when}\npoints: -{number}\nalert: {{min_hits: 1, every_s: 2, max: 3}}\n"
    for number, when in enumerate(CONDITIONS)
)
AROUND = """
---
flow: f
scope: {role: agent}
alert: {to: [supervisor]}
steps:
  - {id: greet, when: {said: [您好]}, within_s: 4, points: -3}
  - id: way
    within_s: 6
    branches: [{when: {said: [投诉], role: customer}, go: sorry}, {go: bye}]
  - {id: sorry, when: {said: [抱歉]}, points: 2}
  - {id: bye, when: {said: [再见]}, skip: {said: [嗯]}}
---
scheme: s
items:
  - {id: promises, rules: [r0, r1], points: -7, times: 2}
  - {id: process, rules: [f/greet, f/sorry, f/bye], least: -5}
  - {id: more, rules: [r17], only_after: [r0], fatal: true}
"""


def encoder(sentences: list[str]) -> Any:
    """Any unit vectors will do, as long as equal sentences have equal ones."""
    rows = np.zeros((len(sentences), load_background().shape[1]), np.float32)
    for row, sentence in zip(rows, sentences, strict=True):
        row[int(hashlib.sha256(sentence.encode()).hexdigest(), 16) % len(row)] = 1.0
    return rows


def book() -> RuleBook:
    parsed = parse({"rules.yaml": RULES + AROUND})
    assert not parsed.errors, "\n".join(map(str, parsed.errors))
    return compile_book(parsed, "every", encoder=encoder)


BOOK = book()


def measured(records: Sequence[TimelineRecord]) -> list[TimelineRecord]:
    """The same call with meaning and checks of the voice."""
    more: list[TimelineRecord] = []
    for record in records:
        if isinstance(record, Utterance) and record.text:
            vector = encoder([record.text[:2]])[0].astype("<f2").tobytes()
            scores = {"complaint": 0.9 if "投诉" in record.text else 0.1}
            mood = -0.9 if "投诉" in record.text else 0.1
            record = replace(record, meaning=Meaning(sentiment=mood, intents=scores, vector=vector))
        more.append(record)
        if isinstance(record, Utterance) and record.role == "agent":
            more.append(
                SpeakerCheck(
                    call_id="c", channel=0, role="agent", call_ms=record.end_ms, agent_id="a", score=0.1,
                    threshold=0.7, matched="再见" in record.text,
                )
            )  # fmt: skip
    return more


CALLS = calls().map(measured)


def run(records: Sequence[TimelineRecord]) -> list[engine.Output]:
    """All outputs, straight through."""
    state: CallState | None = None
    outputs: list[engine.Output] = []
    for position, record in enumerate(records):
        state, more = step(BOOK, state, record, position)
        outputs += more
    assert state is None
    return outputs


def test_every_word_of_the_language_is_among_them() -> None:
    words = {*OPERATORS, *LOGIC, *MODIFIERS}
    assert [word for word in sorted(words) if f"{word}:" not in RULES] == []


@settings(max_examples=60, deadline=None)
@given(CALLS, st.data())
def test_cut_stored_repeated_and_written_again_it_is_the_same_call(
    records: list[TimelineRecord], data: st.DataObject
) -> None:
    """All outputs, in their order: violations, alerts, cards, progress of flows, emotions."""
    expected = run(records)
    state: CallState | None = None
    outputs: list[engine.Output] = []
    position = 0
    for index, record in enumerate(records[:-1]):
        state, more = step(BOOK, state, record, position)
        outputs += more
        assert state is not None
        match data.draw(st.sampled_from(["on", "on", "stored", "repeated", "again"])):
            case "stored":
                state = load_state(dump_state(state))
            case "repeated":
                state, more = step(BOOK, state, record, position)
                assert more == []
            case "again" if isinstance(record, Utterance | SpeakerCheck):
                position += 1
                state, more = step(BOOK, state, record, position)
                assert more == [], index
        position += 1
    _, more = step(BOOK, state, records[-1], position)
    assert outputs + more == expected


@settings(max_examples=60, deadline=None)
@given(CALLS)
def test_what_is_retracted_was_never_confirmed_and_nothing_stays_provisional(records: list[TimelineRecord]) -> None:
    """Of violations, and of the alerts that they caused."""
    states: dict[str, list[str]] = {}
    told: dict[str, list[str]] = {}
    stands: dict[str, bool] = {}
    for output in run(records):
        if isinstance(output, Violation):
            states.setdefault(output.violation_id, []).append(output.state)
            stands[output.violation_id] = output.state != "retracted"
        elif isinstance(output, Alert) and output.violation_id:
            told.setdefault(output.violation_id, []).append(output.state)
    for seen in states.values():
        assert "retracted" not in seen or "confirmed" not in seen[: seen.index("retracted")], seen
        assert seen[-1] != "provisional"
    for violation_id, seen in told.items():
        assert seen[0] == "raised" and all(one != other for one, other in pairwise(seen)), seen
        assert stands[violation_id] or seen[-1] == "retracted", "nobody may be told of what does not stand"


@settings(max_examples=40, deadline=None)
@given(CALLS)
def test_partials_change_nothing_that_stands_at_the_end(records: list[TimelineRecord]) -> None:
    def confirmed(outputs: list[engine.Output]) -> set[tuple[str, str, int, int]]:
        return {
            (o.rule_id, o.violation_id, o.start_ms, o.end_ms)
            for o in outputs
            if isinstance(o, Violation) and o.state == "confirmed"
        }

    assert confirmed(run(records)) == confirmed(run([one for one in records if not isinstance(one, Partial)]))


@contextmanager
def no_clock() -> Any:
    """Whoever asks for the time fails."""

    def asked(*_: object) -> float:
        raise AssertionError("a verdict asked for the time of day")

    names = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime")
    patches = [patch.object(time, name, asked) for name in names]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


@settings(max_examples=30, deadline=None)
@given(CALLS)
def test_no_operator_looks_at_a_clock(records: list[TimelineRecord]) -> None:
    expected = run(records)
    with no_clock():
        assert run(records) == expected


def test_a_clock_would_be_noticed() -> None:
    with no_clock(), pytest.raises(AssertionError, match="time of day"):
        time.time()
