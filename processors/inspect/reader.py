"""Reads YAML nodes into typed values and says, with file, line and column, what is wrong with them.

Everything that the language accepts goes through a `Reader`, so that every mistake is reported in the same way and one
pass finds all of them. It deliberately knows no rule: the words of the language are in `language` and `operators`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import yaml
from rapidfuzz import fuzz, process

MAX_PROBLEMS = 200
"""Per rule set; a broken file must not flood the terminal."""
MAX_TEXT_CHARS = 2_000
"""Longest name, explanation or regular expression."""
MAX_PHRASE_CHARS = 60
"""Longest phrase: an utterance lasts 20 s at most."""
MAX_LIST = 1_000
"""Longest list of phrases."""
MAX_SECONDS = 24 * 3600
"""Longest time that a rule may speak of: a day."""

Node = yaml.Node
_NULLS = {"", "~", "null", "Null", "NULL"}
_OTHER_FLAGS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
"""Which are texts to some YAML parsers and truth values to others, so here they are neither."""
_ID = re.compile(r"\w[\w.\-]{0,79}")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WITH_UNIT = re.compile(r"[-+]?\d+(\.\d+)?\s*[^\W\d_]+")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands, for people: line and column begin at 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a rule set; `hint` says what to do, for example the nearest valid name."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    warning: bool = field(default=False, kw_only=True)

    def __str__(self) -> str:
        kind = "warning: " if self.warning else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {kind}{self.message}{hint}"


def nearest(word: str, names: Iterable[str]) -> str:
    """'did you mean X?' with the valid name nearest to `word`, or all names when none is near and they are few."""
    choices = list(names)
    found = process.extractOne(word.lower(), choices, scorer=fuzz.ratio, score_cutoff=60)
    if found is not None:
        return f"did you mean '{found[0]}'?"
    if 0 < len(choices) <= 12:
        return f"one of: {', '.join(choices)}"
    return ""


@dataclass(slots=True)
class Reader:
    """Typed access to the nodes of one file. Every method reports what is wrong and then gives None or a default."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    scope_role: str = ""
    """The default role of the rule that is being read; operators with a role of their own may use it."""
    mentions: list[tuple[str, Place]] = field(default_factory=list)
    """Rules that other rules speak of, with the place, checked when all files are read."""

    def place(self, node: Node) -> Place:
        """Where `node` begins."""
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def problem(self, node: Node, message: str, hint: str = "", *, warning: bool = False, offset: int = 0) -> None:
        """Report that something is wrong at `node`, `offset` characters after its beginning."""
        if len(self.problems) < MAX_PROBLEMS:
            place = self.place(node)
            self.problems.append(Problem(place.file, place.line, place.column + offset, message, hint, warning=warning))

    # Mappings and lists

    def pairs(self, node: Node, what: str) -> list[tuple[str, Node, Node]]:
        """(key, key node, value node) of a mapping without repeated keys."""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, f"{what} must be a mapping (key: value), not {describe(node)}")
            return []
        seen: dict[str, tuple[str, Node, Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.problem(key, f"a key of {what} must be a plain word, not {describe(key)}")
            elif key.value != key.value.lstrip():
                code = f"U+{ord(key.value[0]):04X}"
                self.problem(key, f"the line is indented by a character that is no space ({code})", "write spaces")
            elif key.value == "<<":
                self.problem(key, f"merge keys (<<) are not supported in {what}", "write the keys out")
            elif key.value in seen:
                self.problem(key, f"'{key.value}' stands twice in {what}", "remove one of them")
            else:
                seen[key.value] = (key.value, key, value)
        return list(seen.values())

    def mapping(self, node: Node, what: str, allowed: Iterable[str], required: Iterable[str] = ()) -> dict[str, Node]:
        """Values of a mapping by key; unknown and missing keys are reported."""
        names = list(allowed)
        found: dict[str, Node] = {}
        for key, key_node, value in self.pairs(node, what):
            if key in names:
                found[key] = value
            else:
                self.problem(key_node, f"{what} has no key '{clip(key)}'{_unseen(key)}", nearest(key, names))
        if isinstance(node, yaml.MappingNode):
            for name in required:
                if name not in found:
                    self.problem(node, f"{what} needs '{name}'")
        return found

    def items(self, node: Node, what: str, *, least: int = 1) -> list[Node]:
        """Elements of a list of at least `least` and at most MAX_LIST elements."""
        if not isinstance(node, yaml.SequenceNode):
            single = isinstance(node, yaml.ScalarNode) and scalar(node)
            hint = f"write [{clip(scalar(node), 20)}]" if single else "write '- ' before each element"
            self.problem(node, f"{what} must be a list, not {describe(node)}", hint)
            return []
        if len(node.value) < least:
            self.problem(node, f"{what} is empty" if not node.value else f"{what} needs at least {least} elements")
        if len(node.value) > MAX_LIST:
            self.problem(node, f"{what} has {len(node.value)} elements, at most {MAX_LIST} are allowed")
        return list(node.value[:MAX_LIST])

    # Scalars

    def text(self, node: Node, what: str, *, longest: int = MAX_TEXT_CHARS, empty: bool = False) -> str:
        """A text; '' when it is none."""
        if not isinstance(node, yaml.ScalarNode) or (node.style is None and node.value in _NULLS):
            self.problem(node, f"{what} must be a text, not {describe(node)}")
            return ""
        value = str(node.value).strip()
        if not value and not empty:
            self.problem(node, f"{what} is empty")
        if len(value) > longest:
            self.problem(node, f"{what} has {len(value)} characters, at most {longest} are allowed")
            return value[:longest]
        return value

    def texts(self, node: Node, what: str, *, longest: int = MAX_PHRASE_CHARS) -> tuple[str, ...]:
        """A list of different texts, in its order."""
        found: dict[str, None] = {}
        for item in self.items(node, what):
            value = self.text(item, f"an element of {what}", longest=longest)
            if value in found and value:
                self.problem(item, f"'{clip(value)}' stands twice in {what}", warning=True)
            elif value:
                found[value] = None
        return tuple(found)

    def choice(self, node: Node, what: str, options: Sequence[str], default: str = "") -> str:
        """One of `options`, else `default`."""
        value = self.text(node, what)
        if value in options:
            return value
        if value:
            self.problem(node, f"{what} can not be '{clip(value)}'", nearest(value, options))
        return default or options[0]

    def choices(self, node: Node, what: str, options: Sequence[str]) -> tuple[str, ...]:
        """One of `options` or a list of them."""
        nodes = self.items(node, what) if isinstance(node, yaml.SequenceNode) else [node]
        found = [self.choice(item, what, options, default="?") for item in nodes]
        return tuple(dict.fromkeys(x for x in found if x != "?"))

    def flag(self, node: Node, what: str) -> bool:
        """true or false."""
        value = scalar(node).lower()
        if isinstance(node, yaml.ScalarNode) and node.style is None and value in ("true", "false"):
            return value == "true"
        other = value if value in ("true", "false") else _OTHER_FLAGS.get(value, "")
        self.problem(node, f"{what} must be true or false, not {describe(node)}", f"write {other}" if other else "")
        return False

    def number(
        self,
        node: Node,
        what: str,
        *,
        least: float = -math.inf,
        most: float = math.inf,
        above: float = -math.inf,
        default: float = 0.0,
    ) -> float:
        """A finite number with `least` <= number <= `most` and number > `above`."""
        raw = scalar(node)
        quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
        if not isinstance(node, yaml.ScalarNode) or quoted or _NUMBER.fullmatch(raw) is None or len(raw) > 40:
            self.problem(node, f"{what} must be a number, not {describe(node)}", _number_hint(raw, most))
            return default
        value = float(raw)
        if value < least or value > most or value <= above or not math.isfinite(value):
            bound = f"above {above:g}" if value <= above else f"at least {least:g}" if value < least else ""
            share = f"a share of 1: write {value / 100:g}" if most == 1 < value <= 100 else ""
            self.problem(node, f"{what} must be {bound or f'at most {most:g}'}, not {raw}", share)
            return default
        return value

    def count(self, node: Node, what: str, *, least: int = 1, most: int = 10_000, default: int = 1) -> int:
        """A whole number."""
        value = self.number(node, what, least=least, most=most, default=default)
        if value != int(value):
            self.problem(node, f"{what} must be a whole number, not {scalar(node)}")
            return default
        return int(value)

    def seconds(self, node: Node, what: str, *, above: float | None = 0.0, default_ms: int = 1_000) -> int:
        """Seconds, written as a number, given as whole milliseconds. `above` None: 0 is allowed, too."""
        return self._time(node, what, 1_000, above, default_ms)

    def millis(self, node: Node, what: str, *, above: float = 0.0, default_ms: int = 1_000) -> int:
        """Milliseconds, written as a number, given as whole milliseconds."""
        return self._time(node, what, 1, above, default_ms)

    def _time(self, node: Node, what: str, unit_ms: int, above: float | None, default_ms: int) -> int:
        before = len(self.problems)
        most = MAX_SECONDS * 1_000 / unit_ms
        if above is None:
            value = self.number(node, what, least=0, most=most)
        else:
            value = self.number(node, what, above=above, most=most)
            if value > 0 and not round(value * unit_ms):
                self.problem(node, f"{what} must be a millisecond at least, not {scalar(node)}")
        return round(value * unit_ms) if len(self.problems) == before else default_ms


def read_id(node: Node, reader: Reader, what: str) -> str:
    """A name that may stand in ids and paths."""
    value = reader.text(node, what, longest=80)
    if value and _ID.fullmatch(value) is None:
        reader.problem(node, f"{what} may have letters, digits, '-', '_' and '.', but is '{clip(value)}'")
        return ""
    return value


def _number_hint(raw: str, most: float) -> str:
    """How to write what somebody meant by a text where a number belongs; '' when that is not clear."""
    if _NUMBER.fullmatch(raw):
        return "write it without quotes"
    if raw.endswith(("%", "％")) and _NUMBER.fullmatch(raw[:-1].strip()):
        return f"write {float(raw[:-1]) / 100:g}" if most == 1 else "write the number alone"
    if _WITH_UNIT.fullmatch(raw):
        return "write the number alone; the name of the key says the unit"
    return "" if raw.isascii() or not any(character.isdecimal() for character in raw) else "write it in half width"


def scalar(node: Node) -> str:
    """The raw text of a scalar, else ''."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def clip(text: str, longest: int = 40) -> str:
    """`text` on one line, shortened for a message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def _unseen(text: str) -> str:
    """What of a text can not be seen, for a message in which it would look right."""
    hidden = next((one for one in text if unicodedata.category(one) == "Cf"), "")
    return f" (with the invisible character U+{ord(hidden):04X})" if hidden else ""


def describe(node: Node) -> str:
    """What a node is, for a message."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if scalar(node) in _NULLS and getattr(node, "style", None) is None:
        return "nothing"
    return f"'{clip(scalar(node))}'"
