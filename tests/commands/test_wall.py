from dataclasses import replace

from processors.commands.wall import CALLS_MAX, Wall, clock, describe, quote
from processors.records import (
    CallEnded,
    CallMetrics,
    CallStarted,
    Coverage,
    Evidence,
    Partial,
    Scorecard,
    Utterance,
    Violation,
)

VIOLATION = Violation(
    violation_id="v",
    call_id="c",
    rule_id="guaranteed-approval",
    rule_name="承诺下款",
    rule_version="1",
    ruleset_version="1",
    state="provisional",
    severity="high",
    points=-15.0,
    fatal=False,
    role="agent",
    start_ms=63_250,
    end_ms=64_000,
    audio_at_ms=1_000_000,
    detected_at_ms=1_000_600,
    evidence=(Evidence(start_ms=63_250, end_ms=64_000, operator="said", quote="保证下款"),),
)
PARTIAL = Partial(call_id="c", channel=0, role="agent", utterance_no=0, start_ms=0, end_ms=900, text="我们", at_ms=0)
UTTERANCE = Utterance(
    utterance_id="c/0/0",
    call_id="c",
    channel=0,
    role="agent",
    utterance_no=0,
    start_ms=0,
    end_ms=1500,
    text="我们保证下款",
    confidence=0.9,
    at_ms=0,
)


def test_a_partial_shows_as_words_in_the_making_and_prints_no_line() -> None:
    wall = Wall()

    assert wall.apply(PARTIAL) is None
    assert (wall.calls["c"].words[0].text, wall.calls["c"].words[0].final) == ("我们", False)


def test_the_final_utterance_replaces_the_partial_and_prints_a_line() -> None:
    wall = Wall()
    wall.apply(PARTIAL)

    assert wall.apply(UTTERANCE) == "  0:00.0 c: agent: 我们保证下款"
    assert (wall.calls["c"].words[0].text, wall.calls["c"].words[0].final) == ("我们保证下款", True)


def test_a_violation_prints_rule_quote_time_in_the_call_and_delay() -> None:
    line = Wall().apply(VIOLATION)

    assert line == ("  1:03.2 c: PROVISIONAL high 承诺下款 (guaranteed-approval) “保证下款” [0.6 s after the audio]")


def test_a_repeated_violation_prints_nothing_and_counts_once() -> None:
    wall = Wall()
    wall.apply(VIOLATION)

    assert wall.apply(VIOLATION) is None
    assert wall.latencies_ms == [600]


def test_a_provisional_violation_turns_confirmed_under_the_same_id() -> None:
    wall = Wall()
    wall.apply(VIOLATION)
    line = wall.apply(replace(VIOLATION, state="confirmed"))

    assert line is not None and "CONFIRMED" in line
    assert wall.confirmed() == {"c": {"guaranteed-approval"}}
    assert len(wall.violations) == 1


def test_a_retracted_violation_does_not_count_as_confirmed() -> None:
    wall = Wall()
    wall.apply(VIOLATION)
    wall.apply(replace(VIOLATION, state="retracted"))

    assert wall.confirmed() == {}


def test_a_violation_without_words_quotes_what_was_measured() -> None:
    evidence = (Evidence(start_ms=0, end_ms=9000, operator="silence", value=9.0),)

    assert quote(replace(VIOLATION, evidence=evidence)) == "silence 9"
    assert quote(replace(VIOLATION, evidence=(), explanation="too long")) == "too long"


def test_a_rule_without_a_name_is_called_by_its_id() -> None:
    assert "guaranteed-approval (guaranteed-approval)" in describe(replace(VIOLATION, rule_name=""))


def test_the_wall_is_bounded_and_forgets_ended_calls_first() -> None:
    wall = Wall()
    for number in range(CALLS_MAX):
        wall.apply(replace(PARTIAL, call_id=f"c{number}"))
    wall.apply(CallEnded(call_id="c7", call_ms=1000, at_ms=0))
    wall.apply(CallStarted(call_id="new", at_ms=0, lane="live", channels=("agent",)))

    assert len(wall.calls) == CALLS_MAX
    assert "c7" not in wall.calls and "c0" in wall.calls and "new" in wall.calls


def test_call_time_is_written_with_minutes_and_tenths() -> None:
    assert [clock(0), clock(59_940), clock(600_000)] == ["  0:00.0", "  0:59.9", " 10:00.0"]


def test_quantiles_of_latency_are_none_without_violations() -> None:
    wall = Wall()

    assert wall.latency_ms(0.5) is None
    wall.latencies_ms = [400, 100, 900]
    assert [wall.latency_ms(0.5), wall.latency_ms(0.99)] == [400, 900]


def test_the_final_score_says_when_the_call_failed_for_good() -> None:
    card = Scorecard(
        call_id="c", state="final", points=-2.0, fatal=True, ruleset_version="1", metrics=CallMetrics(),
        coverage=Coverage(), call_ms=60_000, at_ms=60_000,
    )  # fmt: skip

    assert Wall().apply(card) == "  1:00.0 c: final score -2, fatal"
