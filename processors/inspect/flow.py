"""Process inspection (流程质检): which step of a flow a call has reached, what is due, and what was left out.

A flow is a graph of steps without circles. A step is done by a condition, or it chooses a branch; it has a deadline,
may be skipped, and is missed when its deadline has passed for good, when a later step was taken before it, or when the
call ends. `walk` says all of that as a pure function of the hits found so far and of how far the call is known, so that
a retracted hit takes its steps back by itself. A missed step is a violation of the rule `FLOW/STEP`.

Files are read by `flow_files`; conditions are judged by the engine, as hidden rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from processors.inspect.logic import Found
from processors.inspect.operators.attribute import holds
from processors.inspect.operators.base import Call
from processors.inspect.scorecard import Standing
from processors.records import (
    CallStarted,
    Evidence,
    FlowProgress,
    FlowStep,
    Partial,
    Severity,
    StepState,
    Utterance,
    Violation,
)

END: Final = "end"
"""Where a flow goes when it is over."""
FOUNDS_MAX: Final = 16
"""Most hits of one condition that a flow keeps: the first ones."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One way on from a step; without a condition the way when no other was found."""

    go: str
    condition: Any = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a flow."""

    step_id: str
    name: str
    when: Any = None
    """Condition by which it is done; None for a step that only chooses a branch."""
    branches: tuple[Branch, ...] = ()
    next: str = END
    on_missed: str = ""
    """Where to go on when it was missed; '' as if it had been done."""
    within_ms: int | None = None
    """Deadline, from the moment it became due."""
    first_ms: int | None = None
    """Deadline, from the start of the call."""
    skip: Any = None
    """Condition that makes it needless."""
    skip_when_missed: tuple[str, ...] = ()
    optional: bool = False
    points: float = 0.0
    """Below 0 taken when missed, above 0 given when done."""
    fatal: bool = False
    severity: Severity = "medium"
    explain: str = ""
    lag_ms: int = 0
    """How long after its start a hit may become known beyond the frontier."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A process that calls of its scope must follow."""

    flow_id: str
    name: str
    scope: Any
    steps: tuple[Step, ...]
    version: str
    ordered: bool = True
    """Whether a step that was overtaken by a later one is missed, and only what comes after a step does the next."""
    applies: str = ""
    """CEL expression over the call's metadata, as in the operator `attribute`; '' is every call of the scope."""
    alert: Any = None
    examples: tuple[Any, ...] = ()
    place: Any = None

    def conditions(self) -> dict[str, Any]:
        """All conditions, by the name of their hidden rule within the flow."""
        found: dict[str, Any] = {}
        for step in self.steps:
            if step.when is not None:
                found[step.step_id] = step.when
            if step.skip is not None:
                found[f"{step.step_id}!skip"] = step.skip
            for number, branch in enumerate(step.branches):
                if branch.condition is not None:
                    found[f"{step.step_id}>{number}"] = branch.condition
        return found

    def step(self, step_id: str) -> Step:
        """The step with this name."""
        return next(step for step in self.steps if step.step_id == step_id)


Mark: TypeAlias = tuple[int, int, int, int]
"""A hit of a condition: start, end, whether provisional (0 or 1), start of its utterance. What follows in the same
utterance follows, in whichever order its words stand."""


@dataclass(frozen=True, slots=True)
class FlowState:
    """One flow of one call."""

    marks: Mapping[str, tuple[Mark, ...]] = field(default_factory=dict)
    shown: tuple[FlowStep, ...] = ()
    """What was published last."""
    missed: tuple[str, ...] = ()
    """Steps reported as violations."""
    look_ms: int = 0
    """Call time at which something may be decided without a new hit; -1: none."""


FlowStates: TypeAlias = Mapping[str, FlowState]


@dataclass(slots=True)
class Walk:
    """Where a call stands in a flow."""

    steps: dict[str, FlowStep]
    current: str = ""
    look_ms: int = -1
    awards: list[str] = field(default_factory=list)
    """Steps done for good."""
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of missed steps: since when they were due, and when it was decided."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What walking carries on: hits from `since_ms` on count, deadlines run from `base_ms`."""

    since_ms: int = 0
    base_ms: int = 0
    firm: bool = True
    """No provisional hit has led here."""


