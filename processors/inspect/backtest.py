"""What a new rule set would have found in past calls, against what the old one finds. Pure: records in, a tally out.

Both rule sets judge each call with the engine, record by record, just as they would have live; what is written alike in
both once (`rule_pairs`). Only open calls are held in memory, and of the calls that differ the first `MOST_CHANGES`;
counts are exact.

Reviews say how right a rule was: a verdict counts for a violation of either set that stands where the reviewed one
stood (same call, same rule, overlapping time), since a changed rule gives its violations other ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from processors.inspect import engine, flow, scorecard
from processors.inspect.operators.base import Call, TimelineRecord
from processors.inspect.rule_pairs import NEW, Pair
from processors.inspect.schemes import Scheme, scheme_for
from processors.inspect.state import CallState
from processors.inspect.tally import (
    CONFIRMED,
    MOST_CHANGES,
    OVERTURNED,
    CallChange,
    Finding,
    SchemeTally,
    Tally,
    difference,
    overlap,
)
from processors.records import AnyRecord, CallEnded, CallStarted, FlowProgress, Scorecard, Violation
from processors.runtime.errors import BadRecord

MOST_OPEN: Final = 50_000
"""Calls open at once; beyond it the one that began first is taken as ended without an end."""


@dataclass(slots=True)
class LiveVerdicts:
    """What was found while the calls were live: from the topics `violations` and `scorecards`."""

    ruleset: str
    version: str
    """Only what this version of the rule set has found is compared."""
    reviews: Mapping[str, str] = field(default_factory=dict)
    """Verdicts by violation id."""
    judged: set[str] = field(default_factory=set)
    """Calls judged by that version until their end."""
    found: dict[str, set[str]] = field(default_factory=dict)
    """Ids of the confirmed violations, by call."""
    reviewed: dict[str, dict[str, tuple[str, int, int, str]]] = field(default_factory=dict)
    """By call and violation: rule, start, end and verdict of what was reviewed, whatever version found it."""

    def apply(self, record: AnyRecord) -> None:
        """Take in one record."""
        if isinstance(record, Violation):
            verdict = self.reviews.get(record.violation_id)
            if verdict:
                place = (record.rule_id, record.start_ms, record.end_ms, verdict)
                self.reviewed.setdefault(record.call_id, {})[record.violation_id] = place
            if (record.ruleset, record.ruleset_version) == (self.ruleset, self.version):
                ids = self.found.setdefault(record.call_id, set())
                (ids.add if record.state == CONFIRMED else ids.discard)(record.violation_id)
        elif isinstance(record, Scorecard) and record.state == "final":
            same = (record.ruleset, record.ruleset_version) == (self.ruleset, self.version)
            (self.judged.add if same else self.judged.discard)(record.call_id)


@dataclass(slots=True)
class _Open:
    """A call on its way through both sets."""

    started: CallStarted
    facts: Call | None = None
    """None when its start could not be applied: nothing of it is judged."""
    both: CallState | None = None
    flows: CallState | None = None
    old: dict[str, Violation] = field(default_factory=dict)
    new: dict[str, Violation] = field(default_factory=dict)
    """Of what is not the same in both sets."""
    steps_old: dict[str, FlowProgress] = field(default_factory=dict)
    """By flow, the latest."""
    steps_new: dict[str, FlowProgress] = field(default_factory=dict)


class Score(NamedTuple):
    """The final score of a call in one of the sets."""

    scheme_id: str
    points: float
    fatal: bool

    @property
    def verdict(self) -> tuple[float, bool]:
        """What the call is worth, by whatever scheme."""
        return self.points, self.fatal


class Backtest:
    """Replays the records of any number of calls, each call in its order."""

    def __init__(self, pair: Pair, live: LiveVerdicts | None = None) -> None:
        self._pair = pair
        self._live = live or LiveVerdicts("", "")
        self._open: dict[str, _Open] = {}
        self._done: set[str] = set()
        self._headless: set[str] = set()
        self._position = 0
        self._flows_changed = bool(pair.flows.flows)
        self.tally = Tally()

    def apply(self, record: TimelineRecord) -> None:
        """One record of the timeline."""
        tally, call_id = self.tally, record.call_id
        tally.records += 1
        self._position += 1
        call = self._open.get(call_id)
        if call is None:
            if not isinstance(record, CallStarted):
                if call_id not in self._done and call_id not in self._headless:
                    self._headless.add(call_id)
                    tally.headless += 1
                return
            if call_id in self._done:
                tally.repeated += 1
                return
            if len(self._open) >= MOST_OPEN:
                self._close(next(iter(self._open)), ended=False)
            call = self._open[call_id] = _Open(record)
        try:
            call.both, outputs = engine.step(self._pair.both, call.both, record, self._position)
            call.facts = call.both.call if call.both is not None else call.facts
            for output in outputs:
                if isinstance(output, Violation):
                    (call.new if output.rule_name == NEW else call.old)[output.violation_id] = output
                elif isinstance(output, FlowProgress):
                    call.steps_old[output.flow_id] = output
            if self._flows_changed:
                call.flows, outputs = engine.step(self._pair.flows, call.flows, record, self._position)
                for output in outputs:
                    if isinstance(output, Violation) and "/" in output.rule_id and not self._is_same(output.rule_id):
                        call.new[output.violation_id] = output
                    elif isinstance(output, FlowProgress):
                        call.steps_new[output.flow_id] = output
        except BadRecord:
            tally.unreadable += 1
            return
        if isinstance(record, CallEnded):
            self._close(call_id, ended=True)

    def finish(self) -> Tally:
        """What has come of it; calls that are still open count as they are."""
        for call_id in list(self._open):
            self._close(call_id, ended=False)
        return self.tally

    def _close(self, call_id: str, ended: bool) -> None:
        call = self._open.pop(call_id)
        self._done.add(call_id)
        self.tally.calls += 1
        self.tally.unfinished += not ended
        pair = self._pair
        old = [one for one in call.old.values() if one.state == CONFIRMED]
        new = [one for one in old if self._is_same(one.rule_id)]
        new += [one for one in call.new.values() if one.state == CONFIRMED]
        if ended and self._live.version == pair.old_version and call_id in self._live.judged:
            self._compare_live(call_id, {one.violation_id for one in old})
        if call.facts is not None:
            self._compare(call.started, old, new, *self._scores(call, call.facts, old, new))
        self.tally.verdicts += len(self._live.reviewed.get(call_id, ()))

    def _scores(self, call: _Open, facts: Call, old: list[Violation], new: list[Violation]) -> tuple[Score, Score]:
        pair = self._pair
        steps = {name: one for name, one in call.steps_old.items() if self._is_same(name)} | call.steps_new
        before = _score(scheme_for(pair.old_schemes, facts), old, call.steps_old.values(), facts)
        return before, _score(scheme_for(pair.new_schemes, facts), new, steps.values(), facts)

    def _is_same(self, rule_id: str) -> bool:
        return rule_id in self._pair.same or rule_id.partition("/")[0] in self._pair.same

    def _name(self, violation: Violation) -> str:
        return self._pair.names.get(violation.rule_id, violation.rule_name)

    def _score(self, was: Score, now: Score) -> None:
        tally = self.tally
        tally.scored_otherwise += was.verdict != now.verdict
        scheme = tally.schemes.setdefault(was.scheme_id, SchemeTally())
        scheme.calls_old += 1
        scheme.score_old += was.points
        scheme.failed_old += was.fatal
        scheme = tally.schemes.setdefault(now.scheme_id, SchemeTally())
        scheme.calls_new += 1
        scheme.score_new += now.points
        scheme.failed_new += now.fatal

    def _compare_live(self, call_id: str, ids: set[str]) -> None:
        tally = self.tally
        tally.live_calls += 1
        if ids == self._live.found.get(call_id, set()):
            tally.live_equal += 1
        elif len(tally.live_differ) < MOST_CHANGES:
            tally.live_differ.append(call_id)

    def _compare(
        self, started: CallStarted, old: list[Violation], new: list[Violation], was: Score, now: Score
    ) -> None:
        tally, reviewed = self.tally, list(self._live.reviewed.get(started.call_id, {}).values())
        before = [_finding(one, self._name(one), reviewed) for one in old]
        after = [_finding(one, self._name(one), reviewed) for one in new]
        for one in before:
            counts = tally.rule(one.rule_id, one.rule_name)
            counts.old += 1
            counts.points_old += one.points
            counts.confirmed_old += one.verdict == CONFIRMED
            counts.overturned_old += one.verdict == OVERTURNED
        for one in after:
            counts = tally.rule(one.rule_id, one.rule_name)
            counts.new += 1
            counts.points_new += one.points
            counts.confirmed_new += one.verdict == CONFIRMED
            counts.overturned_new += one.verdict == OVERTURNED
        hit_before, hit_after = {one.rule_id for one in before}, {one.rule_id for one in after}
        for rule_id in hit_after - hit_before:
            tally.rule(rule_id).gained_calls += 1
        for rule_id in hit_before - hit_after:
            tally.rule(rule_id).lost_calls += 1
        tally.gained_calls += bool(after) and not before
        tally.lost_calls += bool(before) and not after
        points_old, points_new = sum(one.points for one in before), sum(one.points for one in after)
        tally.points_old += points_old
        tally.points_new += points_new
        self._score(was, now)
        gained, lost = difference(before, after)
        if gained or lost or points_old != points_new or was.verdict != now.verdict:
            tally.changed_calls += 1
            if len(tally.changes) < MOST_CHANGES:
                tally.changes.append(
                    CallChange(
                        started.call_id, started.at_ms, started.scenario, started.agent_id, tuple(gained), tuple(lost),
                        points_old, points_new, was.points, now.points,
                    )
                )  # fmt: skip


def _score(scheme: Scheme | None, violations: Iterable[Violation], steps: Iterable[FlowProgress], facts: Call) -> Score:
    standings = scorecard.stand({}, list(violations), [award for one in steps for award in flow.awards(one)])
    _, points, fatal = scorecard.total(scheme, standings.values(), facts)
    return Score("" if scheme is None else scheme.scheme_id, points, fatal)


def _finding(violation: Violation, name: str, reviewed: list[tuple[str, int, int, str]]) -> Finding:
    quote = " … ".join(dict.fromkeys(proof.quote for proof in violation.evidence if proof.quote))
    start_ms, end_ms = violation.start_ms, violation.end_ms
    verdicts = {
        verdict for rule_id, start, end, verdict in reviewed
        if rule_id == violation.rule_id and overlap(start, end, start_ms, end_ms)
    }  # fmt: skip
    verdict = verdicts.pop() if len(verdicts) == 1 else ""
    return Finding(
        violation.violation_id, violation.call_id, violation.rule_id, name, violation.severity,
        violation.points, violation.fatal, start_ms, end_ms, quote or violation.explanation, verdict,
    )  # fmt: skip
