"""Properties of the engine: repeats, replays, stored states and changed minds lead to the same violations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.inspect import engine
from processors.inspect.book import RuleBook, compile_book
from processors.inspect.engine import dump_state, load_state, step
from processors.inspect.language import parse
from processors.inspect.operators.base import TimelineRecord
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.state import CallState
from processors.inspect.violations import violation_id
from processors.records import (
    Acoustics,
    CallEnded,
    CallStarted,
    ChannelTick,
    HoldChanged,
    MediaGap,
    Partial,
    Tick,
    Token,
    Utterance,
    Violation,
)
from processors.runtime.errors import BadRecord

WORDS = [
    "包过",
    "您好",
    "抱歉",
    "投诉",
    "审批为准",
    "保证",
    "下款",
    "一三八",
    "零零幺三八零零零",
    "再见",
    "嗯",
    "三千五百元",
]
RULES = """
id: promise
scope: {role: agent}
when: {all: [{said: {any: [包过, 保证下款], homophones: true}}, {not: {said: [审批为准]}, within_s: 4}]}
---
id: greeting
when: {must_say: [您好], first_s: 5, role: agent}
---
id: appease
when:
  all:
    - said: [投诉]
      role: customer
    - not: {said: [抱歉], role: agent}
      within_turns: 2
