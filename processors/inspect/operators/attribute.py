"""`attribute`: an expression of the Common Expression Language over the metadata of the call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

import cel

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.reader import Node, Reader, clip, nearest
from processors.records import AgentJoined, CallStarted

NAMES: Final = (
    *("attributes", "scenario", "queue", "team_id", "agent_id", "customer_id"),
    *("direction", "lane", "language", "call_id"),
)
"""Variables of an expression."""
FUNCTIONS: Final = (
    *("has", "size", "int", "uint", "double", "string", "bool"),
    *("startsWith", "endsWith", "contains", "matches"),
)
METHODS: Final = ("startsWith", "endsWith", "contains", "matches")
MAX_CHARS: Final = 500
LOOPS: Final = re.compile(r"\.(all|exists|exists_one|filter|map)\s*\(")
"""Loops over attributes are refused: nested ones cost without bound."""
_STRINGS: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_ATTRIBUTE: Final = re.compile(r"attributes\.(\w+)|attributes\[\s*(?:'([^']*)'|\"([^\"]*)\")\s*\]")
_OTHER_TYPE: Final = re.compile(
    rf"(?:attributes\.\w+|attributes\[\s*\]|(?<![\w.])(?:{'|'.join(NAMES[1:])}))\s*(?:==|!=|<=?|>=?)\s*(?:-?\d|true\b|false\b)"
)
"""A text that is compared with what is none."""
_OTHER_TYPE_BEFORE: Final = re.compile(
    rf"(?<![\w.])(?:\d[\d.]*|true|false)\s*(?:==|!=|<=?|>=?)\s*(?:attributes\.\w+|(?:{'|'.join(NAMES[1:])}))(?![\w.(])"
)
_OTHER_TYPE_IN: Final = re.compile(
    rf"(?:attributes\.\w+|(?<![\w.])(?:{'|'.join(NAMES[1:])}))\s+in\s+\[\s*(?:-?\d|true\b|false\b)"
)
_NUMBER_AND_TEXT: Final = re.compile(
    r"(?:size|int|uint|double)\([^()]*\)\s*[=!]=\s*['\"]|(?<![\w.])string\([^()]*\)\s*[=!]=\s*(?:-?\d|true\b|false\b)"
)
"""What a conversion gives, compared with what it can not be."""
_BY_NUMBER: Final = re.compile(r"attributes\[\s*-?\d+\s*\]")
_PROBES: Final = ("1", "7", "x", "2026-01-01T00:00:00Z")
"""Values that attributes are given, to see whether an expression can be true or false at all."""
FAILURES: Final = (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError)
"""What evaluation may raise because of what a call says: no number, a division by zero, no such key."""
_PLACE: Final = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


@dataclass(frozen=True, slots=True)
class Attribute(Measuring):
    """Holds from the start of the call, or from the moment when another agent has joined, when the expression is true.

    An expression that needs an attribute which the call lacks does not hold; `has(attributes.x)` asks for that.
    """

    expression: str

    word = "attribute"
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_CHARS}  # noqa: RUF012
    takes_role = False
    placed = False
    observes = (CallStarted, AgentJoined)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self | None:
        """From the text of the expression; a mistake in it is reported at its own column."""
        before = len(reader.problems)
        expression = reader.text(node, "attribute", longest=MAX_CHARS)
        if len(reader.problems) > before:
            return None
        problem = check(expression)
        if problem is None:
            return cls(expression)
        column, message, hint = problem
        quoted = 1 if getattr(node, "style", None) in ("'", '"') else 0
        reader.problem(node, message, hint, offset=column + quoted if "\n" not in expression else 0)
        return None

    def start(self, call: Call) -> Json:
        """Whether it was found."""
        return 0

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        if memory or not holds(self.expression, call):
            return memory, []
        at_ms = record.call_ms if isinstance(record, AgentJoined) else 0
        return 1, [Hit(at_ms, at_ms)]


def check(expression: str) -> tuple[int, str, str] | None:
    """(column from 0, message, hint) of what is wrong with an expression; None when nothing is."""
    try:
        program = _compiled(expression)
    except ValueError as error:
        found = _PLACE.search(str(error))
        column = int(found[2]) - 1 if found and found[1] == "1" else 0
        cause = found[3] if found else clip(str(error), 80)
        single = re.search(r"(?<![=!<>])=(?!=)", _STRINGS.sub("", expression))
        hint = "equal is written ==" if single else "see cel.dev for the syntax"
        return column, f"not a valid expression: {clip(cause.split(' expecting ')[0], 100)}", hint
    bare = _STRINGS.sub(lambda found: " " * len(found[0]), expression)
    if loop := LOOPS.search(bare):
        return loop.start() + 1, f"an expression may not loop with '{loop[1]}'", "name the attributes one by one"
    return min(_unknown_names(program, bare), default=None) or _never_holds(expression, program, bare)


def _never_holds(expression: str, program: Any, bare: str) -> tuple[int, str, str] | None:
    """What keeps an expression from ever being true: types that do not go together, or a result that is a text."""
    hint = 'write double(attributes.amount) > 1000.0 or attributes.vip == "1"'
    if not program.variables():
        return 0, "an expression that asks for nothing of the call", f"it may speak of: {', '.join(NAMES)}"
    for pattern in (_OTHER_TYPE, _OTHER_TYPE_BEFORE, _OTHER_TYPE_IN):
        if compared := pattern.search(bare):
            return compared.start(), "metadata of a call are texts, and here one is compared with what is none", hint
    if compared := _NUMBER_AND_TEXT.search(expression):
        return compared.start(), "a number is compared with a text, so they are never equal", hint
    if numbered := _BY_NUMBER.search(bare):
        return numbered.start(), "attributes have names and no numbers", "attributes.NAME"
    named = {next(filter(None, found.groups()), "") for found in _ATTRIBUTE.finditer(expression)}
    reasons: list[tuple[int, str, str]] = []
    for value in _PROBES:
        values = dict.fromkeys(NAMES[1:], value)
        try:
            result = program.execute({**values, "attributes": dict.fromkeys(named, value)})
        except TypeError:
            reasons.append((0, "an expression over texts that treats one as a number or as true", hint))
        except ArithmeticError:
            reasons.append((0, "an expression that divides by zero or goes beyond the largest number", ""))
        except FAILURES as error:
            if "valid regex" in str(error):
                reasons.append((0, "an expression with a bad regular expression in 'matches'", ""))
        else:
            if isinstance(result, bool):
                return None
            reasons.append((0, f"an expression must be true or false, not {clip(repr(result), 20)}", hint))
    return reasons[0] if reasons else None


def _unknown_names(program: Any, bare: str) -> Iterator[tuple[int, str, str]]:
    """(column, message, hint) of each name that an expression (without its strings) may not use."""
    for name in program.variables():
        if name not in NAMES:
            at = re.search(rf"(?<![\w.]){re.escape(name)}\b", bare)
            yield at.start() if at else 0, f"an expression has no variable '{clip(name)}'", nearest(name, NAMES)
    for name in program.functions():
        if name.isidentifier() and name not in FUNCTIONS:
            at = re.search(rf"\b{re.escape(name)}\s*\(", bare)
            yield at.start() if at else 0, f"an expression has no function '{clip(name)}'", nearest(name, FUNCTIONS)
        alone = re.search(rf"(?<!\.)\b{re.escape(name)}\s*\(", bare) if name in METHODS else None
        if alone:
            yield alone.start(), f"'{name}' follows its text with a dot", f"scenario.{name}(...)"


def holds(expression: str, call: Call) -> bool:
    """Whether the expression is true for the call."""
    values = {name: getattr(call, name) for name in NAMES if name != "attributes"}
    try:
        return _compiled(expression).execute({**values, "attributes": dict(call.attributes)}) is True
    except FAILURES:
        return False


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> Any:
    return cel.compile(expression)
