"""Reads flows (流程质检) from rule files.

    flow: identity-check
    name: 身份核实
    scope: {role: agent, scenario: [collection]}
    steps:
      - {id: greet, name: 问候, when: {said: [您好]}, first_s: 15, points: -2}
      - id: who
        branches:
          - {when: {said: {any: [我是, 是我]}, role: customer}, go: tell}
          - {go: end}
        within_s: 30
      - {id: tell, when: {said: [欠款]}, optional: true}

Steps follow each other in the order of the file unless `next` says otherwise. It reports circles, steps that nothing
leads to, and names that do not exist; how a call walks through a flow is `flow`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

import yaml

from processors.inspect.conditions import ConditionReader
from processors.inspect.examples import Example, read_calls
from processors.inspect.flow import END, Branch, Flow, Step
from processors.inspect.language import MAX_POINTS, SEVERITIES
from processors.inspect.operators.attribute import Attribute
from processors.inspect.reader import Node, Reader, clip, nearest, read_id, scalar
from processors.inspect.scopes import Scope, read_scope
from processors.inspect.tree import Condition, Group, Leaf
from processors.records import Severity

FLOW_KEYS: Final = ("flow", "name", "scope", "applies", "severity", "ordered", "alert", "steps", "examples")
STEP_KEYS: Final = (
    *("id", "name", "when", "branches", "next", "on_missed", "within_s", "first_s", "skip", "skip_when_missed"),
    *("optional", "points", "fatal", "severity", "explain"),
)
BRANCH_KEYS: Final = ("when", "go")
MAX_STEPS: Final = 100


@dataclass(frozen=True, slots=True)
class FlowExample:
    """A small call, and which steps it must do and miss."""

    call: Example
    done: tuple[str, ...]
    missed: tuple[str, ...]


@dataclass(slots=True)
class _Flow:
    """What the steps of one flow share while they are read."""

    reader: Reader
    scope: Scope
    severity: Severity
    names: list[str]
    conditions: ConditionReader


def read_flow(node: Node, reader: Reader) -> Flow | None:
    """One flow; None when it can not be used at all."""
    before = len(reader.problems)
    found = reader.mapping(node, "a flow", FLOW_KEYS, ("flow", "steps"))
    flow_id = read_id(found["flow"], reader, "'flow'") if "flow" in found else ""
    scope = read_scope(found["scope"], reader) if "scope" in found else Scope()
    nodes = reader.items(found["steps"], "'steps'") if "steps" in found else []
    if len(nodes) > MAX_STEPS:
        reader.problem(found["steps"], f"a flow has {len(nodes)} steps, at most {MAX_STEPS} are allowed")
    names = [_name(step) for step in nodes]
    severity = _severity(found, reader, "medium")
    shared = _Flow(reader, scope, severity, names, ConditionReader(reader))
    steps = [_step(step, index, shared) for index, step in enumerate(nodes[:MAX_STEPS])]
    usable = [step for step in steps if step is not None]
    applies = ""
    if "applies" in found:
        expression = Attribute.read(found["applies"], reader)
        applies = expression.expression if expression is not None else ""
    alert = None
    if "alert" in found:
        from processors.inspect.alerts import read_alert

        alert = read_alert(found["alert"], reader)
    examples = _examples(found["examples"], shared) if "examples" in found else ()
    if not flow_id or len(usable) != len(nodes) or not usable or len(reader.problems) > before:
        return None
    _check_graph(nodes, usable, reader)
    if not examples and len(reader.problems) == before:
        message = f"the flow '{flow_id}' has no examples"
        reader.problem(found["flow"], message, "it can not be published", warning=True)
    plain = {key: _plain(value) for key, value in found.items() if key != "examples"}
    canonical = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return Flow(
        flow_id,
        name=reader.text(found["name"], "'name'") if "name" in found else flow_id,
        scope=scope,
        steps=tuple(usable),
        version=hashlib.sha256(canonical.encode()).hexdigest()[:12],
        ordered=reader.flag(found["ordered"], "'ordered'") if "ordered" in found else True,
        applies=applies,
        alert=alert,
        examples=examples,
        place=reader.place(node),
    )


def _step(node: Node, index: int, flow: _Flow) -> Step | None:
    reader = flow.reader
    found = reader.mapping(node, "a step", STEP_KEYS, ("id",))
    step_id = read_id(found["id"], reader, "'id'") if "id" in found else ""
    if step_id == END:
        reader.problem(found["id"], "no step can be called 'end'", "'end' is where a flow is over")
    elif step_id and step_id in flow.names[:index]:
        reader.problem(found["id"], f"the step '{clip(step_id)}' stands twice in the flow")
    if ("when" in found) == ("branches" in found):
        reader.problem(node, "a step needs either 'when' or 'branches'")
    when = _condition(found["when"], flow) if "when" in found else None
    skip = _condition(found["skip"], flow) if "skip" in found else None
    branches = _branches(found["branches"], flow) if "branches" in found else ()
    if "branches" in found and "next" in found:
        reader.problem(found["next"], "a step with 'branches' has no 'next'", "each branch says where it goes")
    following = flow.names[index + 1] if index + 1 < len(flow.names) else END
    points = 0.0
    if "points" in found:
        points = reader.number(found["points"], "'points'", least=-MAX_POINTS, most=MAX_POINTS)
    optional = reader.flag(found["optional"], "'optional'") if "optional" in found else False
    fatal = reader.flag(found["fatal"], "'fatal'") if "fatal" in found else False
    if optional and (fatal or points < 0):
        reader.problem(found["optional"], "an optional step is never missed, so it can not cost points")
    return Step(
        step_id,
        name=reader.text(found["name"], "'name'") if "name" in found else step_id,
        when=when,
        branches=branches,
        next=_target(found["next"], flow) if "next" in found else following,
        on_missed=_target(found["on_missed"], flow) if "on_missed" in found else "",
        within_ms=reader.seconds(found["within_s"], "'within_s'") if "within_s" in found else None,
        first_ms=reader.seconds(found["first_s"], "'first_s'") if "first_s" in found else None,
        skip=skip,
        skip_when_missed=_earlier(found["skip_when_missed"], index, flow) if "skip_when_missed" in found else (),
        optional=optional,
        points=points,
        fatal=fatal,
        severity=_severity(found, reader, flow.severity),
        explain=reader.text(found["explain"], "'explain'") if "explain" in found else "",
        lag_ms=max(_lag_ms(each) for each in (when, *(branch.condition for branch in branches))),
    )


def _condition(node: Node, flow: _Flow) -> Condition | None:
    return ConditionReader(flow.reader).read(node, role=flow.scope.role)


def _branches(node: Node, flow: _Flow) -> tuple[Branch, ...]:
    reader = flow.reader
    branches: list[Branch] = []
    for item in reader.items(node, "'branches'"):
        found = reader.mapping(item, "a branch", BRANCH_KEYS, ("go",))
        go = _target(found["go"], flow) if "go" in found else END
        condition = _condition(found["when"], flow) if "when" in found else None
        if branches and branches[-1].condition is None:
            reader.problem(item, "the branch without 'when' must be the last one")
        branches.append(Branch(go, condition))
    return tuple(branches)


def _target(node: Node, flow: _Flow) -> str:
    """The name of a step, or 'end'."""
    name = flow.reader.text(node, "the name of a step", longest=80)
    if name and name != END and name not in flow.names:
        flow.reader.problem(node, f"no step '{clip(name)}'", nearest(name, [*flow.names, END]))
        return END
    return name or END


def _earlier(node: Node, index: int, flow: _Flow) -> tuple[str, ...]:
    reader = flow.reader
    names = reader.texts(node, "'skip_when_missed'", longest=80)
    _check_names(node, flow.names[:index], " before this one", reader)
    return names


def _check_names(node: Node, names: list[str], where: str, reader: Reader) -> None:
    for item in node.value if isinstance(node, yaml.SequenceNode) else []:
        if scalar(item).strip() and scalar(item).strip() not in names:
            reader.problem(item, f"no step '{clip(scalar(item))}'{where}", nearest(scalar(item), names))


def _name(node: Node) -> str:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((scalar(value).strip() for key, value in pairs if scalar(key) == "id"), "")


def _severity(found: dict[str, Node], reader: Reader, default: Severity) -> Severity:
    chosen = reader.choice(found["severity"], "'severity'", SEVERITIES, default) if "severity" in found else default
    return next(level for level in SEVERITIES if level == chosen)


def _lag_ms(condition: Condition | None) -> int:
    """How long after its start a hit of a condition may become known."""
    if condition is None:
        return 0
    own = condition.operator.lag_ms if isinstance(condition, Leaf) else 0
    children = condition.of if isinstance(condition, Group) else ()
    waits = condition.window.within_ms or 0 if isinstance(condition, Group) and condition.word == "not" else 0
    return max((own + waits, *(_lag_ms(child) + waits for child in children)))


def _check_graph(nodes: list[Node], steps: list[Step], reader: Reader) -> None:
    """No circles, and every step can be reached."""
    ways = {step.step_id: _ways_on(step) for step in steps}
    order = {step.step_id: index for index, step in enumerate(steps)}
    state: dict[str, int] = {}
    stack: list[tuple[str, bool]] = [(steps[0].step_id, False)]
    while stack:
        name, done = stack.pop()
        if done:
            state[name] = 2
        elif name not in state:
            state[name] = 1
            stack.append((name, True))
            for way in ways[name]:
                if state.get(way) == 1:
                    reader.problem(nodes[order[name]], f"the steps '{way}' and '{name}' lead back to each other")
                elif way not in state:
                    stack.append((way, False))
    for step in steps:
        if step.step_id not in state:
            reader.problem(nodes[order[step.step_id]], f"nothing leads to the step '{step.step_id}'")


def _ways_on(step: Step) -> list[str]:
    ways = [branch.go for branch in step.branches] or [step.next]
    ways += [step.on_missed] if step.on_missed else []
    # A step with branches that is skipped or missed without a way of its own goes on as the file does.
    ways += [step.next] if step.branches else []
    return [way for way in dict.fromkeys(ways) if way != END]


def _examples(node: Node, flow: _Flow) -> tuple[FlowExample, ...]:
    """Examples are written as those of rules, with `done` and `missed` instead of `hit`."""
    reader, scope = flow.reader, flow.scope
    made = []
    calls = read_calls(node, reader, "flow", ("done", "missed"), from_ms=scope.from_ms, until_ms=scope.until_ms)
    for call, found in calls:
        done, missed = (_promised(found[key], key, flow) if key in found else () for key in ("done", "missed"))
        for step in (one for one in missed if one in done):
            reader.problem(found["missed"], f"the step '{step}' can not be both done and missed")
        made.append(FlowExample(call, done, missed))
    return tuple(made)


def _promised(node: Node, key: str, flow: _Flow) -> tuple[str, ...]:
    """Steps of the flow; none is a promise, too."""
    if isinstance(node, yaml.SequenceNode) and not node.value:
        return ()
    names = flow.reader.texts(node, f"'{key}'", longest=80)
    _check_names(node, flow.names, "", flow.reader)
    return names


def _plain(node: Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {scalar(key): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value) for value in node.value]
    return node.value