---
id: closing
when: {must_say: [再见], last_s: 5}
---
id: again
when: {repeated: {times: 2, within_s: 10, like: [投诉, 下款]}}
---
id: order
when: {sequence: [{said: [您好]}, {not: {said: [嗯]}}, {said: [再见]}]}
---
id: built
when: {all: [{rule: {hit: again}}, {rule: {missed: greeting}}]}
---
id: phone
when: {entity: {kind: [phone, amount]}}
---
id: quiet
when: {silence: {of: line, at_least_s: 3}}
---
id: none
when: {said: {none: [您好, 嗯]}, role: agent}
---
id: two
when: {at_least: {n: 2, of: [{said: [包过]}, {said: [投诉]}, {matches: '下.'}]}}
---
id: chased
when: {said: [投诉], after: {said: [您好]}, within_s: 6}
"""


def _book() -> RuleBook:
    parsed = parse({"rules.yaml": RULES})
    assert not parsed.errors, parsed.errors
    return compile_book(parsed, "test")


BOOK = _book()


@st.composite
def calls(draw: st.DrawFn) -> list[TimelineRecord]:
    """A call as speech might write it: partials that change their mind, utterances, ticks with the right frontier."""
    timed: list[tuple[int, int, TimelineRecord]] = []
    lines: list[tuple[int, int, int]] = []
    for channel, role in ((0, "agent"), (1, "customer")):
        now = draw(st.integers(0, 3_000))
        for number in range(draw(st.integers(0, 5))):
            text = "".join(draw(st.lists(st.sampled_from(WORDS), min_size=0, max_size=3)))
            length = 300 + 200 * len(text)
            start_ms, end_ms = now, now + length
            shared = {"call_id": "c", "channel": channel, "role": role, "utterance_no": number, "start_ms": start_ms}
            for at in range(start_ms + 400, end_ms, 700):
                seen = text[: len(text) * (at - start_ms) // length] + draw(st.sampled_from(["", "", *WORDS]))
                timed.append((at, 0, Partial(**shared, end_ms=at, text=seen, at_ms=at)))
            tokens = tuple(
                Token(
                    text=one,
                    start_ms=start_ms + length * i // len(text),
                    end_ms=start_ms + length * (i + 1) // len(text),
                    confidence=0.9,
                )
                for i, one in enumerate(text)
            )
            utterance = Utterance(
                **shared,
                utterance_id=f"c/{channel}/{number}",
                end_ms=end_ms,
                text=text,
                written=text,
                tokens=tokens,
                confidence=0.9,
                acoustics=Acoustics(
                    level_db=-20.0 - number, chars_per_min=200.0, pitch_hz=200.0, pitch_range_st=3.0, overlap_ms=0
                ),
                at_ms=end_ms,
            )
            timed.append((end_ms, 1, utterance))
            lines.append((channel, start_ms, end_ms))
            now = end_ms + draw(st.sampled_from([200, 600, 2_000, 5_000]))
    end = max([end_ms for _, _, end_ms in lines], default=0) + draw(st.integers(1_000, 8_000))
    for call_ms in range(1000, end, 1000):
        channels = tuple(
            ChannelTick(
                channel=channel,
                final_until_ms=min([s for c, s, e in lines if c == channel and s < call_ms < e], default=call_ms),
                speech_ms=0,
            )
            for channel in (0, 1)
        )
        timed.append((call_ms, 2, Tick(call_id="c", call_ms=call_ms, channels=channels, at_ms=call_ms)))
    if draw(st.booleans()):
        timed.append((2_500, 3, HoldChanged(call_id="c", call_ms=2_500, held=True)))
        timed.append((4_500, 3, HoldChanged(call_id="c", call_ms=4_500, held=False)))
        timed.append((3_100, 3, MediaGap(call_id="c", channel=0, start_ms=3_000, end_ms=3_050)))
    timed = [one for one in timed if one[0] <= end]
    timed.sort(key=lambda one: one[:2])
    started = CallStarted(call_id="c", at_ms=0, lane="live", channels=("agent", "customer"), agent_id="a")
    return [started, *(record for _, _, record in timed), CallEnded(call_id="c", call_ms=end, at_ms=end)]


def run(records: list[TimelineRecord], book: RuleBook = BOOK) -> list[engine.Output]:
    """All outputs, record by record."""
    state: CallState | None = None
    outputs: list[engine.Output] = []
    for position, record in enumerate(records):
        state, more = step(book, state, record, position)
        outputs += more
    assert state is None
    return outputs


@settings(max_examples=120, deadline=None)
@given(calls(), st.data())
def test_repeats_and_replays_change_nothing(records: list[TimelineRecord], data: st.DataObject) -> None:
    """By position (a crash of inspect) and by content (a crash of speech writes records again)."""
    expected = run(records)
    state: CallState | None = None
    outputs: list[engine.Output] = []
    position = 0
    for index, record in enumerate(records[:-1]):
        state, more = step(BOOK, state, record, position)
        outputs += more
        if data.draw(st.integers(0, 4)) == 0:  # the same offsets again
            back = data.draw(st.integers(0, min(index, 3)))
            for again in range(index - back, index + 1):
                state, more = step(BOOK, state, records[again], position - (index - again))
                assert more == []
        if data.draw(st.integers(0, 4)) == 0:  # written again, under new offsets
            back = data.draw(st.integers(0, min(index, 3)))
            for again in range(index - back, index + 1):
                if isinstance(records[again], HoldChanged | Partial):
                    continue
                position += 1
                state, more = step(BOOK, state, records[again], position)
                assert more == []
        position += 1
    state, more = step(BOOK, state, records[-1], position)
    assert outputs + more == expected
    assert state is None
    for record in records[1:]:
        assert step(BOOK, None, record, 10**6) == (None, [])


@settings(max_examples=80, deadline=None)
@given(calls(), st.data())
def test_a_state_that_was_stored_and_read_goes_on_alike(records: list[TimelineRecord], data: st.DataObject) -> None:
    """At any place of any call."""
    expected = run(records)
    state: CallState | None = None
    outputs: list[engine.Output] = []
    for position, record in enumerate(records):
        state, more = step(BOOK, state, record, position)
        outputs += more
        if state is not None and data.draw(st.booleans()):
            state = load_state(dump_state(state))
    assert outputs == expected


@settings(max_examples=120, deadline=None)
@given(calls())
def test_every_provisional_violation_is_settled(records: list[TimelineRecord]) -> None:
    """Confirmed or retracted by the end; what is confirmed is never retracted; each state is put out once."""
    last: dict[str, str] = {}
    for output in run(records):
        if isinstance(output, Violation):
            before = last.get(output.violation_id)
            assert before != "confirmed", "a confirmed violation stays"
            assert before != output.state
            assert before is not None or output.state != "retracted"
            last[output.violation_id] = output.state
    assert "provisional" not in last.values()


def confirmed(outputs: list[engine.Output]) -> dict[str, tuple[str, int, int]]:
    """What stands, by its id."""
    return {
        o.violation_id: (o.rule_id, o.start_ms, o.end_ms)
        for o in outputs
        if isinstance(o, Violation) and o.state == "confirmed"
    }


def without_partials(records: list[TimelineRecord]) -> list[TimelineRecord]:
    """What the call says in the end."""
    return [record for record in records if not isinstance(record, Partial)]


@settings(max_examples=80, deadline=None)
@given(calls())
def test_partials_change_no_confirmed_violation(records: list[TimelineRecord]) -> None:
    """What stands at the end is what the utterances alone say."""
    assert confirmed(run(records)) == confirmed(run(without_partials(records)))


def said(kind: type[Partial] | type[Utterance], channel: int, number: int, start_ms: int, text: str) -> TimelineRecord:
    """A text with 300 ms a character."""
    more = {"utterance_id": f"c/{channel}/{number}", "confidence": 1.0} if kind is Utterance else {}
    return kind(
        call_id="c", channel=channel, role=("agent", "customer")[channel], utterance_no=number, start_ms=start_ms,
        end_ms=start_ms + 300 * len(text), text=text, at_ms=0, **more,
    )  # fmt: skip


def call_of(*records: TimelineRecord) -> list[TimelineRecord]:
    """A call of one minute."""
    started = CallStarted(call_id="c", at_ms=0, lane="live", channels=("agent", "customer"))
    return [started, *records, CallEnded(call_id="c", call_ms=60_000, at_ms=60_000)]


def test_at_least_is_the_same_violation_whoever_was_heard_first() -> None:
    """What the agent says first is finished last, so that the customer's words prove it before."""
    records = call_of(
        said(Partial, 0, 0, 0, "您好投诉"),
        said(Utterance, 1, 0, 300, "您好包过"),
        said(Utterance, 0, 0, 0, "您好投诉包过"),
    )
    seen = [o for o in run(records) if isinstance(o, Violation) and o.rule_id == "two"]
    assert [o.state for o in seen] == ["provisional", "confirmed"]
    assert len({o.violation_id for o in seen}) == 1
    assert confirmed(run(records)) == confirmed(run(without_partials(records)))


