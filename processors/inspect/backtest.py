"""What a new rule set would have found in past calls, against what the old one finds. Pure: records in, a tally out.

Both rule sets judge each call with the engine, record by record, just as they would have live. A rule that is written
alike in both finds the same in both, so it is judged once (`split`). Only open calls are held in memory, and of the
calls that differ the first `MOST_CHANGES`; counts are exact.

Reviews say how right a rule was: a verdict counts for a violation of either set that stands where the reviewed one
stood (same call, same rule, overlapping time), since a changed rule gives its violations other ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from processors.inspect import engine
from processors.inspect.book import RuleBook, compile_book
from processors.inspect.language import ParsedRules, Rule, mentioned
from processors.inspect.operators.base import Encoder, TimelineRecord
from processors.inspect.state import CallState
from processors.inspect.tree import Condition, Group, RuleHit
from processors.records import AnyRecord, CallEnded, CallStarted, Scorecard, Violation
from processors.runtime.errors import BadRecord

MOST_CHANGES: Final = 1_000
"""Calls that differ and are told one by one."""
MOST_OPEN: Final = 50_000
"""Calls open at once; beyond it the one that began first is taken as ended without an end."""
NEW: Final = "\0new"
"""Name, while they are judged, of rules that are new or changed. YAML can not write it."""
CONFIRMED: Final = "confirmed"
OVERTURNED: Final = "overturned"


@dataclass(frozen=True, slots=True)
class Finding:
    """A confirmed violation, as far as a report needs it. Times are call time."""

    violation_id: str
    call_id: str
    rule_id: str
    rule_name: str
    severity: str
    points: float
    fatal: bool
    start_ms: int
    end_ms: int
    quote: str
    verdict: str = ""
    """confirmed or overturned by a review; '' without one."""


@dataclass(frozen=True, slots=True)
class CallChange:
    """A call in which the rule sets differ."""

    call_id: str
    at_ms: int
    scenario: str
    agent_id: str
    gained: tuple[Finding, ...]
    lost: tuple[Finding, ...]
    points_old: float
    points_new: float


@dataclass(slots=True)
class RuleTally:
    """One rule in both sets."""

    rule_id: str
    name: str = ""
    old: int = 0
    """Confirmed violations."""
    new: int = 0
    gained_calls: int = 0
    """Calls newly hit by the rule."""
    lost_calls: int = 0
    """Calls no longer hit by it."""
    points_old: float = 0.0
    points_new: float = 0.0
    confirmed_old: int = 0
    """Violations that a review has confirmed."""
    overturned_old: int = 0
    confirmed_new: int = 0
    overturned_new: int = 0


@dataclass(slots=True)
class Tally:
    """Everything that was counted, over any part of the calls; parts are joined by `add`."""

    calls: int = 0
    unfinished: int = 0
    """Calls without an end, judged as far as they are there."""
    headless: int = 0
    """Calls whose beginning is not among the records; not judged."""
    repeated: int = 0
    """Calls that are stored once more; only the first time counts."""
    records: int = 0
    unreadable: int = 0
    changed_calls: int = 0
    gained_calls: int = 0
    """Calls hit by any rule of the new set and by none of the old one."""
    lost_calls: int = 0
    points_old: float = 0.0
    points_new: float = 0.0
    verdicts: int = 0
    """Reviews of violations in these calls."""
    live_calls: int = 0
    """Calls that were judged live by the old set in the same version."""
    live_equal: int = 0
    """Those in which the confirmed violations are the same, ids included."""
    live_differ: list[str] = field(default_factory=list)
    """The first calls in which they are not."""
    rules: dict[str, RuleTally] = field(default_factory=dict)
    changes: list[CallChange] = field(default_factory=list)

    def rule(self, rule_id: str, name: str = "") -> RuleTally:
        """The counts of a rule; made when there are none yet."""
        found = self.rules.setdefault(rule_id, RuleTally(rule_id, name))
        found.name = name or found.name
        return found

    def add(self, other: Tally) -> None:
        """Join the counts of other calls."""
        _sum(self, other, _COUNTS)
        self.live_differ = sorted([*self.live_differ, *other.live_differ])[:MOST_CHANGES]
        self.changes = sorted([*self.changes, *other.changes], key=lambda one: (one.at_ms, one.call_id))[:MOST_CHANGES]
        for rule_id, counts in other.rules.items():
            _sum(self.rule(rule_id, counts.name), counts, _RULE_COUNTS)


def _sum(into: object, other: object, names: Iterable[str]) -> None:
    for name in names:
        setattr(into, name, getattr(into, name) + getattr(other, name))


_COUNTS: Final = (
    "calls", "unfinished", "headless", "repeated", "records", "unreadable", "changed_calls", "gained_calls",
    "lost_calls", "points_old", "points_new", "verdicts", "live_calls", "live_equal",
)  # fmt: skip
_RULE_COUNTS: Final = (
    "old", "new", "gained_calls", "lost_calls", "points_old", "points_new", "confirmed_old", "overturned_old",
    "confirmed_new", "overturned_new",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rule sets, compiled so that nothing is judged twice."""

    both: RuleBook
    """The old set, and those rules of the new one that are not the same in it, under the name NEW."""
    flows: RuleBook
    """Flows of the new set that are not the same in the old one, and the rules that they speak of."""
    same: frozenset[str]
    """Rules and flows that are the same in both."""
    names: Mapping[str, str]
    """Names of the rules and flows of both sets; the new one where it was changed."""
    old_version: str
    new_version: str


