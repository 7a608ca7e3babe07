"""The judgement around the rules: emotion, measurements of the call, scorecards, alerts, flows.

The engine calls `before` with each record, then judges the rules, then calls `after` with the violations of that step.
This is glue: what each part does is in its own module, and the parts do not know each other.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from processors.inspect import alerts, call_metrics, emotion, flow, scorecard
from processors.inspect.logic import Found
from processors.inspect.operators.base import Call, Json, TimelineRecord
from processors.inspect.schemes import scheme_for
from processors.records import Alert, CallEnded, EmotionPoint, FlowProgress, Scorecard, Utterance, Violation

if TYPE_CHECKING:
    from processors.inspect.book import RuleBook

NAMESPACE: Final = uuid.UUID("b1f0a5f2-0c5e-5d3a-9a57-3e8d9f4c7b21")
Output: TypeAlias = Violation | Scorecard | Alert | FlowProgress


class Parts(NamedTuple):
    """What the parts remember of one call."""

    emotion: emotion.EmotionState
    line: call_metrics.Line
    standings: scorecard.Standings
    alerts: alerts.AlertState
    flows: flow.FlowStates
    tells_emotion: bool
    """Whether an angry customer is told without a rule that says so."""
    points: tuple[EmotionPoint, ...] = ()
    """Of the record that is just judged; empty between records."""


def start(book: RuleBook, call: Call) -> Parts:
    """The parts at the start of a call."""
    by_rule = any(
        leaf.word == "emotion" and any(book.rules[rule].rule.alert is not None for rule in leaf.rules)
        for leaf in book.leaves
    )
    states = flow.start(book.flows, call)
    return Parts(emotion.EmotionState(), call_metrics.Line(), {}, alerts.AlertState(), states, not by_rule)


def before(parts: Parts, book: RuleBook, call: Call, record: TimelineRecord) -> tuple[Parts, list[EmotionPoint]]:
    """Emotion points of this record; operators observe them."""
    if book.verdicts_only and EmotionPoint not in book.measuring:
        return parts, []
    line = parts.line if book.verdicts_only else call_metrics.observe(parts.line, record, call)
    if not isinstance(record, Utterance):
        return (parts if line is parts.line else parts._replace(line=line)), []
    state, point = emotion.observe(parts.emotion, record)
    points = () if point is None else (point,)
    return parts._replace(line=line, emotion=state, points=points), list(points)


def after(
    parts: Parts,
    book: RuleBook,
    call: Call,
    record: TimelineRecord,
    violations: Sequence[Violation],
    found: Mapping[str, Sequence[Found]],
) -> tuple[Parts, list[Output]]:
    """Scorecards, alerts and flow progress after the rules were judged."""
    out: list[Output] = []
    flows, left_out, progress, awards = flow.observe(parts.flows, book.flows, call, record, found)
    missed = [each.violation(call, book.name, book.version, _identity(call, each.flow, each.step)) for each in left_out]
    out += [*missed, *progress]
    if book.verdicts_only:
        return (parts if flows is parts.flows else parts._replace(flows=flows)), out
    everything = [*violations, *missed]

    def strategy(rule_id: str) -> alerts.Strategy | None:
        compiled = book.rule(rule_id)
        chosen = flow.alert_of(book.flows, rule_id) if compiled is None or compiled.hidden else compiled.rule.alert
        return chosen if isinstance(chosen, alerts.Strategy) else None

    points = parts.points if parts.tells_emotion else ()
    told, raised = alerts.observe(parts.alerts, strategy, call, record, everything, points)
    standings = scorecard.stand(parts.standings, everything, awards)
    ended = record if isinstance(record, CallEnded) else None
    if standings is not parts.standings or ended is not None:
        moment = scorecard.Moment(
            call=call,
            state="running" if ended is None else "final",
            ruleset=book.name,
            ruleset_version=book.version,
            metrics=call_metrics.metrics(parts.line, call),
            coverage=call_metrics.coverage(parts.line, call, ended),
        )
        out.append(scorecard.score(scheme_for(book.schemes, call), standings.values(), moment))
    out += raised
    if flows is parts.flows and told is parts.alerts and standings is parts.standings and not parts.points:
        return parts, out
    return parts._replace(flows=flows, alerts=told, standings=standings, points=()), out


def _identity(call: Call, process: flow.Flow, step: flow.Step) -> str:
    """The id of the violation of a missed step: a flow misses a step once a call at most."""
    return str(uuid.uuid5(NAMESPACE, f"{call.call_id}/{process.flow_id}/{step.step_id}/{process.version}/missed"))


def dump(parts: Parts) -> Json:
    """Plain values."""
    plain: list[Any] = [
        emotion.dump_state(parts.emotion),
        call_metrics.dump_line(parts.line),
        scorecard.dump_standings(parts.standings),
        alerts.dump_state(parts.alerts),
        flow.dump_states(parts.flows),
        parts.tells_emotion,
    ]
    return plain


def load(plain: Any) -> Parts:
    """The other way."""
    feelings, line, standings, told, flows, tells_emotion = plain
    return Parts(
        emotion.load_state(feelings),
        call_metrics.load_line(line),
        scorecard.load_standings(standings),
        alerts.load_state(told),
        flow.load_states(flows),
        tells_emotion,
    )
