"""Rule files to typed rules: every mistake with file, line, column, cause and the nearest valid name.

    parsed = parse({"sales.yaml": text})
    parsed.problems        # sorted; a rule set with problems that are no warnings can not be compiled

A file holds documents separated by `---`; each is a rule (`id`, `when`), a flow (`flow`) or a scheme (`scheme`). No
text whatsoever makes `parse` raise. Compiling is the work of `book`, judging that of `engine`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

import yaml

from processors.inspect.conditions import ConditionReader
from processors.inspect.examples import Example, read_examples
from processors.inspect.reader import Node, Place, Problem, Reader, clip, nearest, read_id, scalar
from processors.inspect.scopes import Scope, read_scope
from processors.inspect.tree import Condition, Group, RuleHit
from processors.inspect.yaml_nodes import documents
from processors.records import Severity

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
MAX_RULES: Final = 20_000
MAX_POINTS: Final = 10_000
KINDS: Final = ("id", "flow", "scheme")
RULE_KEYS: Final = (
    "id", "name", "severity", "points", "fatal", "scope", "when", "alert", "explain", "examples",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, as written."""

    rule_id: str
    name: str
    severity: Severity
    points: float
    fatal: bool
    scope: Scope
    when: Condition
    explain: str
    version: str
    """First 12 hex digits of SHA-256 over its canonical JSON without the examples."""
    place: Place
    alert: Any = None
    examples: tuple[Example, ...] = ()


@dataclass(slots=True)
class ParsedRules:
    """What was read from the files of one rule set."""

    rules: list[Rule] = field(default_factory=list)
    flows: list[Any] = field(default_factory=list)
    schemes: list[Any] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    version: str = ""
    """First 12 hex digits of SHA-256 over the sorted files."""

    @property
    def errors(self) -> list[Problem]:
        """Problems that forbid to compile."""
        return [problem for problem in self.problems if not problem.warning]