def walk(flow: Flow, marks: Mapping[str, Sequence[Mark]], known_ms: int, ended: bool) -> Walk:
    """Follow the flow over the hits found so far; everything before `known_ms` is known for good."""
    steps = {step.step_id: FlowStep(step_id=step.step_id, name=step.name, state="waiting") for step in flow.steps}
    result = Walk(steps)
    step_id, place = flow.steps[0].step_id, _Place()
    while step_id != END:
        step = flow.step(step_id)
        if any(steps[other].state == "missed" for other in step.skip_when_missed):
            steps[step_id] = replace(steps[step_id], state="skipped", at_ms=place.base_ms)
            step_id = step.next
            continue
        go, place = _settle(flow, step, marks, known_ms, ended, place, result)
        if go is None:
            result.current = step_id
            break
        step_id = go
    if ended or step_id == END:
        for name, one in steps.items():
            if one.state == "waiting":
                steps[name] = replace(one, state="skipped")
    return result


def _settle(
    flow: Flow,
    step: Step,
    marks: Mapping[str, Sequence[Mark]],
    known_ms: int,
    ended: bool,
    place: _Place,
    result: Walk,
) -> tuple[str | None, _Place]:
    """Decide one step: where to go on, None while it is open."""
    since_ms = place.since_ms if flow.ordered else 0
    limits = [place.base_ms + step.within_ms] if step.within_ms is not None else []
    limits += [step.first_ms] if step.first_ms is not None else []
    deadline_ms = min(limits, default=None)
    overtaken = _overtaken(flow, step, marks, since_ms) if flow.ordered else None
    limits += [overtaken[0]] if overtaken is not None else []
    limit_ms = min(limits, default=None)

    choices = [(mark, rank, go) for rank, (name, go) in enumerate(_ways(step)) for mark in marks.get(name, ())]
    ways = [each for each in choices if each[0][0] >= since_ms and _in_time(each[0], deadline_ms, overtaken)]
    skips = [mark for mark in marks.get(f"{step.step_id}!skip", ()) if limit_ms is None or mark[0] <= limit_ms or ended]
    best = min(ways, default=None)
    skip = min(skips, default=None)
    shown = result.steps[step.step_id]
    if best is not None and (skip is None or best[0][0] <= skip[0]):
        mark, _, go = best
        firm = place.firm and not mark[2]
        result.steps[step.step_id] = replace(
            shown, state="done", at_ms=mark[0], due_ms=deadline_ms, points=_given(step)
        )
        if firm:
            result.awards.append(step.step_id)
        return go, _Place(mark[3], mark[0], firm)
    if skip is not None:
        result.steps[step.step_id] = replace(shown, state="skipped", at_ms=skip[0])
        return step.next, _Place(place.since_ms, max(place.base_ms, skip[0]), place.firm and not skip[2])
    decided = ended or (limit_ms is not None and known_ms > limit_ms + step.lag_ms)
    if not decided or not place.firm:
        result.steps[step.step_id] = replace(shown, state="due", due_ms=deadline_ms)
        result.look_ms = -1 if limit_ms is None else limit_ms + step.lag_ms + 1
        return None, place
    at_ms = known_ms if limit_ms is None else min(limit_ms, known_ms) if ended else limit_ms
    passed = _Place(place.since_ms, max(place.base_ms, at_ms), place.firm)
    default = next((branch.go for branch in step.branches if branch.condition is None), None)
    if default is not None:
        result.steps[step.step_id] = replace(shown, state="done", at_ms=at_ms, due_ms=deadline_ms)
        return default, passed
    if step.optional:
        result.steps[step.step_id] = replace(shown, state="skipped", at_ms=at_ms, due_ms=deadline_ms)
        return step.next, passed
    result.spans[step.step_id] = (place.base_ms, at_ms)
    taken = min(0.0, step.points)
    result.steps[step.step_id] = replace(shown, state="missed", at_ms=at_ms, due_ms=deadline_ms, points=taken)
    return step.on_missed or step.next, passed


