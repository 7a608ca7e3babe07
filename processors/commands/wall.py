"""What the live wall of the demo shows, folded from the records of a few calls. Pure: records in, view out.

It keeps only the last words of each channel and the violations; the proof is in ClickHouse.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from processors.records import CallEnded, CallStarted, Partial, Scorecard, Tick, Utterance, Violation

CALLS_MAX = 200
"""More open calls than fit on a screen; the oldest ended ones leave first."""


@dataclass(slots=True)
class Words:
    """The last words of a channel."""

    role: str
    text: str
    final: bool


@dataclass(slots=True)
class CallView:
    """A call on the wall."""

    call_id: str
    scenario: str = ""
    call_ms: int = 0
    ended: bool = False
    points: float | None = None
    words: dict[int, Words] = field(default_factory=dict)


@dataclass(slots=True)
class Wall:
    """All calls and violations seen so far, in order of appearance."""

    calls: dict[str, CallView] = field(default_factory=dict)
    violations: dict[str, Violation] = field(default_factory=dict)
    latencies_ms: list[int] = field(default_factory=list)
    scored: set[str] = field(default_factory=set)

    def apply(self, record: object) -> str | None:
        """Take a record in; return the line that a plain terminal should print for it, if any."""
        match record:
            case CallStarted(call_id=call_id):
                self._call(call_id).scenario = record.scenario
                return f"{'':>7} {call_id}: call begins"
            case Partial(call_id=call_id):
                call = self._call(call_id)
                call.words[record.channel] = Words(record.role, record.text, final=False)
                call.call_ms = max(call.call_ms, record.end_ms)
            case Utterance(call_id=call_id):
                self._call(call_id).words[record.channel] = Words(record.role, record.text, final=True)
                return f"{clock(record.start_ms)} {call_id}: {record.role}: {record.text}" if record.text else None
            case Tick(call_id=call_id):
                call = self._call(call_id)
                call.call_ms = max(call.call_ms, record.call_ms)
            case Violation():
                return self._violation(record)
            case Scorecard(call_id=call_id):
                self._call(call_id).points = record.points
                if record.state == "final":
                    self.scored.add(call_id)
                    fatal = ", fatal" if record.fatal else ""
                    return f"{clock(record.call_ms)} {call_id}: final score {record.points:g}{fatal}"
            case CallEnded(call_id=call_id):
                call = self._call(call_id)
                call.call_ms, call.ended = record.call_ms, True
                return f"{clock(record.call_ms)} {call_id}: call ended ({record.reason})"
            case _:
                pass
        return None

    def confirmed(self) -> dict[str, set[str]]:
        """Rule ids of the confirmed violations by call."""
        rules: dict[str, set[str]] = {}
        for violation in self.violations.values():
            if violation.state == "confirmed":
                rules.setdefault(violation.call_id, set()).add(violation.rule_id)
        return rules

    def latency_ms(self, share: float) -> int | None:
        """Quantile (nearest rank) of the time from the end of the audio to the detection; None without violations."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    def _call(self, call_id: str) -> CallView:
        if call_id not in self.calls and len(self.calls) >= CALLS_MAX:
            oldest = next((old for old, view in self.calls.items() if view.ended), next(iter(self.calls)))
            del self.calls[oldest]
        return self.calls.setdefault(call_id, CallView(call_id))

    def _violation(self, violation: Violation) -> str | None:
        before = self.violations.get(violation.violation_id)
        self.violations[violation.violation_id] = violation
        if before is None:
            self.latencies_ms.append(delay_ms(violation))
        elif before.state == violation.state:
            return None
        return f"{clock(violation.start_ms)} {describe(violation)}"


def clock(call_ms: int) -> str:
    """Call time as minutes, seconds and tenths: `  1:02.3`."""
    return f"{call_ms // 60_000:>3}:{call_ms % 60_000 / 1000:04.1f}"


def delay_ms(violation: Violation) -> int:
    """Time from the end of the audio that proves the violation to its detection."""
    return max(0, violation.detected_at_ms - violation.audio_at_ms)


def quote(violation: Violation) -> str:
    """The words that prove it, or the measured value when nothing was said."""
    said = [evidence.quote for evidence in violation.evidence if evidence.quote]
    if said:
        return " … ".join(f"“{words}”" for words in said)
    measured = [f"{proof.operator} {proof.value:g}" for proof in violation.evidence if proof.value is not None]
    return ", ".join(measured) or violation.explanation


def describe(violation: Violation) -> str:
    """One line about a violation: state, call, rule, quote and delay."""
    name = violation.rule_name or violation.rule_id
    return (
        f"{violation.call_id}: {violation.state.upper()} {violation.severity} {name} ({violation.rule_id}) "
        f"{quote(violation)} [{delay_ms(violation) / 1000:.1f} s after the audio]"
    )