def split(old: ParsedRules, new: ParsedRules, name: str, encoder: Encoder | None = None) -> Pair:
    """Compile both. UserError when one has mistakes."""
    for parsed in (old, new):
        if parsed.errors:
            compile_book(parsed, name)  # which says what they are
    old_rules = {rule.rule_id: rule for rule in old.rules}
    new_rules = {rule.rule_id: rule for rule in new.rules}
    same = {rule_id for rule_id, rule in new_rules.items() if _alike(rule, old_rules.get(rule_id))}
    while (kept := {rule_id for rule_id in same if mentioned(new_rules[rule_id].when) <= same}) != same:
        same = kept  # a rule that speaks of a changed one has changed as well
    versions = {flow.flow_id: flow.version for flow in old.flows}
    spoken_of = {
        flow.flow_id: set[str]().union(*(mentioned(one) for one in flow.conditions().values())) for flow in new.flows
    }
    same_flows = {
        flow.flow_id
        for flow in new.flows
        if versions.get(flow.flow_id) == flow.version and spoken_of[flow.flow_id] <= same
    }
    flows = [flow for flow in new.flows if flow.flow_id not in same_flows]
    flow_book = compile_book(ParsedRules(new.rules if flows else [], flows, version=new.version), name, encoder=encoder)
    flow_book.verdicts_only = True
    names = {flow.flow_id: flow.name for flow in (*old.flows, *new.flows)}
    names |= {rule.rule_id: rule.name for rule in (*old.rules, *new.rules)}
    return Pair(
        _joined(old, [rule for rule in new.rules if rule.rule_id not in same], name, encoder),
        flow_book,
        frozenset(same | same_flows),
        names,
        old.version,
        new.version,
    )


def _alike(rule: Rule, other: Rule | None) -> bool:
    return other is not None and other.version == rule.version and other.scope == rule.scope


def _joined(old: ParsedRules, changed: list[Rule], name: str, encoder: Encoder | None) -> RuleBook:
    """The old rules and the changed ones side by side; the latter keep their ids, so that their violations do, too."""
    aside = {rule.rule_id: f"{rule.rule_id}{NEW}" for rule in changed}
    more = [replace(rule, rule_id=aside[rule.rule_id], when=_speaking_of(rule.when, aside)) for rule in changed]
    book = compile_book(ParsedRules([*old.rules, *more], old.flows, version=old.version), name, encoder=encoder)
    book.verdicts_only = True
    own = {f"{rule.rule_id}{NEW}": replace(rule, name=NEW, explain=rule.explain or rule.name) for rule in changed}
    book.rules = [replace(one, rule=own.get(one.rule.rule_id, one.rule)) for one in book.rules]
    return book