def _in_time(mark: Mark, deadline_ms: int | None, overtaken: Mark | None) -> bool:
    """Whether a hit comes before the deadline, and not in a later utterance than the step that overtook it."""
    return (deadline_ms is None or mark[0] <= deadline_ms) and (overtaken is None or mark[3] <= overtaken[3])


def _given(step: Step) -> float:
    return max(0.0, step.points)


def _ways(step: Step) -> list[tuple[str, str]]:
    """(condition, where it leads) of all ways to be done with a step."""
    if step.when is not None:
        return [(step.step_id, step.next)]
    return [
        (f"{step.step_id}>{number}", branch.go)
        for number, branch in enumerate(step.branches)
        if branch.condition is not None
    ]


def _overtaken(flow: Flow, step: Step, marks: Mapping[str, Sequence[Mark]], since_ms: int) -> Mark | None:
    """The hit by which the first step after this one was taken, along the straight way up to the next branching."""
    later_marks: list[Mark] = []
    name = step.on_missed or step.next
    while name != END and not step.branches:
        later = flow.step(name)
        for condition, _ in _ways(later):
            later_marks += [mark for mark in marks.get(condition, ()) if mark[0] >= since_ms]
        if later.branches:
            break
        name = later.next
    return min(later_marks, default=None)


def start(flows: Sequence[Flow], call: Call) -> FlowStates:
    """The flows that this call must follow."""
    return {
        flow.flow_id: FlowState()
        for flow in flows
        if flow.scope.covers(call.scenario, call.queue, call.team_id, call.direction, call.at_ms)
        and (not flow.applies or holds(flow.applies, call))
    }


def observe(
    states: FlowStates, flows: Sequence[Flow], call: Call, record: object, found: Mapping[str, Sequence[Found]]
) -> tuple[FlowStates, list[Missed], list[FlowProgress], list[Standing]]:
    """States, steps just missed, progress that changed, and points just given, after a record."""
    known_ms = call.frontier_ms()
    new: dict[str, FlowState] = {}
    missed: list[Missed] = []
    progress: list[FlowProgress] = []
    given: list[Standing] = []
    for flow in flows:
        state = states.get(flow.flow_id)
        if state is None:
            continue
        marks = _marks(flow, state, found, record)
        due = 0 <= state.look_ms <= known_ms
        if marks is state.marks and not due and not call.ended and not isinstance(record, CallStarted):
            continue
        walked = walk(flow, marks, known_ms, call.ended)
        shown = tuple(walked.steps.values())
        for step_id, span in walked.spans.items():
            if step_id not in state.missed:
                missed.append(Missed(flow, flow.step(step_id), *span))
        given += [
            _award(call.call_id, flow.flow_id, flow.name, step.step_id, step.name, _given(step))
            for step in map(flow.step, walked.awards)
            if _given(step)
        ]
        if shown != state.shown:
            progress.append(_progress(flow, walked, shown, call))
        reported = tuple(dict.fromkeys((*state.missed, *walked.spans)))
        new[flow.flow_id] = FlowState(marks, shown, reported, walked.look_ms)
    return ({**states, **new} if new else states), missed, progress, given


@dataclass(frozen=True, slots=True)
class Missed:
    """A step that was left out."""

    flow: Flow
    step: Step
    start_ms: int
    end_ms: int

    def violation(self, call: Call, ruleset: str, ruleset_version: str, violation_id: str) -> Violation:
        """Its violation. A step that was due belongs to the agent."""
        step, flow = self.step, self.flow
        return Violation(
            violation_id=violation_id,
            call_id=call.call_id,
            rule_id=f"{flow.flow_id}/{step.step_id}",
            rule_name=f"{flow.name}：{step.name}",
            rule_version=flow.version,
            ruleset=ruleset,
            ruleset_version=ruleset_version,
            state="confirmed",
            severity=step.severity,
            points=min(0.0, step.points),
            fatal=step.fatal,
            role="agent",
            agent_id=call.agent_id,
            team_id=call.team_id,
            scenario=call.scenario,
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            call_ms=call.call_ms,
            evidence=(Evidence(start_ms=self.start_ms, end_ms=self.end_ms, operator="flow"),),
            explanation=step.explain or f"流程“{flow.name}”缺少步骤“{step.name}”",
            audio_at_ms=call.at_ms + self.end_ms,
            detected_at_ms=0,
        )


