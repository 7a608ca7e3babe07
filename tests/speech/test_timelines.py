"""Media of calls to their timelines, through the whole core; the networks are played by `pretended`."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.records import (
    AudioChunk,
    CallEnded,
    CallStarted,
    HoldChanged,
    Meaning,
    MediaGap,
    Partial,
    Tick,
    Utterance,
)
from processors.runtime.errors import BadRecord
from processors.speech.batch import release, step
from processors.speech.calls import LATE_MS, Call
from processors.speech.partitions import Partition
from processors.speech.timeline import Effort, TimelineRecord
from tests.speech.pretended import (
    CHARACTERS,
    GRID,
    Levels,
    advance,
    chunk,
    chunks,
    ended,
    listen,
    media,
    settle,
    spoken,
    started,
)

AGENT = "您好   请问还款       审批利率    "
CUSTOMER = "      再见投诉请问      好请好   "
QUIET = Effort(partials=False)


def utterances(timeline: list[TimelineRecord]) -> list[Utterance]:
    return [record for record in timeline if isinstance(record, Utterance)]


def texts(timeline: list[TimelineRecord]) -> list[tuple[int, str]]:
    return [(one.channel, one.text) for one in utterances(timeline)]


EXPECTED = listen(media([AGENT, CUSTOMER]))


def test_a_call_becomes_utterances_with_their_times() -> None:
    assert texts(EXPECTED) == [(0, "您好"), (0, "请问还款"), (1, "再见投诉请问"), (0, "审批利率"), (1, "好请好")]
    first = utterances(EXPECTED)[0]
    assert (first.utterance_id, first.utterance_no, first.role) == ("c/0/0", 0, "agent")
    assert abs(first.start_ms - 0) <= 64 and abs(first.end_ms - 480) <= 64
    second = utterances(EXPECTED)[1]
    assert abs(second.start_ms - 1_200) <= 64 and abs(second.end_ms - 2_160) <= 64
    assert [abs(token.start_ms - (1_200 + 240 * n)) <= 80 for n, token in enumerate(second.tokens)] == [True] * 4
    assert second.acoustics is not None and second.acoustics.overlap_ms > 0, "the customer speaks from 1,440 ms on"


def test_a_timeline_begins_with_the_start_and_ends_with_the_end() -> None:
    assert isinstance(EXPECTED[0], CallStarted)
    last = EXPECTED[-1]
    assert isinstance(last, CallEnded) and last.coverage is not None
    assert (last.coverage.audio_ms, last.coverage.skipped) == (2 * last.call_ms, ())


def test_there_is_a_tick_for_each_second_that_promises_what_it_keeps() -> None:
    """Nothing that begins before `final_until_ms` comes later."""
    ticks = [record for record in EXPECTED if isinstance(record, Tick)]
    assert [tick.call_ms for tick in ticks] == list(range(1_000, EXPECTED[-1].call_ms + 1, 1_000))  # type: ignore[union-attr]
    frontier = {0: 0, 1: 0}
    for record in EXPECTED:
        if isinstance(record, Tick):
            for one in record.channels:
                assert frontier[one.channel] <= one.final_until_ms <= record.call_ms
                frontier[one.channel] = one.final_until_ms
        if isinstance(record, Utterance):
            assert record.start_ms >= frontier[record.channel]


def test_partials_grow_into_their_utterance() -> None:
    heard = [record for record in EXPECTED if isinstance(record, Partial)]
    assert heard
    said = {(one.channel, one.utterance_no): one.text for one in utterances(EXPECTED)}
    for one in heard:
        assert said[one.channel, one.utterance_no].startswith(one.text)
    assert len({(one.channel, one.utterance_no, one.text) for one in heard}) == len(heard), "each text once"


@settings(max_examples=25)
@given(
    st.sets(st.integers(1, 7_000), max_size=20),
    st.sets(st.integers(1, 7_000), max_size=20),
    st.integers(1, 40),
    st.integers(0, 2**32),
)
def test_any_cutting_of_the_media_gives_the_same_timeline(
    agent: set[int], customer: set[int], every: int, chance: int
) -> None:
    """Chunks of up to a second, channels interleaved in any way, taken in batches of any size."""
    seconds = set(range(1_000, 8_000, 1_000))
    cut = [
        list(chunks(spoken(script), cuts | seconds, channel))
        for channel, (script, cuts) in enumerate(((AGENT, agent), (CUSTOMER, customer)))
    ]
    draw, records = random.Random(chance), list[object]()
    while cut[0] or cut[1]:
        known = [each[0].start_ms if each else 10**9 for each in cut]
        side = draw.randrange(2) if abs(known[0] - known[1]) < LATE_MS // 2 else known.index(min(known))
        records.append(cut[side].pop(0) if cut[side] else cut[1 - side].pop(0))
    timeline = listen([started(), *records, ended(EXPECTED[-1].call_ms)], every=every)  # type: ignore[union-attr]
    assert timeline == EXPECTED


@pytest.mark.parametrize("rate_hz", [11_025, 16_000, 44_100, 48_000])
def test_other_sample_rates_say_the_same(rate_hz: int) -> None:
    assert texts(listen(media([AGENT, CUSTOMER], rate_hz=rate_hz))) == texts(EXPECTED)


def test_without_partials_the_rest_is_the_same() -> None:
    """The lane of the recordings transcribes in larger pieces."""
    models = Levels()
    timeline = listen(media([AGENT, CUSTOMER]), models, every=50, effort=QUIET)
    assert timeline == [record for record in EXPECTED if not isinstance(record, Partial)]


def several(draw: random.Random, count: int) -> dict[str, list[object]]:
    """Calls of any length."""
    made = {}
    for number in range(count):
        script = [
            "".join(draw.choice(CHARACTERS) * draw.randint(1, 2) + " " * draw.choice([0, 0, 3]) for _ in range(12))
            for _ in range(2)
        ]
        made[f"c{number}"] = media(script, f"c{number}", chunk_ms=draw.choice([20, 100, 330]))
    return made


def together(draw: random.Random, calls: dict[str, list[object]]) -> list[object]:
    """Their media in a common order that keeps the order of each."""
    left = {call_id: list(records) for call_id, records in calls.items()}
    mixed = []
    while left:
        call_id = draw.choice(sorted(left))
        mixed.append(left[call_id].pop(0))
        if not left[call_id]:
            del left[call_id]
    return mixed


@pytest.mark.parametrize("slots", [64, 3, 1])
def test_who_else_is_in_the_batch_changes_nothing(slots: int) -> None:
    """Seven calls at once, with slots for all or for few, say what each says alone."""
    draw = random.Random(slots)
    calls = several(draw, 7)
    models = Levels(slots)
    timeline = listen(together(draw, calls), models, every=25)
    for call_id, records in calls.items():
        assert [record for record in timeline if record.call_id == call_id] == listen(records)
    assert max(models.batches) > 1 or slots == 1
    assert models.slots.taken == 0


def test_a_long_monologue_is_cut_at_its_quietest_point_within_twenty_seconds() -> None:
    words = "您好请问还款审批利率" * 9
    quiet_at_ms = 17_280  # a character, spoken so softly that it is quieter than the others
    samples = spoken(words)
    begin, end = quiet_at_ms * 8, (quiet_at_ms + 240) * 8
    samples[begin:end] = spoken("您" * 90)[begin:end] // 2 + 400
    records = [started(roles=("agent",)), *chunks(samples, range(0, 30_000, 100)), ended(len(samples) // 8)]
    first, second = utterances(listen(records))
    assert quiet_at_ms <= first.end_ms <= quiet_at_ms + 240
    assert second.start_ms == first.end_ms
    assert first.end_ms - first.start_ms <= 20_000
    whole = first.text + second.text
    assert len(whole) >= len(words) - 2, "what was said at the cut is in one of them"


def test_a_hang_up_in_the_middle_of_a_word_closes_the_utterance_and_frees_its_slot() -> None:
    models = Levels()
    samples = spoken("您好请问还款审批")[: 1_600 * 8]
    timeline = listen([started(roles=("agent",)), *chunks(samples, range(0, 1_600, 100)), ended(1_600)], models)
    (utterance,) = utterances(timeline)
    assert (utterance.text, utterance.end_ms) == ("您好请问还款审", 1_600)
    assert isinstance(timeline[-1], CallEnded)
    assert models.slots.taken == 0


def test_no_utterance_is_longer_than_its_call() -> None:
    """Voice activity thinks in windows of 32 ms; the audio ends within one."""
    samples = spoken("您好请问还款审批")[: 1_490 * 8]
    timeline = listen([started(roles=("agent",)), *chunks(samples, range(0, 1_490, 100)), ended(1_490)])
    (utterance,) = utterances(timeline)
    assert utterance.end_ms == 1_490
    assert all(token.end_ms <= 1_490 for token in utterance.tokens)


def test_idle_calls_are_ended_and_leave_no_slot_behind() -> None:
    models = Levels()
    partition = Partition(GRID)
    out: list[TimelineRecord] = []
    for offset, record in enumerate(media(["您好请问还款审批", "         "])[:-8]):
        partition.take(record, offset, now_s=10.0)  # type: ignore[arg-type]
        out += advance(partition, models)
    assert models.slots.taken == 1
    assert list(partition.idle(before_s=10.0)) == []
    (call,) = partition.idle(before_s=10.1)
    assert list(partition.idle(before_s=10.1)) == [], "once"
    out += settle(partition, models)
    last = out[-1]
    assert isinstance(last, CallEnded) and (last.reason, last.call_id) == ("idle", call.call_id)
    assert texts(out)[0][1].startswith("您好请问还")
    assert models.slots.taken == 0 and not partition.entries


def test_a_call_that_is_taken_away_gives_its_slots_back() -> None:
    models = Levels()
    partition = Partition(GRID)
    for offset, record in enumerate(media(["您好请问还款审批", "您好请问还款审批"])[:-8]):
        partition.take(record, offset, 0.0)  # type: ignore[arg-type]
        advance(partition, models)
    assert models.slots.taken == 2
    release(partition.entries["c"].call, models)
    assert models.slots.taken == 0


def test_a_channel_that_sends_nothing_does_not_hold_the_call_back() -> None:
    records = [record for record in media([AGENT, CUSTOMER]) if getattr(record, "channel", 0) == 0]
    timeline = listen(records)
    assert [text for channel, text in texts(timeline) if channel == 0] == ["您好", "请问还款", "审批利率"]
    before_end = [record for record in timeline if isinstance(record, Tick)]
    assert before_end and all(one.channels[1].speech_ms == 0 for one in before_end)


def test_missing_audio_is_told_and_counted() -> None:
    records = [
        record
        for record in media([AGENT, CUSTOMER])
        if not (isinstance(record, AudioChunk) and record.channel == 0 and 3_000 <= record.start_ms < 3_500)
    ]
    timeline = listen(records)
    (gap,) = [record for record in timeline if isinstance(record, MediaGap)]
    assert (gap.channel, gap.start_ms, gap.end_ms, gap.reason) == (0, 3_000, 3_500, "missing")
    coverage = timeline[-1].coverage  # type: ignore[union-attr]
    assert coverage is not None
    assert [(one.reason, one.amount_ms) for one in coverage.skipped] == [("media_gap", 500)]


def test_events_go_through_at_their_call_time() -> None:
    records = media([AGENT, CUSTOMER])
    hold = HoldChanged(call_id="c", call_ms=2_500, held=True)
    place = next(n for n, one in enumerate(records) if isinstance(one, AudioChunk) and one.start_ms >= 1_000)
    timeline = listen([*records[:place], hold, *records[place:]])
    at = timeline.index(hold)
    ticks = [(n, one.call_ms) for n, one in enumerate(timeline) if isinstance(one, Tick)]
    assert max(call_ms for n, call_ms in ticks if n < at) == 2_000
    assert min(call_ms for n, call_ms in ticks if n > at) == 3_000
    assert [one for one in timeline if one is not hold] == EXPECTED


def test_what_overload_leaves_out_is_in_the_coverage() -> None:
    effort = Effort(partials=False, meaning=False, acoustics=False, overloaded=True)
    records = media([AGENT, CUSTOMER])
    partition, models = Partition(GRID), Levels()
    out = []
    for offset, record in enumerate(records):
        partition.take(record, offset, 0.0)  # type: ignore[arg-type]
        calls = [entry.call for entry in partition.entries.values()]
        out += [each for _, each in step(calls, models, effort, lambda said: [None] * len(said)).records]
    assert texts(out) == texts(EXPECTED)
    assert all(one.acoustics is None and one.meaning is None for one in utterances(out))
    reasons = {one.reason for one in out[-1].coverage.skipped}  # type: ignore[union-attr]
    assert reasons >= {"overload_partials", "overload_acoustics"}


def test_meaning_is_measured_over_all_utterances_of_a_step() -> None:
    asked: list[list[str]] = []

    def understand(said: list[str]) -> list[Meaning | None]:
        asked.append(list(said))
        return [Meaning(sentiment=float(len(one)), intents={}, vector=b"") if one else None for one in said]

    partition, models, out = Partition(GRID), Levels(), list[TimelineRecord]()
    for offset, record in enumerate(together(random.Random(1), {"a": media([AGENT], "a"), "b": media([AGENT], "b")})):
        partition.take(record, offset, 0.0)  # type: ignore[arg-type]
    for _ in range(20):
        calls = [entry.call for entry in partition.entries.values()]
        out += [each for _, each in step(calls, models, QUIET, understand).records]  # type: ignore[arg-type]
    assert [one.meaning.sentiment for one in utterances(out) if one.meaning] == [
        float(len(one.text)) for one in utterances(out)
    ]
    assert any(len(one) > 1 for one in asked)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (chunk(spoken("您"), 0, channel=7), "channel 7 of a call with 2"),
        (chunk(spoken("您"), 0, rate_hz=96_000), "no sample rate"),
        (MediaGap(call_id="c", channel=0, start_ms=500, end_ms=100), "ends at 100 ms, before it begins"),
        (MediaGap(call_id="c", channel=0, start_ms=0, end_ms=10**9), "not within two hours"),
        (Tick(call_id="c", call_ms=0, channels=(), at_ms=0), "does not belong on this topic"),
    ],
)
def test_media_that_can_not_belong_to_a_call_are_bad_records_and_the_call_goes_on(record: object, message: str) -> None:
    records = media([AGENT, CUSTOMER])
    partition, models, out = Partition(GRID), Levels(), [records[0]]
    for offset, each in enumerate(records):
        partition.take(each, 2 * offset, 0.0)  # type: ignore[arg-type]
        if offset == 40:
            with pytest.raises(BadRecord, match=message):
                partition.take(record, 2 * offset + 1, 0.0)  # type: ignore[arg-type]
        out += advance(partition, models)
    assert out + settle(partition, models) == EXPECTED


def test_a_call_has_one_or_two_channels() -> None:
    with pytest.raises(BadRecord, match="1 or 2 channels, not 3"):
        Call(started(roles=("agent", "customer", "mixed")), GRID)


def test_a_mixed_channel_is_one_channel() -> None:
    timeline = listen(media([AGENT], roles=("mixed",)))
    assert {(one.channel, one.role) for one in utterances(timeline)} == {(0, "mixed")}


def test_audio_behind_the_announced_end_still_counts() -> None:
    """The sender's idea of the length is not what was heard."""
    records = media([AGENT, CUSTOMER])
    short = replace(records[-1], call_ms=100)  # type: ignore[type-var]
    assert texts(listen([*records[:-1], short])) == texts(EXPECTED)
