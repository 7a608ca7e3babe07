"""Who is told, and how often: alert strategies over violations and emotions.

The alerts of a rule follow from its hits that still stand: the strategy is played over them in the order of call time,
around what was raised already, and what it wants is compared with that. So a retracted violation takes back the alert
that it caused, and sets free the place and the interval that it had used. Time is call time; quiet hours are judged by
the UTC time of the audio and a fixed offset. Nothing here reads a clock or sends anything.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from processors.inspect.operators.base import Call
from processors.inspect.reader import Node, Reader, clip, scalar
from processors.records import Alert, EmotionPoint, Severity, Utterance, Violation

NAMESPACE: Final = uuid.UUID("6d5f9a0e-53c1-5b0e-9b4b-0d3f9c1f6a11")
HITS_MAX: Final = 16
"""Most hits of one rule that a call remembers for its alerts; older ones have spoken."""
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Strategy:
    """When a rule's hits become alerts, and for whom."""

    min_hits: int = 1
    within_ms: int | None = None
    """Call time within which `min_hits` must lie; None: the whole call."""
    every_ms: int = 0
    """Least call time between two alerts."""
    most: int | None = None
    """Most alerts in one call."""
    quiet: tuple[tuple[int, int], ...] = ()
    """Quiet hours as (from, to) in milliseconds of the day; `to` below `from` runs over midnight."""
    utc_offset_ms: int = 8 * 3_600_000
    """What is added to UTC for the hours above; China's by default."""
    to: tuple[str, ...] = ("supervisor",)
    by_team: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other recipients for the calls of a team."""

    def recipients(self, team_id: str) -> tuple[str, ...]:
        """Who is told about a call of `team_id`."""
        return self.by_team.get(team_id, self.to)

    def is_quiet(self, at_ms: int) -> bool:
        """Whether nobody is to be told at this UTC time. Hours are half open: 08:00 is not quiet in 22:00-08:00."""
        of_day = (at_ms + self.utc_offset_ms) % DAY_MS
        return any(
            start <= of_day < end if start <= end else of_day >= start or of_day < end for start, end in self.quiet
        )


@dataclass(frozen=True, slots=True)
class RuleAlerts:
    """What one rule has caused in one call: hits that stand as (violation_id, call_ms, at_ms), and what was raised."""

    hits: tuple[tuple[str, int, int], ...] = ()
    raised: tuple[str, ...] = ()
    """Violations whose alert is out."""
    folded: int = 0
    """Alerts of hits that are no longer remembered."""
    folded_last_ms: int = -1


def on_violation(strategy: Strategy, state: RuleAlerts, violation: Violation) -> tuple[RuleAlerts, list[Alert]]:
    """Take in a violation of the rule that `strategy` belongs to, in any of its three states.

    Raised alerts speak of `violation`, or when a retraction lets an earlier hit through, of that hit; retracted alerts
    carry the id under which they were raised. A repeat of what is known changes nothing.
    """
    known = any(hit[0] == violation.violation_id for hit in state.hits)
    if violation.state == "retracted":
        hits = tuple(hit for hit in state.hits if hit[0] != violation.violation_id)
    elif known:
        return state, []
    else:
        hit = (violation.violation_id, violation.call_ms or violation.end_ms, violation.audio_at_ms)
        hits = tuple(sorted((*state.hits, hit), key=lambda hit: hit[1]))  # of one moment: in the order of finding
    wanted = _wanted(strategy, state, hits)
    times = {hit[0]: hit[1:] for hit in (*state.hits, *hits)}
    out: list[Alert] = []
    for violation_id in state.raised:
        if violation_id not in wanted and violation_id in times:
            out.append(_alert(strategy, violation, violation_id, *times[violation_id], raised=False))
    for violation_id in wanted:
        if violation_id not in state.raised:
            out.append(_alert(strategy, violation, violation_id, *times[violation_id], raised=True))
    return _fold(replace(state, hits=hits, raised=tuple(wanted))), out


def _wanted(strategy: Strategy, state: RuleAlerts, hits: Sequence[tuple[str, int, int]]) -> list[str]:
    """The violations that should have an alert, in the order of time.

    What somebody was told stays, as long as enough hits stand: an earlier hit that is found later finds its place and
    interval taken.
    """
    times = [call_ms for _, call_ms, _ in hits]
    wanted: dict[str, int] = {}
    fresh: list[tuple[str, int]] = []
    for index, (violation_id, call_ms, at_ms) in enumerate(hits):
        since = -1 if strategy.within_ms is None else call_ms - strategy.within_ms
        if sum(since < ms for ms in times[: index + 1]) < strategy.min_hits:
            continue
        if violation_id in state.raised:
            wanted[violation_id] = call_ms
        elif not strategy.is_quiet(at_ms):
            fresh.append((violation_id, call_ms))
    told = [state.folded_last_ms] if state.folded_last_ms >= 0 else []
    for violation_id, call_ms in fresh:
        rested = all(abs(call_ms - other) >= strategy.every_ms for other in (*told, *wanted.values()))
        if rested and (strategy.most is None or state.folded + len(wanted) < strategy.most):
            wanted[violation_id] = call_ms
    return [violation_id for violation_id, _, _ in hits if violation_id in wanted]


def _fold(state: RuleAlerts) -> RuleAlerts:
    """Forget the oldest hits beyond the bound, but not that they were told."""
    if len(state.hits) <= HITS_MAX:
        return state
    (violation_id, call_ms, _), *hits = state.hits
    told = violation_id in state.raised
    return RuleAlerts(
        hits=tuple(hits),
        raised=tuple(raised for raised in state.raised if raised != violation_id),
        folded=state.folded + told,
        folded_last_ms=call_ms if told else state.folded_last_ms,
    )


def _alert(strategy: Strategy, about: Violation, violation_id: str, call_ms: int, at_ms: int, *, raised: bool) -> Alert:
    own = violation_id == about.violation_id
    minute, second = divmod((about.start_ms if own else call_ms) // 1000, 60)
    text = f"[{minute:02d}:{second:02d}] {about.rule_name or about.rule_id}: {about.explanation or about.rule_id}"
    quote = next((evidence.quote for evidence in about.evidence if evidence.quote), "")
    if quote and own:
        text += f" “{quote}”"
    return Alert(
        alert_id=str(uuid.uuid5(NAMESPACE, f"{about.call_id}/violation/{violation_id}")),
        call_id=about.call_id,
        state="raised" if raised else "retracted",
        cause="violation",
        violation_id=violation_id,
        rule_id=about.rule_id,
        severity=about.severity,
        recipients=strategy.recipients(about.team_id),
        agent_id=about.agent_id,
        team_id=about.team_id,
        text=text,
        call_ms=call_ms,
        at_ms=at_ms,
    )


@dataclass(frozen=True, slots=True)
class EmotionStrategy:
    """When the emotion of a speaker becomes an alert."""

    role: str = "customer"
    label: str = "angry"
    for_ms: int = 5000
    """Call time for which the label must have held, from the start of the first to the end of the last utterance."""
    severity: Severity = "medium"
    strategy: Strategy = Strategy(every_ms=120_000, most=3)


@dataclass(frozen=True, slots=True)
class EmotionAlerts:
    """What the emotions of one call have caused: since when the label holds, by channel, and the last alert."""

    since_ms: Mapping[int, int] = field(default_factory=dict)
    told: Mapping[int, int] = field(default_factory=dict)
    """Channels whose present stretch of the label has an alert, with its start."""
    raised: int = 0
    last_ms: int = -1


def on_emotion(
    strategy: EmotionStrategy,
    state: EmotionAlerts,
    point: EmotionPoint,
    start_ms: int,
    agent_id: str = "",
    team_id: str = "",
) -> tuple[EmotionAlerts, list[Alert]]:
    """Take in a point, with the start of its utterance. One alert a stretch of the label, within the rate limit."""
    if point.role != strategy.role:
        return state, []
    since, told = dict(state.since_ms), dict(state.told)
    if point.label != strategy.label:
        if point.channel not in since and point.channel not in told:
            return state, []
        since.pop(point.channel, None)
        told.pop(point.channel, None)
        return replace(state, since_ms=since, told=told), []
    began_ms = since.setdefault(point.channel, start_ms)
    limit = strategy.strategy
    due = point.call_ms - began_ms >= strategy.for_ms and point.channel not in told
    rested = state.last_ms < 0 or point.call_ms - state.last_ms >= limit.every_ms
    room = limit.most is None or state.raised < limit.most
    if not (due and rested and room) or limit.is_quiet(point.at_ms):
        return replace(state, since_ms=since), []
    told[point.channel] = began_ms
    minute, second = divmod(point.call_ms // 1000, 60)
    names = {"customer": "客户", "agent": "坐席", "angry": "愤怒", "tense": "紧张", "dejected": "沮丧", "calm": "平静"}
    drivers = "、".join(driver.name for driver in point.drivers[:3])
    alert = Alert(
        alert_id=str(uuid.uuid5(NAMESPACE, f"{point.call_id}/emotion/{point.channel}/{point.label}/{began_ms}")),
        call_id=point.call_id,
        cause="emotion",
        severity=strategy.severity,
        recipients=limit.recipients(team_id),
        agent_id=agent_id,
        team_id=team_id,
        text=f"[{minute:02d}:{second:02d}] {names.get(point.role, point.role)}情绪: "
        f"{names[point.label]}已 {(point.call_ms - began_ms) / 1000:.0f} 秒 ({drivers})",
        call_ms=point.call_ms,
        at_ms=point.at_ms,
    )
    return EmotionAlerts(since, told, state.raised + 1, point.call_ms), [alert]


def dump_rule(state: RuleAlerts) -> list[Any]:
    """Plain lists of plain values, for JSON."""
    return [[list(hit) for hit in state.hits], list(state.raised), state.folded, state.folded_last_ms]


def load_rule(data: list[Any]) -> RuleAlerts:
    """The state of which `dump_rule` made `data`."""
    hits = tuple((violation_id, call_ms, at_ms) for violation_id, call_ms, at_ms in data[0])
    return RuleAlerts(hits, tuple(data[1]), data[2], data[3])


def dump_emotions(state: EmotionAlerts) -> list[Any]:
    """Plain lists of plain values, for JSON."""
    return [sorted(state.since_ms.items()), sorted(state.told.items()), state.raised, state.last_ms]


def load_emotions(data: list[Any]) -> EmotionAlerts:
    """The state of which `dump_emotions` made `data`."""
    return EmotionAlerts(dict(data[0]), dict(data[1]), data[2], data[3])


SHIPPED_EMOTION: Final = EmotionStrategy()
"""An angry customer is worth an alert, with or without a rule that says so."""


@dataclass(frozen=True, slots=True)
class AlertState:
    """What one call has caused."""

    rules: Mapping[str, RuleAlerts] = field(default_factory=dict)
    emotions: EmotionAlerts = EmotionAlerts()


def observe(
    state: AlertState,
    strategies: Callable[[str], Strategy | None],
    call: Call,
    record: object,
    violations: Sequence[Violation],
    points: Sequence[EmotionPoint],
) -> tuple[AlertState, list[Alert]]:
    """State and alerts after a record, from the violations and emotion points that it caused.

    `strategies` gives the strategy of a rule, None when nobody is told about it.
    """
    if not violations and not points:
        return state, []
    rules, emotions = dict(state.rules), state.emotions
    out: list[Alert] = []
    for violation in violations:
        strategy = strategies(violation.rule_id)
        if strategy is not None:
            known = rules.get(violation.rule_id, RuleAlerts())
            rules[violation.rule_id], alerts = on_violation(strategy, known, violation)
            out += alerts
    for point in points:
        start_ms = record.start_ms if isinstance(record, Utterance) else point.call_ms
        emotions, alerts = on_emotion(SHIPPED_EMOTION, emotions, point, start_ms, call.agent_id, call.team_id)
        out += alerts
    return AlertState(rules, emotions), out


def dump_state(state: AlertState) -> list[Any]:
    """Plain lists of plain values, for JSON."""
    return [{rule_id: dump_rule(alerts) for rule_id, alerts in state.rules.items()}, dump_emotions(state.emotions)]


def load_state(data: list[Any]) -> AlertState:
    """The state of which `dump_state` made `data`."""
    return AlertState({rule_id: load_rule(alerts) for rule_id, alerts in data[0].items()}, load_emotions(data[1]))


KEYS: Final = ("min_hits", "within_s", "every_s", "max", "quiet", "utc_offset", "to")
_HOURS: Final = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")
_OFFSET: Final = re.compile(r"([+-])(0\d|1[0-4]):([0-5]\d)")


def read_alert(node: Node, reader: Reader) -> Strategy | None:
    """The strategy written as `alert` of a rule."""
    found = reader.mapping(node, "'alert'", KEYS)
    if "within_s" in found and "min_hits" not in found:
        reader.problem(found["within_s"], "'within_s' says nothing without 'min_hits'", "min_hits: 2", warning=True)
    quiet = _read_quiet(found["quiet"], reader) if "quiet" in found else ()
    to, by_team = _read_to(found["to"], reader) if "to" in found else (Strategy().to, {})
    return Strategy(
        min_hits=reader.count(found["min_hits"], "'min_hits'", most=HITS_MAX) if "min_hits" in found else 1,
        within_ms=reader.seconds(found["within_s"], "'within_s'") if "within_s" in found else None,
        every_ms=reader.seconds(found["every_s"], "'every_s'") if "every_s" in found else 0,
        most=reader.count(found["max"], "'max'") if "max" in found else None,
        quiet=quiet,
        utc_offset_ms=_read_offset(found["utc_offset"], reader) if "utc_offset" in found else Strategy().utc_offset_ms,
        to=to,
        by_team=by_team,
    )


def _read_quiet(node: Node, reader: Reader) -> tuple[tuple[int, int], ...]:
    """'22:00-08:00' or a list of such hours."""
    nodes = reader.items(node, "'quiet'") if isinstance(node, yaml.SequenceNode) else [node]
    hours: list[tuple[int, int]] = []
    for item in nodes:
        text = reader.text(item, "'quiet'")
        if not text:
            continue
        found = _HOURS.fullmatch(text.replace(" ", ""))
        if found is None:
            reader.problem(item, f"'quiet' must be hours of the day, not '{clip(text)}'", "for example 22:00-08:00")
            continue
        begin, end = (int(found[n]) * 3_600_000 + int(found[n + 1]) * 60_000 for n in (1, 3))
        if begin == end or max(begin, end) > DAY_MS:
            reader.problem(item, f"'{clip(text)}' is no stretch of a day", "for example 22:00-08:00")
            continue
        hours.append((begin, end))
    return tuple(hours)


def _read_offset(node: Node, reader: Reader) -> int:
    text = reader.text(node, "'utc_offset'")
    found = _OFFSET.fullmatch(text)
    if found is None:
        reader.problem(node, f"'utc_offset' must be like +08:00, not '{clip(text)}'")
        return Strategy().utc_offset_ms
    return (1 if found[1] == "+" else -1) * (int(found[2]) * 3_600_000 + int(found[3]) * 60_000)


def _read_to(node: Node, reader: Reader) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """A list of recipients, or lists by team with '*' for all others."""
    if not isinstance(node, yaml.MappingNode):
        listed = isinstance(node, yaml.SequenceNode)
        return (reader.texts(node, "'to'") if listed else tuple(filter(None, [reader.text(node, "'to'")]))), {}
    teams = {
        team: reader.texts(value, f"recipients of '{clip(team)}'") for team, _, value in reader.pairs(node, "'to'")
    }
    if "*" not in teams and any(scalar(key) for key, _ in node.value):
        reader.problem(node, "'to' by team needs '*' for all other teams", '"*": [supervisor]')
    return teams.pop("*", ()), teams
