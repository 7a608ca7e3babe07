"""A rule set, compiled: leaves shared by all rules, automata over all phrases, rules as trees of leaf numbers.

Built once when a rule set is published, never changed. Equal operators for the same role are one leaf, so that a phrase
list that stands in ten rules is looked for once. Judging is `engine`'s work.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import re2

from processors.inspect.language import ParsedRules, Rule, mentioned
from processors.inspect.logic import Node
from processors.inspect.operators.base import Encoder, Find, Measuring, Operator, Text
from processors.inspect.operators.matches import compile_regex
from processors.inspect.phrases import PhraseIndex, Wanted
from processors.inspect.reader import Place
from processors.inspect.scopes import Scope
from processors.inspect.spoken import Spoken
from processors.inspect.tree import Condition, Group, Leaf, RuleHit
from processors.runtime.errors import UserError

REGEX_MEMORY = 256 << 20
"""Most memory of the automaton over all expressions of a rule set."""


@dataclass(frozen=True, slots=True)
class LeafInfo:
    """One operator for one role, and the rules in which it stands."""

    operator: Operator | None
    """None: hits of another rule."""
    role: str
    rules: tuple[int, ...] = ()
    word: str = ""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its tree. Rules of which others speak come before them."""

    index: int
    rule: Rule
    root: Node
    hidden: bool = False
    """A step of a flow: judged like a rule, but no violation."""
    hit_leaf: int = -1
    """Leaf that stands for the hits of this rule."""
    at_end: bool = False
    """To be judged when the call ends, whether or not anything was found."""


@dataclass(slots=True)
class RuleBook:
    """A compiled rule set."""

    name: str
    version: str
    rules: list[CompiledRule] = field(default_factory=list)
    leaves: list[LeafInfo] = field(default_factory=list)
    flows: list[Any] = field(default_factory=list)
    schemes: list[Any] = field(default_factory=list)
    deadlines: list[tuple[int, int]] = field(default_factory=list)
    """(call time, rule): fixed deadlines, in the order of time."""
    measuring: dict[type[Any], tuple[tuple[int, Measuring], ...]] = field(default_factory=dict)
    """Leaves and their operators by the type of record that they observe."""
    every: tuple[int, ...] = ()
    """Text leaves that look at every finished utterance."""
    at_end: tuple[int, ...] = ()
    hit_leaves: tuple[tuple[int, int], ...] = ()
    """(leaf, rule): leaves that stand for the hits of a rule."""
    phrases: PhraseIndex = field(default_factory=lambda: PhraseIndex(()))
    spoken_patterns: PatternSet = field(default_factory=lambda: PatternSet(()))
    written_patterns: PatternSet = field(default_factory=lambda: PatternSet(()))
    by_id: dict[str, CompiledRule] = field(default_factory=dict)
    verdicts_only: bool = False
    """Judge by the rules and flows alone: no scorecards, alerts, measurements and progress."""
    encoder: Encoder | None = None
    """What the sentences of a rule were encoded with, so that examples can be; None when no rule asks for meaning."""
    meant: set[int] = field(default_factory=set)
    """Leaves that ask for the meaning of an utterance."""

    def rule(self, rule_id: str) -> CompiledRule | None:
        """The rule with this id, flow steps included."""
        return self.by_id.get(rule_id)

    def finds(self, spoken: Spoken) -> dict[int, list[Find]]:
        """All finds in one text, by leaf."""
        found = self.phrases.find(spoken)
        if self.spoken_patterns.size:
            for leaf, begin, end in self.spoken_patterns.find(spoken.text):
                if end > spoken.offset:
                    found.setdefault(leaf, []).append(Find(0, begin, end))
        if self.written_patterns.size and spoken.final:
            for leaf, begin, end in self.written_patterns.find(spoken.written):
                first, last = spoken.written_span(begin, end)
                found.setdefault(leaf, []).append(Find(0, first, last))
        return found


