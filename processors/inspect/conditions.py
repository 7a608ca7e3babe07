"""Reads conditions: logic words, operators and modifiers, from nodes to typed trees.

One function for every place where a condition may stand (rules, anchors, steps of a flow). It reports what is wrong
and goes on, so that one check shows all mistakes. It deliberately does not judge anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import yaml

from processors.inspect.operators import OPERATORS
from processors.inspect.operators.base import Combining, Operator
from processors.inspect.reader import Node, Reader, clip, describe, nearest
from processors.inspect.tree import ANYWHERE, Condition, Group, Leaf, Window, windowed

LOGIC: Final = ("all", "any", "not", "at_least")
MODIFIERS: Final = ("role", "first_s", "last_s", "after", "before", "within_s", "within_turns")
ROLES: Final = ("agent", "customer", "any")
MAX_DEPTH: Final = 12
"""Deepest nesting of conditions."""
MAX_CONDITIONS: Final = 200
"""Most conditions of one rule."""
MAX_TURNS: Final = 1_000
ELSEWHERE: Final = {
    word: ours
    for ours, words in {
        "all": "and && 且 与 并且 全部",
        "any": "or || 或 或者 任一",
        "not": "unless without none ! 非 没有 除非",
        "said": "keyword keywords phrase phrases word words contains text say says 关键词 包含 说了",
        "matches": "regex regexp pattern 正则 正则表达式",
        "must_say": "absent missing required 必须说 未说",
        "silence": "pause mute non_talk 静默 静音",
        "overlap": "interrupt interruption interrupts crosstalk 抢话 打断 插话",
        "rate": "speed speech_rate velocity 语速",
        "level": "volume loudness energy 音量",
        "emotion": "mood 情绪",
        "similar": "semantic 相似",
        "role": "speaker_role who 角色",
        "within_s": "within window 窗口",
        "after": "then followed_by 之后",
        "before": "preceded_by 之前",
    }.items()
    for word in words.split()
}
"""Words of other products and of everyday language, and what they are called here."""


@dataclass(slots=True)
class ConditionReader:
    """Reads the conditions of one rule."""

    reader: Reader
    count: int = 0

    def read(self, node: Node, *, role: str = "", anchored: bool = False, depth: int = 0) -> Condition | None:
        """The condition at `node`, or None when it is unusable. `role` is the role in force ('' = everybody);
        `anchored` says that distances have something to refer to."""
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_CONDITIONS:
            if depth > MAX_DEPTH or self.count == MAX_CONDITIONS + 1:
                what = f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else f"more than {MAX_CONDITIONS}"
                self.reader.problem(node, f"conditions are {what}", "split the rule: 'rule: {hit: ...}' joins rules")
            return None
        heads = self._heads(node)
        if heads is None:
            return None
        (word, argument), modifiers = heads
        if "role" in modifiers:
            role = self.reader.choice(modifiers["role"], "'role'", ROLES).replace("any", "")
            self._check_role(word, modifiers["role"])
        steps = word == "sequence"
        window = self._window(modifiers, role, anchored or steps, depth)
        condition = self._core(word, argument, role, anchored or window != ANYWHERE, depth)
        if condition is None:
            return None
        if steps and isinstance(condition, Group):
            condition = replace(condition, step_ms=window.within_ms, step_turns=window.within_turns)
            window = replace(window, within_ms=None, within_turns=None)
        return self._placed(node, condition, window)

    def _heads(self, node: Node) -> tuple[tuple[str, Node], dict[str, Node]] | None:
        names = (*LOGIC, *OPERATORS)
        found: list[tuple[str, Node, Node]] = []
        modifiers: dict[str, Node] = {}
        usable = True
        if not isinstance(node, yaml.MappingNode):
            self.reader.problem(
                node,
                f"a condition must be a mapping with one operator, not {describe(node)}",
                "for example said: [...]",
            )
            return None
        for key, key_node, value in self.reader.pairs(node, "a condition"):
            if key in MODIFIERS:
                modifiers[key] = value
            elif key in names:
                found.append((key, key_node, value))
            else:
                usable = False
                ours = ELSEWHERE.get(key.lower())
                hint = f"here it is called '{ours}'" if ours else nearest(key, (*names, *MODIFIERS))
                self.reader.problem(key_node, f"no operator or modifier '{clip(key)}'", hint)
        if len(found) > 1:
            first, second = found[0][0], found[1]
            self.reader.problem(
                second[1],
                f"two operators in one condition: '{first}' and '{second[0]}'",
                "join them with 'all' or 'any'",
            )
            return None
        if not found:
            if usable:
                self.reader.problem(node, "a condition without an operator", f"one of: {', '.join(names)}")
            return None
        return (found[0][0], found[0][2]), modifiers

    def _check_role(self, word: str, node: Node) -> None:
        operator = OPERATORS.get(word)
        if operator is not None and not operator.takes_role:
            self.reader.problem(node, f"'{word}' names its speaker itself", "remove 'role'; use 'of' or 'by' inside it")

    def _window(self, modifiers: dict[str, Node], role: str, anchored: bool, depth: int) -> Window:
        reader = self.reader
        skip_first, first = self._position(modifiers, "first_s")
        skip_last, last = self._position(modifiers, "last_s")
        if first is not None and last is not None:
            reader.problem(modifiers["last_s"], "'first_s' and 'last_s' contradict each other", "use two conditions")
        within = reader.seconds(modifiers["within_s"], "'within_s'") if "within_s" in modifiers else None
        turns = None
        if "within_turns" in modifiers:
            turns = reader.count(modifiers["within_turns"], "'within_turns'", least=0, most=MAX_TURNS)
        anchors: dict[str, Condition | None] = {"after": None, "before": None}
        for name in anchors:
            if name in modifiers:
                anchors[name] = self.read(modifiers[name], role=role, anchored=False, depth=depth + 1)
                anchored = True
        if not anchored:
            for name in ("within_s", "within_turns"):
                if name in modifiers:
                    reader.problem(
                        modifiers[name],
                        f"'{name}' is a distance, but there is nothing to measure it from",
                        "add 'after' or 'before', or put the condition second in an 'all'",
                    )
        return Window(first, last, skip_first, skip_last, anchors["after"], anchors["before"], within, turns)

    def _position(self, modifiers: dict[str, Node], name: str) -> tuple[int | None, int | None]:
        """(nearer to the end of the call from which it counts, farther): a number of seconds, or both."""
        if name not in modifiers:
            return None, None
        reader, node = self.reader, modifiers[name]
        if not isinstance(node, yaml.SequenceNode):
            return None, reader.seconds(node, f"'{name}'")
        pair = [reader.seconds(item, f"'{name}'", above=None) for item in reader.items(node, f"'{name}'", least=2)]
        if len(pair) != 2:
            reader.problem(node, f"'{name}' takes a number of seconds or two of them", f"for example {name}: [30, 60]")
            return None, None
        if pair[0] == pair[1]:
            reader.problem(node, f"'{name}' begins where it ends")
        return min(pair), max(pair)

    def _core(self, word: str, argument: Node, role: str, anchored: bool, depth: int) -> Condition | None:
        reader = self.reader
        if word == "not":
            inner = self.read(argument, role=role, anchored=anchored, depth=depth + 1)
            return None if inner is None else negated(inner)
        if word in ("all", "any"):
            nodes = reader.items(argument, f"'{word}'")
            of = self._children(nodes, word, role, anchored, depth)
            if not of:
                return None
            return Group("any", of) if word == "any" else Group("all", of)
        if word == "at_least":
            return self._at_least(argument, role, anchored, depth)
        operator = OPERATORS[word]
        reader.scope_role = role
        if issubclass(operator, Combining):

            def nested(node: Node, *, anchored: bool) -> Condition | None:
                return self.read(node, role=role, anchored=anchored, depth=depth + 1)

            return operator.condition(argument, reader, role, nested)
        made = operator.read(argument, reader)
        return None if made is None else leaf(made, role)

    def _children(self, nodes: list[Node], word: str, role: str, anchored: bool, depth: int) -> tuple[Condition, ...]:
        of: list[Condition] = []
        first_found = False
        for node in nodes:
            child = self.read(node, role=role, anchored=anchored or (word == "all" and first_found), depth=depth + 1)
            if child is None:
                first_found = True  # it was meant to be one: no second report about the windows that refer to it
                continue
            if word == "any" and is_negative(child):
                self.reader.problem(
                    node,
                    "an absence directly in 'any' would hit in nearly every call",
                    "write a rule of its own, or put it into an 'all' with what it belongs to",
                )
            first_found = first_found or not is_negative(child)
            of.append(child)
        return tuple(of)

    def _at_least(self, argument: Node, role: str, anchored: bool, depth: int) -> Condition | None:
        reader = self.reader
        found = reader.mapping(argument, "'at_least'", ("n", "of"), ("n", "of"))
        n = reader.count(found["n"], "'n' of 'at_least'") if "n" in found else 1
        nodes = reader.items(found["of"], "'of' of 'at_least'") if "of" in found else []
        of = self._children(nodes, "at_least", role, anchored, depth)
        if "n" in found and nodes and n > len(nodes):
            reader.problem(found["n"], f"'n' is {n}, but 'of' has only {len(nodes)} conditions")
        return Group("at_least", of, n) if of else None

    def _placed(self, node: Node, condition: Condition, window: Window) -> Condition | None:
        both = windowed(condition, window)
        if both is None:
            self.reader.problem(node, "a window stands both inside and outside, and they contradict each other")
            return condition
        joined = both.window
        if isinstance(both, Leaf) and not both.operator.placed and joined != ANYWHERE:
            self.reader.problem(node, f"'{both.operator.word}' has no place in the call, so windows say nothing")
        if joined.after is not None and joined.before is not None and joined.after == joined.before:
            self.reader.problem(node, "'after' and 'before' name the same condition, so it can never hold")
        first, within = joined.first_ms, joined.within_ms
        if first is not None and within is not None and within > first and joined.before is None:
            self.reader.problem(
                node, f"'within_s' ({within / 1000:g}) is longer than 'first_s' ({first / 1000:g})", warning=True
            )
        return both


def leaf(operator: Operator, role: str) -> Leaf:
    """A leaf; operators that name their speaker ignore the role in force."""
    return Leaf(operator, role if operator.takes_role else "")


def negated(condition: Condition) -> Condition:
    """The absence of a condition: its windows become those of the absence."""
    return Group("not", (replace(condition, window=ANYWHERE),), window=condition.window)


def is_negative(condition: Condition) -> bool:
    """Whether the condition is an absence, at its top."""
    return isinstance(condition, Group) and condition.word == "not"