def _speaking_of(condition: Condition, names: Mapping[str, str]) -> Condition:
    """The condition, with other names for the rules of which it speaks."""
    window = condition.window
    after = None if window.after is None else _speaking_of(window.after, names)
    before = None if window.before is None else _speaking_of(window.before, names)
    condition = replace(condition, window=replace(window, after=after, before=before))
    if isinstance(condition, RuleHit):
        return replace(condition, rule_id=names.get(condition.rule_id, condition.rule_id))
    if isinstance(condition, Group):
        return replace(condition, of=tuple(_speaking_of(child, names) for child in condition.of))
    return condition


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
    both: CallState | None = None
    flows: CallState | None = None
    old: dict[str, Violation] = field(default_factory=dict)
    new: dict[str, Violation] = field(default_factory=dict)
    """Of what is not the same in both sets."""


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
            for output in outputs:
                if isinstance(output, Violation):
                    (call.new if output.rule_name == NEW else call.old)[output.violation_id] = output
            if self._flows_changed:
                call.flows, outputs = engine.step(self._pair.flows, call.flows, record, self._position)
                for output in outputs:
                    if isinstance(output, Violation) and "/" in output.rule_id and not self._is_same(output.rule_id):
                        call.new[output.violation_id] = output
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
        if old or new:
            self._compare(call.started, old, new)
        self.tally.verdicts += len(self._live.reviewed.get(call_id, ()))

    def _is_same(self, rule_id: str) -> bool:
        return rule_id in self._pair.same or rule_id.partition("/")[0] in self._pair.same

    def _name(self, violation: Violation) -> str:
        return self._pair.names.get(violation.rule_id, violation.rule_name)

    def _compare_live(self, call_id: str, ids: set[str]) -> None:
        tally = self.tally
        tally.live_calls += 1
        if ids == self._live.found.get(call_id, set()):
            tally.live_equal += 1
        elif len(tally.live_differ) < MOST_CHANGES:
            tally.live_differ.append(call_id)

    def _compare(self, started: CallStarted, old: list[Violation], new: list[Violation]) -> None:
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
        tally.gained_calls += not before
        tally.lost_calls += not after
        points_old, points_new = sum(one.points for one in before), sum(one.points for one in after)
        tally.points_old += points_old
        tally.points_new += points_new
        gained, lost = difference(before, after)
        if gained or lost or points_old != points_new:
            tally.changed_calls += 1
            if len(tally.changes) < MOST_CHANGES:
                tally.changes.append(
                    CallChange(
                        started.call_id, started.at_ms, started.scenario, started.agent_id, tuple(gained), tuple(lost),
                        points_old, points_new,
                    )
                )  # fmt: skip


def _finding(violation: Violation, name: str, reviewed: list[tuple[str, int, int, str]]) -> Finding:
    quote = " … ".join(dict.fromkeys(proof.quote for proof in violation.evidence if proof.quote))
    start_ms, end_ms = violation.start_ms, violation.end_ms
    verdicts = {
        verdict for rule_id, start, end, verdict in reviewed
        if rule_id == violation.rule_id and _overlap(start, end, start_ms, end_ms)
    }  # fmt: skip
    verdict = verdicts.pop() if len(verdicts) == 1 else ""
    return Finding(
        violation.violation_id, violation.call_id, violation.rule_id, name, violation.severity,
        violation.points, violation.fatal, start_ms, end_ms, quote or violation.explanation, verdict,
    )  # fmt: skip


def difference(before: list[Finding], after: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """What of one call is found only by the new set, and what only by the old one."""
    lost = list(before)
    gained = []
    known = {one.violation_id: one for one in before}
    open_after = []
    for one in after:
        twin = known.get(one.violation_id)
        if twin is None:
            open_after.append(one)
        else:
            lost.remove(twin)
    for one in sorted(open_after, key=lambda found: (found.start_ms, found.end_ms)):
        place = next(
            (
                other for other in lost
                if other.rule_id == one.rule_id
                and _overlap(other.start_ms, other.end_ms, one.start_ms, one.end_ms)
            ),
            None,
        )  # fmt: skip
        if place is None:
            gained.append(one)
        else:
            lost.remove(place)
    return gained, lost


def _overlap(start: int, end: int, other_start: int, other_end: int) -> bool:
    return start == other_start or max(start, other_start) < min(end, other_end)
