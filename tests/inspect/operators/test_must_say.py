"""`must_say`: what has to be said, and when its absence is certain."""

from __future__ import annotations

from processors.inspect.trial import replay
from processors.records import CallEnded, ChannelTick, Coverage, Tick, Violation
from tests.inspect.rules import call, found, found_at, rule, starts

GREETING = "must_say: [您好, 你好]\n  first_s: 15\n  role: agent"
RATE = "must_say: [年化利率]\n  after: {said: [贷款额度]}\n  within_s: 60\n  role: agent"


def test_absent_when_the_deadline_has_passed() -> None:
    """Found at 15 s, not at the end."""
    assert found_at(rule(GREETING), ["agent 1 什么事", "end 40"]) == [15.0]
    assert starts(rule(GREETING), ["agent 1 您好", "end 40"]) == []


def test_too_late_is_absent() -> None:
    """Windows are half open: said at 15.0 is too late, at 14.9 in time."""
    assert found_at(rule(GREETING), ["agent 15.0 您好", "end 40"]) == [15.0]
    assert starts(rule(GREETING), ["agent 14.9 您好", "end 40"]) == []


def test_the_end_of_the_call_closes_the_window() -> None:
    """A call of 8 s without greeting."""
    assert found_at(rule(GREETING), ["agent 1 什么事", "end 8"]) == [8.0]


def test_another_role_does_not_count() -> None:
    """The customer greets."""
    assert found_at(rule(GREETING), ["customer 1 您好", "agent 3 什么事", "end 40"]) == [15.0]


def test_waits_for_words_that_are_still_transcribed() -> None:
    """At 15 s the agent is in the middle of a sentence that began at 13 s."""
    assert starts(rule(GREETING), ["agent 13-19 您好不好意思啊", "end 40"]) == []
    assert found_at(rule(GREETING), ["agent 13-19 不好意思久等了", "end 40"]) == [19.0]


def test_after_a_condition() -> None:
    """Within 60 s after each mention of the amount; the violation begins there."""
    assert starts(rule(RATE), ["agent 5 贷款额度十万", "agent 20 年化利率百分之十", "end 100"]) == []
    violations = found(rule(RATE), ["agent 5-6 贷款额度十万", "agent 80 年化利率百分之十", "end 100"])
    assert [v.start_ms for v in violations] == [5000]
    assert 65_000 <= violations[0].call_ms <= 67_000
    assert starts(rule(RATE), ["agent 5 您好", "end 100"]) == []


def test_said_before_is_not_said_after() -> None:
    """The direction matters."""
    assert starts(rule(RATE), ["agent 5 年化利率百分之十", "agent 10 贷款额度十万", "end 100"]) == [10.0]


def test_said_in_the_same_utterance_counts() -> None:
    """After it, in one breath."""
    assert starts(rule(RATE), ["agent 5 贷款额度十万年化利率百分之十", "end 100"]) == []


def test_in_the_last_seconds() -> None:
    """Judged when the end is known."""
    book = rule("must_say: [再见]\n  last_s: 20\n  role: agent")
    assert starts(book, ["agent 5 您好", "agent 45 再见", "end 50"]) == []
    assert found_at(book, ["agent 5 再见", "customer 45 好", "end 50"]) == [50.0]


def test_somewhere_in_the_call() -> None:
    """Without a window the whole call counts."""
    book = rule("must_say: [录音]\n  role: agent")
    assert starts(book, ["agent 5 您好", "agent 45 录音", "end 50"]) == []
    assert found_at(book, ["agent 5 您好", "end 50"]) == [50.0]


def test_a_call_that_nobody_could_hear_proves_no_absence() -> None:
    """No audio, no verdict: bad media, or a role without a channel."""
    records = [record for record in call(["agent 1 什么事", "end 40"]) if not hasattr(record, "text")]
    assert isinstance(records[-1], CallEnded)
    silent = [r for r in records if not isinstance(r, Tick)]
    silent[-1] = CallEnded(call_id="example", call_ms=40_000, at_ms=0, reason="bad_media", coverage=Coverage())
    assert not [o for o in replay(rule(GREETING), silent) if isinstance(o, Violation)]
    assert starts(rule("must_say: [您好]\n  role: customer"), ["mixed 1 什么事", "end 40"]) == [0.0]


def test_a_channel_that_lags_behind_holds_the_verdict_back() -> None:
    """The call is at 20 s, the agent's channel is transcribed up to 12 s."""
    records = call(["agent 1 什么事", "end 30"])
    held = []
    for record in records:
        if isinstance(record, Tick) and record.call_ms <= 20_000:
            channels = tuple(
                ChannelTick(channel=c.channel, final_until_ms=min(c.final_until_ms, 12_000), speech_ms=0)
                for c in record.channels
            )
            record = Tick(call_id="example", call_ms=record.call_ms, channels=channels, at_ms=0)
        held.append(record)
    (violation,) = [o for o in replay(rule(GREETING), held) if isinstance(o, Violation)]
    assert violation.call_ms == 21_000
