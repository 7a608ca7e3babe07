"""Scorecards: the points of a call, each line traceable to the violations behind it.

Without a scheme the score is the sum of the points of the rules that were hit. With a scheme (`schemes`) it is made of
the scheme's items. A card is a function of the violations that stand, so a retraction gives the points back by itself.
Pure: what stands goes in, a record comes out; nothing here decides what a violation is, nor when a card is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from processors.inspect.operators.base import Call
from processors.inspect.schemes import Dimension, Item, Scheme, applicable
from processors.records import CallMetrics, Coverage, Scorecard, ScorecardState, ScoreItem, Violation


@dataclass(frozen=True, slots=True)
class Standing:
    """A violation that stands, provisional or confirmed; or points that a step of a flow gave, which are no hit."""

    violation_id: str
    rule_id: str
    points: float
    fatal: bool = False
    name: str = ""
    award: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the call is when the card is made."""

    call: Call
    state: ScorecardState
    ruleset: str
    ruleset_version: str
    metrics: CallMetrics
    coverage: Coverage


def score(scheme: Scheme | None, standing: Iterable[Standing], moment: Moment) -> Scorecard:
    """The card of a call at `moment`."""
    items, points, fatal = total(scheme, standing, moment.call)
    return Scorecard(
        call_id=moment.call.call_id,
        state=moment.state,
        scheme="" if scheme is None else scheme.scheme_id,
        points=points,
        fatal=fatal,
        items=tuple(items),
        ruleset=moment.ruleset,
        ruleset_version=moment.ruleset_version,
        agent_id=moment.call.agent_id,
        team_id=moment.call.team_id,
        scenario=moment.call.scenario,
        metrics=moment.metrics,
        coverage=moment.coverage,
        call_ms=moment.call.call_ms,
        at_ms=moment.call.at_ms + moment.call.call_ms,
    )


def total(scheme: Scheme | None, standing: Iterable[Standing], call: Call) -> tuple[list[ScoreItem], float, bool]:
    """The lines of a card, its points, and whether the call failed."""
    violations = list(standing)
    if scheme is None:
        items = _by_rule(violations)
        points, fatal = sum(item.points for item in items), any(item.fatal and item.hits for item in items)
    else:
        items, points, fatal = _by_scheme(scheme, violations, call)
    return items, round(points, 2), fatal


def _by_rule(violations: list[Standing]) -> list[ScoreItem]:
    """One line a rule, in the order in which the rules were first hit."""
    rules: dict[str, list[Standing]] = {}
    for violation in violations:
        rules.setdefault(violation.rule_id, []).append(violation)
    return [
        ScoreItem(
            item_id=rule_id,
            name=hits[0].name or rule_id,
            points=round(sum(hit.points for hit in hits), 2),
            hits=sum(not hit.award for hit in hits),
            fatal=any(hit.fatal for hit in hits),
            violation_ids=tuple(hit.violation_id for hit in hits if not hit.award),
        )
        for rule_id, hits in rules.items()
    ]


def _by_scheme(scheme: Scheme, violations: list[Standing], call: Call) -> tuple[list[ScoreItem], float, bool]:
    """Lines, total and whether the call failed."""
    by_rule: dict[str, list[Standing]] = {}
    for violation in violations:
        by_rule.setdefault(violation.rule_id, []).append(violation)
    lines: list[ScoreItem] = []
    total, full, reached, fatal = scheme.start, 0.0, 0.0, False
    for dimension in scheme.dimensions:
        scored = [(item, _line(item, dimension, by_rule, call)) for item in dimension.items]
        earned = sum(line.points for _, line in scored)
        kept = _within(earned, dimension.least, dimension.most)
        total += kept
        full += sum(item.full for item, line in scored if line.applicable)
        reached += kept
        fatal = fatal or any(line.fatal and line.hits > 0 for _, line in scored)
        lines += [line for _, line in scored]
        if kept != earned:
            lines.append(_cap_line(dimension, kept - earned))
    if scheme.normalise_to is not None:
        total = scheme.normalise_to if full <= 0 else scheme.normalise_to * max(0.0, reached) / full
    total = _within(total, scheme.least, scheme.most)
    return lines, scheme.fatal_points if fatal else total, fatal


def _line(item: Item, dimension: Dimension, by_rule: Mapping[str, list[Standing]], call: Call) -> ScoreItem:
    """One item: full marks, plus what its hits give or take, within its caps."""
    needed = item.only_after
    met = any(not one.award for rule_id in needed for one in by_rule.get(rule_id, ()))
    counts = applicable(item, call) and (not needed or met)
    standing = [one for rule_id in item.rules for one in by_rule.get(rule_id, ())] if counts else []
    hits = [one for one in standing if not one.award]
    counted = hits[: item.times] if item.times else hits
    points = item.full if counts else 0.0
    points += sum(hit.points if item.points is None else item.points for hit in counted)
    points += sum(one.points for one in standing if one.award)
    if counts:
        points = _within(points, 0.0 if item.full and item.least is None else item.least, item.most)
    return ScoreItem(
        item_id=item.item_id,
        name=item.name or item.item_id,
        dimension=dimension.name or dimension.dimension_id,
        points=round(points, 2),
        hits=len(hits),
        fatal=(item.fatal and bool(hits)) or any(hit.fatal for hit in hits),
        applicable=counts,
        violation_ids=tuple(hit.violation_id for hit in hits),
    )


def _cap_line(dimension: Dimension, points: float) -> ScoreItem:
    """What the dimension's cap gives back or takes, so that the lines add up to the total."""
    return ScoreItem(
        item_id=f"{dimension.dimension_id}:cap",
        name="封顶",
        dimension=dimension.name or dimension.dimension_id,
        points=round(points, 2),
    )


def _within(points: float, least: float | None, most: float | None) -> float:
    if least is not None:
        points = max(least, points)
    return points if most is None else min(most, points)


Standings: TypeAlias = Mapping[str, Standing]
"""The violations that stand, by id, in the order of finding."""


def stand(standings: Standings, violations: Sequence[Violation], awards: Iterable[Standing] = ()) -> Standings:
    """What stands after these violations and awards; the same object when no point moved."""
    given = list(awards)
    if not violations and not given:
        return standings
    new = dict(standings)
    for violation in violations:
        if violation.state == "retracted":
            new.pop(violation.violation_id, None)
        else:
            new[violation.violation_id] = Standing(
                violation.violation_id, violation.rule_id, violation.points, violation.fatal, violation.rule_name
            )
    new.update((award.violation_id, award) for award in given)
    return standings if new == standings else new


def dump_standings(standings: Standings) -> list[Any]:
    """Plain lists of plain values, for JSON."""
    return [
        [each.violation_id, each.rule_id, each.points, each.fatal, each.name, each.award] for each in standings.values()
    ]


def load_standings(data: list[Any]) -> Standings:
    """The standings of which `dump_standings` made `data`."""
    return {values[0]: Standing(*values) for values in data}