def awards(progress: FlowProgress) -> list[Standing]:
    """The points that the steps have given which are done."""
    return [
        _award(progress.call_id, progress.flow_id, progress.name, step.step_id, step.name, step.points)
        for step in progress.steps
        if step.state == "done" and step.points > 0
    ]


def alert_of(flows: Sequence[Flow], rule_id: str) -> Any:
    """The alert strategy of a flow's missed steps, None without."""
    flow_id = rule_id.partition("/")[0]
    return next((flow.alert for flow in flows if flow.flow_id == flow_id), None)


def _marks(
    flow: Flow, state: FlowState, found: Mapping[str, Sequence[Found]], record: object
) -> Mapping[str, tuple[Mark, ...]]:
    """The marks with what was found anew; the same object when that is nothing."""
    new: dict[str, tuple[Mark, ...]] = {}
    for name in flow.conditions() if found else ():
        hits = found.get(f"{flow.flow_id}/{name}")
        if hits is not None:
            known = {mark[0]: mark[3] for mark in state.marks.get(name, ())}
            ordered = sorted(
                (hit.start_ms, hit.end_ms, int(hit.provisional), _from_ms(hit, known, record)) for hit in hits
            )
            # The first ones, and the latest: a step that becomes due late is done by a late hit.
            kept = (
                ordered if len(ordered) <= FOUNDS_MAX else [*ordered[: FOUNDS_MAX // 2], *ordered[-FOUNDS_MAX // 2 :]]
            )
            new[name] = tuple(kept)
    return {**state.marks, **new} if new else state.marks


def _from_ms(hit: Found, known: Mapping[int, int], record: object) -> int:
    """Start of the utterance in which a hit begins; of the hit itself when it is no utterance's."""
    trigger = hit.trigger
    if isinstance(record, Utterance | Partial) and trigger is not None:
        same = (trigger.channel, trigger.utterance_no) == (record.channel, record.utterance_no)
        if same and record.start_ms <= hit.start_ms:
            return record.start_ms
    return known.get(hit.start_ms, hit.start_ms)


def _award(call_id: str, flow_id: str, flow_name: str, step_id: str, step_name: str, points: float) -> Standing:
    rule_id = f"{flow_id}/{step_id}"
    return Standing(f"{call_id}/{rule_id}", rule_id, points, name=f"{flow_name}：{step_name}", award=True)


def _progress(flow: Flow, walked: Walk, shown: tuple[FlowStep, ...], call: Call) -> FlowProgress:
    return FlowProgress(
        call_id=call.call_id,
        flow_id=flow.flow_id,
        name=flow.name,
        current=walked.current,
        steps=shown,
        done=not walked.current,
        ruleset_version=flow.version,
        call_ms=call.call_ms,
    )


def dump_states(states: FlowStates) -> dict[str, Any]:
    """Plain values, for JSON."""
    return {
        flow_id: [
            {name: [list(mark) for mark in marks] for name, marks in state.marks.items()},
            [[one.step_id, one.name, one.state, one.due_ms, one.at_ms, one.points] for one in state.shown],
            list(state.missed),
            state.look_ms,
        ]
        for flow_id, state in states.items()
    }


def load_states(data: Mapping[str, Any]) -> FlowStates:
    """The states of which `dump_states` made `data`."""
    return {
        flow_id: FlowState(
            {name: tuple((mark[0], mark[1], mark[2], mark[3]) for mark in plain) for name, plain in marks.items()},
            tuple(_load_step(*values) for values in shown),
            tuple(missed),
            look_ms,
        )
        for flow_id, (marks, shown, missed, look_ms) in data.items()
    }


def _load_step(
    step_id: str, name: str, state: StepState, due_ms: int | None, at_ms: int | None, points: float
) -> FlowStep:
    return FlowStep(step_id=step_id, name=name, state=state, due_ms=due_ms, at_ms=at_ms, points=points)