class PatternSet:
    """All regular expressions over one form of the text: one pass says which occur, only those are searched."""

    def __init__(self, patterns: Iterable[tuple[str, int]]) -> None:
        """`patterns` are (expression, leaf)."""
        by_pattern: dict[str, list[int]] = defaultdict(list)
        for pattern, leaf in patterns:
            by_pattern[pattern].append(leaf)
        self._patterns = [(compile_regex(pattern), tuple(leaves)) for pattern, leaves in by_pattern.items()]
        self.size = len(self._patterns)
        if self.size:
            options = re2.Options()
            options.max_mem = REGEX_MEMORY
            options.log_errors = False
            self._set = re2.Set.SearchSet(options)
            for pattern in by_pattern:
                self._set.Add(pattern)
            self._set.Compile()

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """(leaf, begin, end) of every match in `text`."""
        found = []
        for index in sorted(self._set.Match(text) or ()) if text else ():
            compiled, leaves = self._patterns[index]
            for match in compiled.finditer(text):
                if match.end() > match.start():
                    found += [(leaf, match.start(), match.end()) for leaf in leaves]
        return found


def compile_book(parsed: ParsedRules, name: str, version: str = "", encoder: Encoder | None = None) -> RuleBook:
    """The rule book; UserError when the rules have problems, or need an encoder and there is none."""
    if parsed.errors:
        more = f" (and {len(parsed.errors) - 1} more)" if len(parsed.errors) > 1 else ""
        raise UserError(f"the rule set '{name}' has mistakes: {parsed.errors[0]}{more}; see 'tingjian rules check'")
    return _Compiler(parsed, name, version or parsed.version, encoder).book


class _Compiler:
    def __init__(self, parsed: ParsedRules, name: str, version: str, encoder: Encoder | None) -> None:
        self._encoder = encoder
        self.book = RuleBook(name, version, flows=parsed.flows, schemes=parsed.schemes)
        self._leaf_of: dict[tuple[Operator | str, str], int] = {}
        self._leaf_rules: list[dict[int, None]] = []
        self._leaf_operators: list[tuple[Operator | None, str, str]] = []
        self._keys: dict[Condition, int] = {}
        self._at_end = False
        self._deadlines: set[tuple[int, int]] = set()
        entries = [(rule, False) for rule in _ordered(parsed.rules)]
        entries += [(rule, True) for flow in parsed.flows for rule in _steps(flow)]
        spoken_of = {name for rule, _ in entries for name in mentioned(rule.when)}
        for index, (rule, hidden) in enumerate(entries):
            self._at_end = False
            root = self._node(rule.when, index)
            hit_leaf = self._leaf(None, rule.rule_id) if rule.rule_id in spoken_of else -1
            self.book.rules.append(CompiledRule(index, rule, root, hidden, hit_leaf, self._at_end))
        self._finish()

    def _finish(self) -> None:
        book = self.book
        book.leaves = [
            LeafInfo(operator, role, tuple(rules), word)
            for (operator, role, word), rules in zip(self._leaf_operators, self._leaf_rules, strict=True)
        ]
        book.by_id = {compiled.rule.rule_id: compiled for compiled in book.rules}
        book.deadlines = sorted(self._deadlines)
        book.hit_leaves = tuple((one.hit_leaf, one.index) for one in book.rules if one.hit_leaf >= 0)
        book.at_end = tuple(compiled.index for compiled in book.rules if compiled.at_end)
        measuring: dict[type[Any], list[tuple[int, Measuring]]] = defaultdict(list)
        wanted: list[Wanted] = []
        patterns: dict[bool, list[tuple[str, int]]] = {False: [], True: []}
        every: list[int] = []
        for number, leaf in enumerate(book.leaves):
            operator = leaf.operator
            if isinstance(operator, Measuring):
                for kind in operator.observes:
                    measuring[kind].append((number, operator))
            elif isinstance(operator, Text):
                pairs = operator.sounds()
                phrases, spared = operator.phrases(), operator.spares()
                wanted += [Wanted(number, slot, phrase, pairs) for slot, phrase in enumerate(phrases)]
                wanted += [Wanted(number, len(phrases) + n, phrase, pairs, False) for n, phrase in enumerate(spared)]
                for pattern, written in operator.patterns():
                    patterns[written].append((pattern, number))
                if operator.every:
                    every.append(number)
        book.measuring = {kind: tuple(leaves) for kind, leaves in measuring.items()}
        book.every = tuple(every)
        book.phrases = PhraseIndex(wanted)
        book.spoken_patterns, book.written_patterns = PatternSet(patterns[False]), PatternSet(patterns[True])

    def _leaf(self, operator: Operator | None, role: str, word: str = "") -> int:
        """Number of a leaf; for hits of another rule `role` is the rule's id."""
        key = ("rule" if operator is None else operator, role)
        number = self._leaf_of.get(key)
        if number is None:
            number = self._leaf_of[key] = len(self._leaf_operators)
            made = None if operator is None else operator.prepared(self._encoder)
            if made is not operator:
                self.book.encoder = self._encoder
                self.book.meant.add(number)
            self._leaf_operators.append((made, "" if operator is None else role, word or "rule"))
            self._leaf_rules.append({})
        return number

    def _node(self, condition: Condition, rule: int) -> Node:
        window = condition.window
        if window.last_ms is not None:
            self._at_end = True
        key = self._keys.setdefault(condition, len(self._keys))
        node = Node(
            "leaf",
            first_ms=window.first_ms,
            last_ms=window.last_ms,
            skip_first_ms=window.skip_first_ms or 0,
            skip_last_ms=window.skip_last_ms or 0,
            after=None if window.after is None else self._node(window.after, rule),
            before=None if window.before is None else self._node(window.before, rule),
            within_ms=window.within_ms,
            within_turns=window.within_turns,
            key=key,
        )
        if isinstance(condition, Group):
            return self._group(condition, node, rule)
        if isinstance(condition, RuleHit):
            leaf, word = self._leaf(None, condition.rule_id), "rule"
        else:
            word = condition.operator.word
            leaf = self._leaf(condition.operator, condition.role, word)
        self._leaf_rules[leaf][rule] = None
        return replace(node, leaf=leaf, word=word, placed=_is_placed(condition))

    def _group(self, group: Group, node: Node, rule: int) -> Node:
        of = tuple(self._node(child, rule) for child in group.of)
        node = replace(
            node, kind=group.word, of=of, n=group.n, step_ms=group.step_ms, step_turns=group.step_turns,
            word=group.name or group.word,
        )  # fmt: skip
        if group.word == "all":
            return replace(node, primary=_primary(group))
        if group.word == "not":
            self._at_end = True
            roles, lag_ms = _waits_for(group.of[0])
            if node.first_ms is not None and node.after is None and node.before is None:
                self._deadlines.add((node.first_ms + lag_ms, rule))
            return replace(node, role=next(iter(roles)) if len(roles) == 1 else "", lag_ms=lag_ms)
        return node


