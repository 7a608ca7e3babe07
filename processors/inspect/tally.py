"""What a backtest counts: findings, calls in which two rule sets differ, figures of each rule. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

MOST_CHANGES: Final = 1_000
"""Calls that differ and are told one by one."""
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
    """Of its violations."""
    points_new: float
    score_old: float
    """Of its scorecard."""
    score_new: float


@dataclass(slots=True)
class SchemeTally:
    """The calls that a scoring scheme scores in both sets; without a scheme a score is the sum of points."""

    calls_old: int = 0
    calls_new: int = 0
    score_old: float = 0.0
    """Sum over the calls."""
    score_new: float = 0.0
    failed_old: int = 0
    """Calls with a fatal hit."""
    failed_new: int = 0


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
    scored_otherwise: int = 0
    """Calls whose score is another one, or that fail in one set only."""
    verdicts: int = 0
    """Reviews of violations in these calls."""
    live_calls: int = 0
    """Calls that were judged live by the old set in the same version."""
    live_equal: int = 0
    """Those in which the confirmed violations are the same, ids included."""
    live_differ: list[str] = field(default_factory=list)
    """The first calls in which they are not."""
    schemes: dict[str, SchemeTally] = field(default_factory=dict)
    """By id; '' for calls without a scheme."""
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
        for scheme_id, scores in other.schemes.items():
            _sum(self.schemes.setdefault(scheme_id, SchemeTally()), scores, _SCHEME_COUNTS)


def _sum(into: object, other: object, names: Iterable[str]) -> None:
    for name in names:
        setattr(into, name, getattr(into, name) + getattr(other, name))


_COUNTS: Final = (
    "calls", "unfinished", "headless", "repeated", "records", "unreadable", "changed_calls", "gained_calls",
    "lost_calls", "points_old", "points_new", "scored_otherwise", "verdicts", "live_calls", "live_equal",
)  # fmt: skip
_SCHEME_COUNTS: Final = ("calls_old", "calls_new", "score_old", "score_new", "failed_old", "failed_new")
_RULE_COUNTS: Final = (
    "old", "new", "gained_calls", "lost_calls", "points_old", "points_new", "confirmed_old", "overturned_old",
    "confirmed_new", "overturned_new",
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
                and overlap(other.start_ms, other.end_ms, one.start_ms, one.end_ms)
            ),
            None,
        )  # fmt: skip
        if place is None:
            gained.append(one)
        else:
            lost.remove(place)
    return gained, lost


def overlap(start: int, end: int, other_start: int, other_end: int) -> bool:
    """Whether two spans share some time, or begin together."""
    return start == other_start or max(start, other_start) < min(end, other_end)