def ruleset_version(files: Mapping[str, str | bytes]) -> str:
    """First 12 hex digits of SHA-256 over the sorted files."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name]
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        for part in (name.encode("utf-8", "surrogatepass"), data):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()[:12]


def parse(files: Mapping[str, str | bytes]) -> ParsedRules:
    """Read all files of a rule set, by name. Never raises because of their content."""
    parsed = ParsedRules(version=ruleset_version(files))
    places: dict[tuple[str, str], Place] = {}
    mentions: list[tuple[str, str, Place]] = []
    counted: list[tuple[str, Place]] = []
    for name in sorted(files):
        reader = Reader(name)
        text = _decoded(files[name], reader)
        found = documents(reader, text) if text is not None else []
        if not reader.problems and all(_is_nothing(node) for node in found):
            reader.problems.append(Problem(name, 1, 1, "the file is empty", "write a rule (id, when) into it"))
        for node in found:
            reader.mentions = []
            owner, scores = _document(node, reader, parsed, places)
            if scores:
                counted += reader.mentions
            else:
                mentions += [(owner, name, place) for name, place in reader.mentions]
        parsed.problems += reader.problems
    if len(parsed.rules) > MAX_RULES:
        place = parsed.rules[MAX_RULES].place
        parsed.problems.append(
            Problem(place.file, place.line, place.column, f"more than {MAX_RULES} rules in one rule set")
        )
    _check_mentions(parsed, mentions)
    _check_counted(parsed, counted)
    parsed.problems.sort()
    return parsed


def _decoded(content: str | bytes, reader: Reader) -> str | None:
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"the file is not UTF-8 (byte 0x{content[error.start]:02x})"
        reader.problems.append(Problem(reader.file, line, column, message, "save it as UTF-8"))
        return None


def _is_nothing(node: Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not scalar(node).strip()


def _document(
    node: Node, reader: Reader, parsed: ParsedRules, places: dict[tuple[str, str], Place]
) -> tuple[str, bool]:
    """Read one document into `parsed`; gives the id of its rule, if it is one, and whether it is a scheme."""
    if _is_nothing(node):
        return "", False  # an empty document between two separators
    if not isinstance(node, yaml.MappingNode):
        reader.problem(node, "a rule must be a mapping with 'id' and 'when'", "separate rules by a line ---")
        return "", False
    keys = [scalar(key) for key, _ in node.value]
    if "flow" in keys:
        from processors.inspect.flow_files import read_flow

        flow = read_flow(node, reader)
        if flow is not None and _new(node, "flow", flow.flow_id, reader, places):
            parsed.flows.append(flow)
    elif "scheme" in keys:
        from processors.inspect.scheme_files import read_scheme

        scheme = read_scheme(node, reader)
        if scheme is not None and _new(node, "scheme", scheme.scheme_id, reader, places):
            parsed.schemes.append(scheme)
        return "", True
    else:
        rule = read_rule(node, reader)
        if rule is not None and _new(node, "id", rule.rule_id, reader, places):
            parsed.rules.append(rule)
            return rule.rule_id, False
    return "", False


def _new(node: Node, kind: str, name: str, reader: Reader, places: dict[tuple[str, str], Place]) -> bool:
    at = next((value for key, value in node.value if scalar(key) == kind), node)
    this, shown = reader.place(at), "rule" if kind == "id" else kind
    first = places.setdefault((kind, name), this)
    if first != this:
        reader.problem(at, f"the {shown} '{clip(name)}' exists already at {first}")
        return False
    other = {"id": "flow", "flow": "id"}.get(kind, "")
    if (other, name) in places:  # both are called by it: in backtests, in `rules test --rule`
        taken = "flow" if other == "flow" else "rule"
        reader.problem(
            at, f"the {taken} at {places[other, name]} has the name '{clip(name)}', too", "rename one of them"
        )
    return True


def read_rule(node: Node, reader: Reader) -> Rule | None:
    """One rule; None when it can not be used at all."""
    before = len(reader.problems)
    found = reader.mapping(node, "a rule", RULE_KEYS, ("id", "when"))
    rule_id = read_id(found["id"], reader, "'id'") if "id" in found else ""
    scope = read_scope(found["scope"], reader) if "scope" in found else Scope()
    points = reader.number(found["points"], "'points'", least=-MAX_POINTS, most=MAX_POINTS) if "points" in found else 0
    fatal = reader.flag(found["fatal"], "'fatal'") if "fatal" in found else False
    if fatal and "points" in found:
        reader.problem(found["points"], "'points' and 'fatal' exclude each other", "a fatal rule fails the whole call")
    severity = reader.choice(found["severity"], "'severity'", SEVERITIES, "medium") if "severity" in found else "medium"
    name = reader.text(found["name"], "'name'") if "name" in found else rule_id
    explain = reader.text(found["explain"], "'explain'") if "explain" in found else ""
    alert = _alert(found["alert"], reader) if "alert" in found else None
    when = ConditionReader(reader).read(found["when"], role=scope.role) if "when" in found else None
    examples = read_examples(found["examples"], reader, scope.from_ms, scope.until_ms) if "examples" in found else ()
    if len(reader.problems) == before and not examples:
        reader.problem(found["id"], f"the rule '{rule_id}' has no examples", "it can not be published", warning=True)
    if when is None or not rule_id:
        return None
    plain = {key: _plain(value) for key, value in found.items() if key != "examples"}
    canonical = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    version = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    level: Severity = next(level for level in SEVERITIES if level == severity)
    return Rule(rule_id, name, level, points, fatal, scope, when, explain, version, reader.place(node), alert, examples)


def _alert(node: Node, reader: Reader) -> Any:
    from processors.inspect.alerts import read_alert

    return read_alert(node, reader)


def _plain(node: Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {scalar(key): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value) for value in node.value]
    return node.value


def mentioned(condition: Condition | None) -> set[str]:
    """Rules of which a condition speaks."""
    if condition is None:
        return set()
    names = {condition.rule_id} if isinstance(condition, RuleHit) else set()
    nested = [*condition.of] if isinstance(condition, Group) else []
    for child in (*nested, condition.window.after, condition.window.before):
        names |= mentioned(child)
    return names


def _check_mentions(parsed: ParsedRules, mentions: list[tuple[str, str, Place]]) -> None:
    rules = {rule.rule_id: rule for rule in parsed.rules}
    for _, name, place in mentions:
        if name not in rules:
            step = any(name == f"{flow.flow_id}/{one.step_id}" for flow in parsed.flows for one in flow.steps)
            message = f"no rule '{clip(name)}'" + (", but a step of a flow, of which no rule can speak" if step else "")
            hint = "write its condition instead" if step else nearest(name, rules)
            parsed.problems.append(Problem(place.file, place.line, place.column, message, hint))
    speaks_of = {name: mentioned(rule.when) & rules.keys() for name, rule in rules.items()}
    settled: set[str] = set()
    for name in rules:
        circle = _circle(name, speaks_of, settled)
        if circle:
            own = (at for owner, other, at in mentions if [owner, other] == circle[:2])
            place = next(own, rules[circle[0]].place)
            message = "rules that wait for each other: " + " -> ".join(circle)
            parsed.problems.append(Problem(place.file, place.line, place.column, message))


def _check_counted(parsed: ParsedRules, counted: list[tuple[str, Place]]) -> None:
    """Schemes count the hits of rules and the missed steps of flows."""
    names = [rule.rule_id for rule in parsed.rules]
    names += [f"{flow.flow_id}/{step.step_id}" for flow in parsed.flows for step in flow.steps]
    known = set(names)
    for name, place in counted:
        if name not in known:
            message = f"no rule and no step of a flow '{clip(name)}'" if "/" in name else f"no rule '{clip(name)}'"
            parsed.problems.append(Problem(place.file, place.line, place.column, message, nearest(name, names)))
    for index, scheme in enumerate(parsed.schemes):
        earlier = next((one for one in parsed.schemes[:index] if one.scope == scheme.scope), None)
        if earlier is not None:
            message = f"the scheme '{scheme.scheme_id}' never applies: '{earlier.scheme_id}' has the same scope"
            place = scheme.place
            parsed.problems.append(Problem(place.file, place.line, place.column, message, "give one of them a scope"))
    if not parsed.errors:
        parsed.problems += _uncounted(parsed)


def _uncounted(parsed: ParsedRules) -> Iterator[Problem]:
    """Rules and steps that cost points, in calls that a scheme scores, and that no scheme counts."""
    counted = {
        rule for scheme in parsed.schemes for dimension in scheme.dimensions for item in dimension.items
        for rule in item.rules
    }  # fmt: skip
    costly = [(rule.rule_id, rule.scope, rule.place) for rule in parsed.rules if rule.points or rule.fatal]
    costly += [
        (f"{flow.flow_id}/{step.step_id}", flow.scope, flow.place)
        for flow in parsed.flows for step in flow.steps if step.points or step.fatal
    ]  # fmt: skip
    for name, scope, place in costly:
        scheme = next((one for one in parsed.schemes if one.scope.meets(scope)), None)
        if scheme is not None and name not in counted:
            message = f"'{name}' costs nothing: it has points, but no scheme counts it"
            hint = f"put it into an item of the scheme '{scheme.scheme_id}'"
            yield Problem(place.file, place.line, place.column, message, hint, warning=True)


def _circle(start: str, speaks_of: Mapping[str, set[str]], settled: set[str]) -> list[str]:
    """A circle of rules that can be reached from `start`, or []; without recursion. Visited rules become settled."""
    path: dict[str, None] = {}
    stack: list[tuple[str, bool]] = [(start, False)]
    while stack:
        name, done = stack.pop()
        if done:
            path.popitem()
            settled.add(name)
        elif name in path:
            settled.update(path)
            names = list(path)
            return [*names[names.index(name) :], name]
        elif name not in settled:
            path[name] = None
            stack.append((name, True))
            stack.extend((other, False) for other in sorted(speaks_of[name]))
    return []
