"""Conditions as text, close to how they are written in a rule file: for explanations. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any, Final

from processors.inspect.operators.said import Said
from processors.inspect.tree import Condition, Leaf, RuleHit

MOST_WORDS: Final = 12
"""Elements of one list that are told."""


def seconds(ms: int) -> str:
    """Milliseconds as seconds."""
    return f"{ms / 1000:g}"


def worded(condition: Condition) -> str:
    """The condition at its top, close to how it is written in a rule file."""
    window = condition.window
    words = []
    if window.first_ms is not None:
        words.append(f"first_s: {_span(window.skip_first_ms, window.first_ms)}")
    if window.last_ms is not None:
        words.append(f"last_s: {_span(window.last_ms, window.skip_last_ms)}")
    if window.within_ms is not None:
        words.append(f"within_s: {seconds(window.within_ms)}")
    if window.within_turns is not None:
        words.append(f"within_turns: {window.within_turns}")
    if isinstance(condition, Leaf):
        head = f"{condition.operator.word}: {_parameters(condition.operator)}"
        if condition.role:
            words.insert(0, f"role: {condition.role}")
    elif isinstance(condition, RuleHit):
        head = f"rule: hit {condition.rule_id}"
    else:
        head = condition.name or condition.word
        if condition.word == "at_least":
            head += f" {condition.n}"
        if condition.word == "repeated":
            head += f" {condition.n} times"
        if condition.step_ms is not None:
            words.append(f"within_s: {seconds(condition.step_ms)}")
        if condition.step_turns is not None:
            words.append(f"within_turns: {condition.step_turns}")
    return f"{head} ({', '.join(words)})" if words else head


def _span(one_ms: int | None, other_ms: int | None) -> str:
    """A position in the call: a number of seconds, or both."""
    both = [seconds(ms) for ms in (one_ms, other_ms) if ms is not None]
    return both[0] if len(both) == 1 else f"[{', '.join(both)}]"


def _parameters(operator: Any) -> str:
    if isinstance(operator, Said):
        kind = {0: "none", 1: "any"}.get(operator.least, f"at_least {operator.least}")
        kind = "all" if operator.least == len(operator.wanted) > 1 else kind
        sounds = "; only as written" if operator.pairs is None else ""
        sounds += f"; homophones {_list(tuple(sorted(operator.pairs)))}" if operator.pairs else ""
        spared = f"; except {_list(operator.spared)}" if operator.spared else ""
        return f"{kind} {_list(operator.wanted)}{spared}{sounds}{'; on final' if operator.on == 'final' else ''}"
    if not is_dataclass(operator):
        return ""
    named = []
    for one in fields(operator):
        value = getattr(operator, one.name)
        if one.name.startswith("_") or not one.init or value in (None, "", (), frozenset()) or value == one.default:
            continue
        if isinstance(value, str | int | float | tuple | frozenset):
            named.append((one.name, value))
    return ", ".join(_parameter(name, value) for name, value in named)


def _parameter(name: str, value: Any) -> str:
    if name.endswith("_ms") and isinstance(value, int) and not isinstance(value, bool):
        return f"{name.removesuffix('_ms')}_s {seconds(value)}"
    if isinstance(value, tuple | frozenset):
        return f"{name} {_list(sorted(map(str, value)) if isinstance(value, frozenset) else value)}"
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"


def _list(values: Iterable[Any]) -> str:
    words = [str(value) for value in values]
    shown = ", ".join(words[:MOST_WORDS])
    return f"[{shown}{f', and {len(words) - MOST_WORDS} more' if len(words) > MOST_WORDS else ''}]"