def _primary(group: Group) -> int:
    """The first condition that happens somewhere in the call; absences and facts about the whole call do not."""
    positive = [index for index, child in enumerate(group.of) if not _is_not(child)]
    placed = [index for index in positive if _is_placed(group.of[index])]
    return (placed or positive or [0])[0]


def _is_not(condition: Condition) -> bool:
    return isinstance(condition, Group) and condition.word == "not"


def _is_placed(condition: Condition) -> bool:
    if isinstance(condition, Leaf):
        return condition.operator.placed
    if isinstance(condition, Group):
        return any(_is_placed(child) for child in condition.of if not _is_not(child))
    return True


def _waits_for(condition: Condition) -> tuple[set[str], int]:
    """Roles whose transcript an absence of this condition waits for, and the largest lag of its operators."""
    if isinstance(condition, Leaf):
        return {condition.role or condition.operator.role_of()}, condition.operator.lag_ms
    if isinstance(condition, RuleHit):
        return {""}, 0
    roles: set[str] = set()
    lag_ms = 0
    for child in condition.of:
        more, lag = _waits_for(child)
        roles, lag_ms = roles | more, max(lag_ms, lag)
    return roles, lag_ms


def _ordered(rules: list[Rule]) -> list[Rule]:
    """Rules of which others speak before those; otherwise in the order of the files. There are no circles."""
    by_id = {rule.rule_id: rule for rule in rules}
    done: dict[str, Rule] = {}
    for rule in rules:
        stack = [(rule, False)]
        while stack:
            one, ready = stack.pop()
            if ready:
                done.setdefault(one.rule_id, one)
            elif one.rule_id not in done:
                stack.append((one, True))
                stack.extend((by_id[name], False) for name in sorted(mentioned(one.when), reverse=True))
    return list(done.values())


def _steps(flow: Any) -> list[Rule]:
    """The conditions of a flow as hidden rules."""
    conditions: Mapping[str, Condition] = flow.conditions()
    return [
        Rule(
            f"{flow.flow_id}/{step}", step, "info", 0, False, getattr(flow, "scope", Scope()), condition, "", "",
            Place("", 1, 1),
        )
        for step, condition in conditions.items()
    ]  # fmt: skip