def test_what_is_counted_leaves_out_what_is_still_being_said() -> None:
    """A long utterance of the customer, seen early in a partial, does not split the pairs that the agent's make."""
    parsed = parse({"rules.yaml": "id: pair\nwhen: {repeated: {times: 2, like: [投诉]}}"})
    assert not parsed.errors
    book = compile_book(parsed, "test")
    texts = [said(Utterance, 0, number, 1_000 + 2_000 * number, "投诉") for number in range(4)]
    last = said(Utterance, 1, 0, 1_500, "投诉" + "嗯" * 30)
    records = call_of(texts[0], said(Partial, 1, 0, 1_500, "投诉嗯"), *texts[1:], last)
    assert confirmed(run(records, book)) == confirmed(run(without_partials(records), book))


def test_partials_drive_out_no_hit_of_a_long_call() -> None:
    """Hits are kept up to a number of them; one that is taken back leaves the others where they were."""
    parsed = parse({"rules.yaml": "id: pair\nwhen: {all: [{said: [投诉]}, {said: [抱歉], within_s: 3}]}"})
    book = compile_book(parsed, "test")
    texts = [said(Utterance, 0, number, 10_000 * number, "投诉") for number in range(engine.MAX_HITS)]
    wrong = [said(kind, 1, 0, 700_000, text) for kind, text in ((Partial, "投诉"), (Utterance, "嗯"))]
    answer = said(Utterance, 1, 1, 10_000 * engine.KEPT_FIRST + 1_000, "抱歉")
    records = call_of(*texts, *wrong, answer)
    assert len(confirmed(run(records, book))) == 1
    assert confirmed(run(records, book)) == confirmed(run(without_partials(records), book))


