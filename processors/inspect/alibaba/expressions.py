"""The `lambda` of SCA: `1&&2||!3` over the ids of operators or conditions, as a small tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

MAX_CHARS: Final = 2_000
MAX_DEPTH: Final = 12
_TOKEN: Final = re.compile(r"\s*(&&|\|\||[!()]|[\w\-]+)")


@dataclass(frozen=True, slots=True)
class Expression:
    """A name, or a joining of others."""

    kind: Literal["name", "all", "any", "not"]
    name: str = ""
    of: tuple[Expression, ...] = ()

    def names(self) -> set[str]:
        """All names in it."""
        return {self.name} if self.kind == "name" else set[str]().union(*(one.names() for one in self.of))


class Unreadable(ValueError):
    """The text is no such expression."""


def read_expression(text: str) -> Expression:
    """`!` binds closest, then `&&`, then `||`. Unreadable says what is wrong."""
    if len(text) > MAX_CHARS:
        raise Unreadable(f"longer than {MAX_CHARS} characters")
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unreadable(f"'{text[at : at + 10]}' is not understood")
        tokens.append(found[1])
        at = found.end()
    parser = _Parser(tokens)
    made = parser.any_of(0)
    if parser.at < len(tokens):
        raise Unreadable(f"'{tokens[parser.at]}' is too much")
    return made


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self.at = 0

    def any_of(self, depth: int) -> Expression:
        of = [self._all_of(depth)]
        while self._take("||"):
            of.append(self._all_of(depth))
        return of[0] if len(of) == 1 else Expression("any", of=tuple(of))

    def _all_of(self, depth: int) -> Expression:
        of = [self._one(depth)]
        while self._take("&&"):
            of.append(self._one(depth))
        return of[0] if len(of) == 1 else Expression("all", of=tuple(of))

    def _one(self, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise Unreadable(f"nested deeper than {MAX_DEPTH}")
        if self._take("!"):
            inner = self._one(depth + 1)
            return inner.of[0] if inner.kind == "not" else Expression("not", of=(inner,))
        if self._take("("):
            made = self.any_of(depth + 1)
            if not self._take(")"):
                raise Unreadable("a ')' is missing")
            return made
        if self.at >= len(self._tokens):
            raise Unreadable("it ends too early")
        token = self._tokens[self.at]
        if token in ("&&", "||", ")"):
            raise Unreadable(f"'{token}' stands where a number should be")
        self.at += 1
        return Expression("name", token)

    def _take(self, token: str) -> bool:
        if self.at < len(self._tokens) and self._tokens[self.at] == token:
            self.at += 1
            return True
        return False
