"""Whole rules: conditions with their ranges and anchors, the logic over them, points and times of effect.

A rule is imported in full or not at all. What comes out a little different carries a note, also as a comment in the
file; what can not be written here is refused with its reason and its place in the JSON. Sentences are counted there and
seconds and turns here, so every range of sentences is an approximation and says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from processors.inspect.alibaba.export import Export, Item, read_export
from processors.inspect.alibaba.expressions import Expression, Unreadable, read_expression
from processors.inspect.alibaba.operators import Condition, NotImported, condition_of, speaker_named
from processors.inspect.language import parse
from processors.inspect.operators import OPERATORS

SENTENCE_S: Final = 10
"""Seconds that stand for one sentence of one party, with what the other one says in between."""
SEVERITIES: Final = {0: "high", 1: "medium", 2: "low"}
ROLES: Final = {"客服": "agent", "坐席": "agent", "agent": "agent", "客户": "customer", "customer": "customer",
                "所有角色": "", "全部": "", "all": "", "": ""}  # fmt: skip
MAX_CHAIN: Final = 8
"""Longest chain of anchors."""
_DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(?::\d{2})?)?")


@dataclass(frozen=True, slots=True)
class ImportNote:
    """Something that is not as it was; `refused`: the whole rule is missing."""

    path: str
    rule: str
    message: str
    refused: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {'NOT IMPORTED ' if self.refused else ''}{self.rule}: {self.message}"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {"path": self.path, "rule": self.rule, "message": self.message, "refused": self.refused}


@dataclass(slots=True)
class Imported:
    """Files by name, and what is to be known about them."""

    files: dict[str, str] = field(default_factory=dict)
    notes: list[ImportNote] = field(default_factory=list)

    @property
    def rules(self) -> int:
        """How many rules were imported."""
        return len(self.files)

    @property
    def refused(self) -> int:
        """How many were not."""
        return sum(note.refused for note in self.notes)


def import_rules(text: str, name: str) -> Imported:
    """Translate an export; `name` is for messages. UserError when it is none.

    What comes out passes `rules check`: a rule that does not is refused with what the check says.
    """
    export = read_export(text, name)
    ids = _ids(export.rules)
    by_rid = {rule.text("rid"): rule_id for rule, rule_id in zip(export.rules, ids, strict=True)}
    out = Imported()
    for rule, rule_id in zip(export.rules, ids, strict=True):
        notes: list[ImportNote] = []
        try:
            document = _Rule(export, rule, rule_id, by_rid, notes).document()
        except NotImported as error:
            path, reason = error.args
            out.notes.append(ImportNote(path, rule_id, reason, refused=True))
            continue
        out.files[f"{rule_id}.yaml"] = _dumped(document, notes)
        out.notes += notes
    _refuse_unsound(out, dict(zip(ids, (rule.path for rule in export.rules), strict=True)))
    return out


def _refuse_unsound(out: Imported, paths: Mapping[str, str]) -> None:
    """Take out what the language does not accept, and the rules that speak of such."""
    while errors := parse(out.files).errors:
        for problem in errors:
            if out.files.pop(problem.file, None) is not None:
                rule_id = problem.file.removesuffix(".yaml")
                message = f"{problem.message}{f'; {problem.hint}' if problem.hint else ''}"
                out.notes = [note for note in out.notes if note.rule != rule_id]
                out.notes.append(ImportNote(paths[rule_id], rule_id, message, refused=True))


def _ids(rules: tuple[Item, ...]) -> list[str]:
    """An id of this language for each rule, as close to its own as can be."""
    ids: list[str] = []
    for number, rule in enumerate(rules, 1):
        base = re.sub(r"[^\w.\-]", "-", rule.text("rid") or rule.text("name") or str(number))[:60]
        made, again = f"sca-{base}", 2
        while made in ids:
            made, again = f"sca-{base}-{again}", again + 1
        ids.append(made)
    return ids


def _dumped(document: Mapping[str, Any], notes: list[ImportNote]) -> str:
    comments = "".join(f"# {' '.join(note.message.split())}\n" for note in notes)
    return comments + yaml.safe_dump(dict(document), allow_unicode=True, sort_keys=False, width=120)


class _Rule:
    """One rule on its way."""

    def __init__(
        self, export: Export, rule: Item, rule_id: str, ids: Mapping[str, str], notes: list[ImportNote]
    ) -> None:
        self._rule, self._rule_id, self._ids, self._notes = rule, rule_id, ids, notes
        own = rule.text("rid")
        self._conditions = {
            one.text("cid"): one for one in export.conditions if not one.text("rid") or one.text("rid") == own
        }

    def document(self) -> dict[str, Any]:
        """The rule as it is written in YAML. NotImported with path and reason."""
        rule, rule_id = self._rule, self._rule_id
        if rule.flag("isdelete"):
            raise NotImported(rule.at("isdelete"), "the rule is deleted")
        if rule.get("graphflow") or rule.text("targettype") == "11":
            raise NotImported(rule.at("graphflow"), "a process rule (流程质检) is a graph; write it as a 'flow'")
        made: dict[str, Any] = {"id": rule_id, "name": rule.text("name") or rule_id}
        level = rule.number("level")
        if level in SEVERITIES:
            made["severity"] = SEVERITIES[int(level)]
        elif level is not None:
            self._note(rule.at("level"), f"level {level:g} is not documented; taken as medium")
        points = self._points()
        if points:
            made["points"] = points
        scope = self._scope()
        if scope:
            made["scope"] = scope
        made["when"] = self._when()
        if rule.text("comments"):
            made["explain"] = rule.text("comments")
        return made

    def _note(self, path: str, message: str) -> None:
        self._notes.append(ImportNote(path, self._rule_id, message))

    def _points(self) -> float | int | None:
        number = self._rule.number("scorenum")
        if not number or self._rule.text("rulescoretype") == "1":
            return None
        self._note(self._rule.at("scorenum"), f"the score {number:g} is taken as a deduction; turn the sign if it adds")
        points = -abs(number)
        return int(points) if points == int(points) else points

    def _scope(self) -> dict[str, str]:
        if self._rule.flag("fullcycle"):
            return {}
        scope: dict[str, str] = {}
        for name, key in (("effectivestarttime", "from"), ("effectiveendtime", "until")):
            text = self._rule.text(name)
            found = _DATE.fullmatch(text)
            if found is not None:
                scope[key] = f"{found[1]}T{found[2]}" if found[2] else found[1]
            elif text:
                self._note(self._rule.at(name), f"'{text}' is no date; the rule applies at all times")
        for name in ("businesscategorynamelist", "businesscategories"):
            if self._rule.get(name):
                self._note(self._rule.at(name), "business categories are left out; name a 'scenario' in the scope")
        return scope

    def _when(self) -> Condition:
        when = self._logic(self._expression(), self._rule.at("lambda"))
        before = self._rule.item("preqrule")
        if before is None or not before.text("rid"):
            return when
        needed = self._ids.get(before.text("rid"))
        if needed is None:
            raise NotImported(before.at("rid"), f"it needs the rule {before.text('rid')}, which is not in the file")
        hit: Condition = {"rule": {"hit": needed}}
        return {"all": [hit, when]} if _is_absence(when) else {"all": [when, hit]}

    def _expression(self) -> Expression:
        text, triggers = self._rule.text("lambda"), self._rule.texts("triggers")
        if not text and len(triggers) == 1:
            text = triggers[0]
        if not text and len(self._conditions) == 1:
            text = next(iter(self._conditions))
        if not text:
            raise NotImported(self._rule.path, "no lambda says how its conditions belong together")
        return _readable(text, self._rule.at("lambda"))

    def _logic(self, expression: Expression, path: str) -> Condition:
        """The lambda of the rule, over conditions."""
        if expression.kind == "name":
            return self._condition(expression.name, path, ())
        of = [self._logic(one, path) for one in expression.of]
        if expression.kind == "not":
            return _negated(of[0], path)
        if expression.kind == "any":
            return _any(of, path)
        return {"all": [*(one for one in of if not _is_absence(one)), *(one for one in of if _is_absence(one))]}

    # Conditions

    def _condition(self, cid: str, path: str, chain: tuple[str, ...]) -> Condition:
        """A condition with its role, range and anchor. `chain` are the conditions whose anchor it is."""
        condition = self._conditions.get(cid)
        if condition is None:
            raise NotImported(path, f"there is no condition {cid}")
        if cid in chain or len(chain) >= MAX_CHAIN:
            raise NotImported(condition.path, "anchors that wait for each other")
        if condition.flag("exclusion"):
            raise NotImported(condition.at("exclusion"), "what an exclusion means is not documented")
        reach = condition.item("checkrange")
        role = self._role(reach) if reach is not None else ""
        made = self._operators(condition, role)
        if role and not speaker_named(made, OPERATORS):
            made = {**made, "role": role}
        return made if reach is None else self._placed(made, reach, (*chain, cid))

    def _role(self, reach: Item) -> str:
        text = reach.text("role").lower()
        if text not in ROLES:
            raise NotImported(reach.at("role"), f"no party is called '{reach.text('role')}' here")
        if not text and reach.get("roleid") is not None:
            self._note(reach.at("roleid"), "a role without a name; taken as both parties")
        return ROLES[text]

    def _operators(self, condition: Item, role: str) -> Condition:
        """The lambda of a condition, over operators that look at the same sentence."""
        operators = {one.text("oid"): one for one in condition.items("operators")}
        text = condition.text("lambda")
        if not text and len(operators) == 1:
            text = next(iter(operators))
        if not text:
            raise NotImported(condition.path, "no lambda says how its operators belong together")
        path = condition.at("lambda")

        def made(expression: Expression) -> Condition:
            if expression.kind == "name":
                operator = operators.get(expression.name)
                if operator is None:
                    raise NotImported(path, f"there is no operator {expression.name}")
                return condition_of(operator, role, self._note)
            of = [made(one) for one in expression.of]
            if expression.kind == "not":
                return _negated(of[0], path)
            if expression.kind == "any":
                return _any(of, path)
            there, missing = [one for one in of if not _is_absence(one)], [one for one in of if _is_absence(one)]
            if not there:
                return {"not": {"any": [one["not"] for one in missing]}}
            self._note(path, "the same sentence is taken as the same turn")
            first = next((one for one in there if _is_placed(one)), there[0])
            others = [one for one in (*there, *missing) if one is not first]
            return {"all": [first, *({**one, "within_turns": 0} if _is_placed(one) else one for one in others)]}

        return made(_readable(text, path))

    def _placed(self, made: Condition, reach: Item, chain: tuple[str, ...]) -> Condition:
        span, anchor = reach.item("range"), reach.item("anchor")
        first, last = (span.number("from"), span.number("to")) if span is not None else (None, None)
        if reach.flag("allsentencessatisfy") and (first is None or first != last):
            raise NotImported(reach.at("allsentencessatisfy"), "that every sentence of a range does so")
        path = reach.path if span is None else span.path
        if anchor is None or not anchor.text("cid"):
            return {**made, **self._in_call(first, last, path)}
        times = anchor.number("hittime")
        if times is not None and times > 1:
            raise NotImported(anchor.at("hittime"), f"only after the {times:g}. hit of another condition")
        other = self._condition(anchor.text("cid"), anchor.at("cid"), chain)
        location = anchor.text("location").upper()
        if location == "CURRENT":
            self._note(anchor.at("location"), "the same sentence is taken as the same turn")
            return {"all": [other, {**made, "within_turns": 0}]}
        turns = self._turns(first, last, path)
        if location in ("AFTER", "BEFORE"):
            return {**made, location.lower(): other, **turns}
        if location == "AROUND":
            return {"all": [other, {**made, **turns}]}
        raise NotImported(anchor.at("location"), f"no place '{anchor.text('location')}' is known")

    def _in_call(self, first: float | None, last: float | None, path: str) -> dict[str, int]:
        """A range of sentences of the call as a window; {} for the whole call."""
        if (first in (None, 0, 1) and last in (None, -1)) or (first == 0 and last == 0):
            return {}
        if first is not None and last is not None and 0 <= first <= last:
            seconds = SENTENCE_S * int(last)
            more = f", from the call's begin and not from sentence {first:g}" if first > 1 else ""
            self._note(path, f"the first {last:g} sentences are taken as the first {seconds} s{more}")
            return {"first_s": seconds}
        if first is not None and first < 0 and last in (None, -1):
            seconds = SENTENCE_S * int(-first)
            self._note(path, f"the last {-first:g} sentences are taken as the last {seconds} s")
            return {"last_s": seconds}
        raise NotImported(path, f"the range of sentences from {first} to {last}")

    def _turns(self, first: float | None, last: float | None, path: str) -> dict[str, int]:
        """A range of sentences around an anchor as a number of turns; {} for everything on that side."""
        ends = [abs(int(one)) for one in (first, last) if one is not None]
        if not ends or (first in (None, 0, 1) and last in (None, -1) and max(ends) == 1 and last == -1):
            return {}
        if max(ends) == 0:
            return {}
        self._note(path, f"{max(ends)} sentences are taken as {2 * max(ends)} turns")
        return {"within_turns": 2 * max(ends)}


def _readable(text: str, path: str) -> Expression:
    try:
        return read_expression(text)
    except Unreadable as error:
        raise NotImported(path, f"'{text}': {error}") from error


def _is_absence(condition: Condition) -> bool:
    return "not" in condition


def _is_placed(condition: Condition) -> bool:
    return not ({"attribute", "duration", "talk_ratio", "speaker"} & condition.keys())


def _negated(condition: Condition, path: str) -> Condition:
    if _is_absence(condition):
        if len(condition) > 1:
            raise NotImported(path, "the opposite of an absence within a range")
        inner: Condition = condition["not"]
        return inner
    return {"not": condition}


def _any(of: list[Condition], path: str) -> Condition:
    if any(_is_absence(one) for one in of):
        raise NotImported(path, "an absence beside '||' would hold in nearly every call; make two rules of it")
    return {"any": of}