@settings(max_examples=40, deadline=None)
@given(calls())
def test_an_old_state_stays_what_it_was(records: list[TimelineRecord]) -> None:
    """Applying a record to a state twice gives the same twice."""
    state: CallState | None = None
    for position, record in enumerate(records):
        before = None if state is None else dump_state(state)
        first = step(BOOK, state, record, position)
        assert step(BOOK, state, record, position) == first
        assert state is None or dump_state(state) == before
        state = first[0]


@settings(max_examples=40, deadline=None)
@given(calls(), st.integers(1, 10**9))
def test_the_time_of_day_changes_no_verdict(records: list[TimelineRecord], later_ms: int) -> None:
    """Only call time counts: the same call at another time has the same violations."""
    moved = [
        replace(record, at_ms=record.at_ms + later_ms) if hasattr(record, "at_ms") else record for record in records
    ]

    def seen(outputs: list[engine.Output]) -> list[tuple[object, ...]]:
        return [(o.violation_id, o.state, o.start_ms, o.end_ms, o.call_ms) for o in outputs if isinstance(o, Violation)]

    assert seen(run(moved)) == seen(run(records))


def test_the_same_words_give_the_same_ids_everywhere() -> None:
    """Ids are computed from call, rule, version and place."""
    wanted = violation_id("c", "r", "v", "c/0/3")
    assert wanted == violation_id("c", "r", "v", "c/0/3")
    assert len({wanted, violation_id("c", "r", "w", "c/0/3"), violation_id("c", "r", "v", "c/0/4")}) == 3


def test_a_channel_out_of_bounds_is_a_bad_record() -> None:
    """It goes to the dead letters; the call goes on."""
    started = CallStarted(call_id="c", at_ms=0, lane="live", channels=("agent",))
    state, _ = step(BOOK, None, started, 0)
    bad = Partial(call_id="c", channel=999, role="agent", utterance_no=0, start_ms=0, end_ms=1, text="x", at_ms=0)
    with pytest.raises(BadRecord, match="channel 999"):
        step(BOOK, state, bad, 1)


def test_a_channel_that_was_not_announced_joins() -> None:
    """An utterance of a third channel."""
    started = CallStarted(call_id="c", at_ms=0, lane="live", channels=("agent",))
    state, _ = step(BOOK, None, started, 0)
    late = Utterance(
        utterance_id="c/1/0", call_id="c", channel=1, role="customer", utterance_no=0, start_ms=0, end_ms=900,
        text="投诉", confidence=1.0, at_ms=0,
    )  # fmt: skip
    state, _ = step(BOOK, state, late, 1)
    assert state is not None
    assert state.call.roles == ("agent", "customer")


OPENED = step(BOOK, None, CallStarted(call_id="c", at_ms=0, lane="live", channels=("agent",)), 0)[0]
assert OPENED is not None


@pytest.mark.parametrize("data", [b"", b"x", b"\x78\x9c", dump_state(OPENED)[:-4]])
def test_bytes_that_are_no_state_are_a_bad_record(data: bytes) -> None:
    """Never a traceback of the decoder."""
    with pytest.raises(BadRecord):
        load_state(data)


def test_the_shipped_rules_keep_their_promises(tmp_path: Path) -> None:
    """All examples of the shipped rule book."""
    from processors.inspect.trial import run_examples

    parsed = parse(read_rule_files(shipped_folder()))
    assert [str(problem) for problem in parsed.problems] == []
    outcomes = run_examples(compile_book(parsed, "default"))
    assert [f"{o.rule_id} {o.number}: {o.message}" for o in outcomes if not o.passed] == []
    assert len(outcomes) >= 60
