"""YAML text to nodes with places, within bounds: no deep recursion, no alias bomb, no surprise of YAML 1.1.

Built on the events of the YAML parser instead of its composer, which recurses and expands without bound. It
deliberately does not interpret scalars: `on` stays the word on, 1.0 stays the text 1.0; `reader` types them.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from processors.inspect.reader import Node, Problem, Reader

MAX_FILE_CHARS = 2_000_000
MAX_DEPTH = 40
"""Deepest nesting of brackets and indentation."""
MAX_NODES = 200_000
"""Most nodes of a file, aliases written out."""

HINTS: Final = (
    ("mapping values are not allowed", "is the line indented too far? A text with ': ' in it needs quotes"),
    ("did not find expected key", "the indentation does not fit the lines before, or a quote or comma is missing"),
    ("did not find expected '-' indicator", "the indentation does not fit the lines before"),
    ("cannot start any token", "put the text in quotes"),
    ("while scanning an alias", "put a text that begins with * in quotes"),
    ("while scanning an anchor", "put a text that begins with & in quotes"),
    ("quoted scalar, found unexpected end of stream", "the quote is never closed"),
    ("unknown escape character", "in double quotes \\ begins an escape; use single quotes"),
    ("flow sequence", "is a bracket or a comma missing? A text with {, [ or , in it needs quotes"),
    ("flow mapping", "is a brace or a comma missing? A text with {, [ or , in it needs quotes"),
)
"""What people mostly did, by what the parser says."""
FULL_WIDTH: Final = "：，［］｛｝【】"
TEXT: Final = "tag:yaml.org,2002:str"
_Parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(reader: Reader, text: str) -> list[Node]:
    """The documents of one file; what is wrong goes to `reader`. Documents before a syntax error are kept."""
    if len(text) > MAX_FILE_CHARS:
        _at(reader, 1, 1, f"the file has {len(text)} characters, at most {MAX_FILE_CHARS} are allowed")
        return []
    composer = _Composer(reader)
    try:
        for event in yaml.parse(text.removeprefix("\ufeff"), Loader=_Parser):
            if not composer.take(event):
                break
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if error.context_mark is not None and "quoted scalar" in str(error.context) and "end of stream" in str(error):
            mark = error.context_mark  # where the quote opens, not where the file ends
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        cause, hint = _cause(error, text, line, column)
        _at(reader, line, column, f"not valid YAML: {cause}", hint)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        _at(reader, line, column, f"not valid YAML: a character that is not allowed ({_codepoint(error)})")
    return composer.documents


def _codepoint(error: yaml.reader.ReaderError) -> str:
    character = error.character
    return f"U+{ord(character) if isinstance(character, str) else character:04X}"


def _cause(error: yaml.MarkedYAMLError, text: str, line: int, column: int) -> tuple[str, str]:
    """What the parser says, and what people mostly did."""
    lines = text.splitlines()
    row = lines[line - 1] if 0 < line <= len(lines) else ""
    indent = row[: len(row) - len(row.lstrip())]
    if "\t" in indent or row[column - 1 : column] == "\t":
        return "a tab", "YAML is indented with spaces"
    parts = [str(part) for part in (error.context, error.problem) if part]
    said = ", ".join(parts) or "syntax error"
    near = "\n".join(lines[max(0, line - 2) : line])
    if any(mark in near for mark in FULL_WIDTH) and "scalar" not in said:
        return said, "write ':', ',', '[' and ']' in half width"
    return said, next((hint for part, hint in HINTS if part in said), "")


def _at(reader: Reader, line: int, column: int, message: str, hint: str = "") -> None:
    reader.problems.append(Problem(reader.file, line, column, message, hint))


def _marks(event: yaml.Event) -> tuple[Any, Any]:
    """Where an event begins and ends; the C parser and the Python one have marks of different types."""
    return event.start_mark, event.end_mark


class _Composer:
    """Builds nodes from events with a stack of open collections."""

    def __init__(self, reader: Reader) -> None:
        self.documents: list[Node] = []
        self._reader = reader
        self._open: list[tuple[Node, list[Node], str | None]] = []
        self._anchors: dict[str, Node] = {}
        self._sizes: dict[int, int] = {}
        self._size = 0

    def take(self, event: yaml.Event) -> bool:
        """Take one event; False ends the file because a bound is passed."""
        match event:
            case yaml.DocumentStartEvent():
                self._anchors = {}
            case yaml.AliasEvent():
                return self._alias(event)
            case yaml.ScalarEvent():
                start, end = _marks(event)
                node: Node = yaml.ScalarNode(TEXT, event.value, start, end, style=event.style or None)
                return self._tagged(event, event.tag) and self._done(node, event.anchor, 1)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                kind = yaml.SequenceNode if isinstance(event, yaml.SequenceStartEvent) else yaml.MappingNode
                self._open.append((kind("", [], *_marks(event)), [], event.anchor))
                if len(self._open) > MAX_DEPTH:
                    return self._stop(event, f"nested deeper than {MAX_DEPTH} levels")
                return self._tagged(event, event.tag)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                return self._close()
        return True

    def _tagged(self, event: yaml.Event, tag: str | None) -> bool:
        if tag not in (None, "!"):
            return self._stop(event, f"the YAML tag {tag} is not supported")
        return True

    def _stop(self, event: yaml.Event, message: str) -> bool:
        mark, _ = _marks(event)
        _at(self._reader, mark.line + 1, mark.column + 1, message)
        return False

    def _alias(self, event: yaml.AliasEvent) -> bool:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            return self._stop(event, f"the alias *{event.anchor} has no anchor &{event.anchor} before it")
        return self._done(node, None, self._sizes[id(node)])

    def _close(self) -> bool:
        node, children, anchor = self._open.pop()
        size = 1 + sum(self._sizes[id(child)] for child in children)
        if isinstance(node, yaml.MappingNode):
            node.value = list(zip(children[::2], children[1::2], strict=True))
        else:
            node.value = children
        return self._done(node, anchor, size)

    def _done(self, node: Node, anchor: str | None, size: int) -> bool:
        self._sizes[id(node)] = size
        self._size = max(self._size, size)
        if size > MAX_NODES:
            _at(
                self._reader,
                node.start_mark.line + 1,
                node.start_mark.column + 1,
                f"more than {MAX_NODES} values once its aliases are written out",
            )
            return False
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1][1].append(node)
        else:
            self.documents.append(node)
        return True
