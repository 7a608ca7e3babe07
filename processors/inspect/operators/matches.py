"""`matches`: a regular expression is found in an utterance.

    matches: "(保证|肯定).{0,6}(下款|放款)"
    matches: {regex: "[0-9]{4,}", written: true}      # on the written form, after inverse text normalisation

Expressions run in linear time (RE2): back-references and look-around are refused when the rule is read. All expressions
of a rule set are searched in one pass; only those that occur are searched again for their places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import re2

from processors.inspect.operators.base import Find, Hit, Text
from processors.inspect.operators.said import MAX_HITS, apart
from processors.inspect.reader import Node, Reader, clip, scalar

if TYPE_CHECKING:
    from processors.inspect.spoken import Spoken

MAX_REGEX_CHARS = 500
MAX_REGEX_BYTES = 1 << 20
"""Most memory of the program of one expression; beyond it the expression is refused as too large."""
FULL_WIDTH: dict[str, str] = dict(zip("（）［］｛｝｜？＊＋．", "()[]{}|?*+.", strict=True))
"""Operators as Chinese keyboards write them."""
_BEYOND: tuple[tuple[str, str, str], ...] = (
    (r"\(\?<?[=!]", "look-around", "use 'without' of 'matches', or 'not'"),
    (r"\\[1-9]|\(\?P=\w*\)?|\\[kg][<{]?\w*[>}]?", "a back-reference", ""),
    (r"\(\?>", "an atomic group", "write (?:...)"),
    (r"\(\?\(", "a conditional", "join two rules with 'any'"),
    (r"\(\?(?:R|\d|&)", "recursion", ""),
    (r"(?<=[*+?}])\+", "a possessive repetition", "leave the second + out"),
)
"""What an engine without back-tracking can not do: (expression, name, hint)."""


@dataclass(frozen=True, slots=True)
class Matches(Text):
    """`regex` occurs in the spoken or the written form of one utterance."""

    word: ClassVar[str] = "matches"
    schema: ClassVar[dict[str, Any]] = {
        "oneOf": [
            {"type": "string"},
            {
                "type": "object",
                "additionalProperties": False,
                "required": ["regex"],
                "properties": {
                    "regex": {"type": "string", "maxLength": MAX_REGEX_CHARS},
                    "without": {"type": "string", "description": "The utterance must not contain this as well."},
                    "written": {"type": "boolean"},
                    "on": {"enum": ["partial", "final"]},
                },
            },
        ]
    }

    regex: str
    written: bool = False
    without: str = ""
    on: str = "partial"

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self | None:
        """From the expression alone or {regex, without, written, on}."""
        if isinstance(node.value, str):
            regex = read_regex(node, reader)
            return cls(regex) if regex else None
        found = reader.mapping(node, "'matches'", ("regex", "without", "written", "on"), ("regex",))
        regex = read_regex(found["regex"], reader) if "regex" in found else ""
        without = read_regex(found["without"], reader) if "without" in found else ""
        written = reader.flag(found["written"], "'written'") if "written" in found else False
        on = reader.choice(found["on"], "'on' of 'matches'", ("partial", "final")) if "on" in found else "partial"
        if "on" in found and on == "partial" and written:
            reader.problem(found["on"], "a partial has no written form, so 'written' goes with 'on: final'")
        return cls(regex, written, without, on) if regex else None

    @property
    def partials(self) -> bool:
        """Partials have no written form."""
        return self.on == "partial" and not self.written

    def patterns(self) -> tuple[tuple[str, bool], ...]:
        """The expression; what must not occur is searched when it has been found."""
        return ((self.regex, self.written),)

    def hits(self, finds: list[Find], spoken: Spoken) -> list[Hit]:
        """One hit for each place."""
        form = getattr(spoken.record, "written", "") if self.written else spoken.text
        if self.without and finds and compile_regex(self.without).search(form) is not None:
            return []
        return [spoken.hit([(find.char_from, find.char_to)]) for find in apart(finds)[:MAX_HITS]]


def compile_regex(regex: str) -> Any:
    """The compiled expression; re2.error when RE2 can not do it."""
    options = re2.Options()
    options.max_mem = MAX_REGEX_BYTES
    options.log_errors = False
    return re2.compile(regex, options)


def read_regex(node: Node, reader: Reader) -> str:
    """An expression that RE2 can run and that needs at least one character; '' and a problem otherwise."""
    regex = reader.text(node, "a regular expression", longest=MAX_REGEX_CHARS)
    if not regex or len(scalar(node)) > MAX_REGEX_CHARS:
        return ""
    try:
        empty = compile_regex(regex).search("") is not None
    except re2.error as error:
        _explain(node, reader, regex, error)
        return ""
    if empty:
        reader.problem(node, f"the expression '{clip(regex)}' matches the empty text, so it would always hit")
        return ""
    wide = next((at for at, character in enumerate(regex) if character in FULL_WIDTH), None)
    if wide is not None:
        quote = 1 if getattr(node, "style", None) else 0
        message = f"'{regex[wide]}' in full width is a character to be found, which nobody speaks"
        reader.problem(node, message, f"write {FULL_WIDTH[regex[wide]]}", warning=True, offset=wide + quote)
    return regex


def _explain(node: Node, reader: Reader, regex: str, error: re2.error) -> None:
    reason = error.args[0] if error.args else "can not be compiled"
    reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    quote = 1 if getattr(node, "style", None) else 0
    bare = re.sub(r"\\[pP]\{\^?\w*\}", lambda found: "c" * len(found[0]), regex)  # a class of characters is one
    bare = re.sub(r"\\[^1-9kg]", "  ", bare)  # what is escaped is no operator
    for beyond, name, hint in _BEYOND:
        found = re.search(beyond, bare)
        if found is not None:
            at = found.start()
            message = f"{name} '{found[0]}' can not run in linear time (character {at + 1} of the expression)"
            reader.problem(node, message, hint, offset=at + quote)
            return
    at = _place(regex, reason)
    reader.problem(node, f"bad regular expression: {clip(reason, 120)} (character {at + 1})", offset=at + quote)


def _place(regex: str, reason: str) -> int:
    """Index of the character of the expression that `reason` speaks of."""
    if "missing )" in reason:
        open_at: list[int] = []
        skip = False
        for at, character in enumerate(regex):
            if skip:
                skip = False
            elif character == "\\":
                skip = True
            elif character == "(":
                open_at.append(at)
            elif character == ")" and open_at:
                open_at.pop()
        return open_at[0] if open_at else 0
    if reason.startswith("trailing"):
        return len(regex) - 1
    _, _, fragment = reason.rpartition(": ")
    return max(regex.find(fragment), 0) if fragment else 0
