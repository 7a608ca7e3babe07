"""The published rule sets that a worker knows, and their compiled books.

The topic `rulebook` holds, under the key NAME, the version of a rule set that new calls get, and under NAME@VERSION
each version that running calls may still need. Books are compiled by a thread, when they are published for a name in
use, or when a call asks; `book` never waits.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from dataclasses import dataclass

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.language import parse
from processors.inspect.operators.base import Encoder
from processors.inspect.switching import AND_BEFORE, continued
from processors.records import RuleSet
from processors.runtime.errors import BadRecord, UserError
from processors.runtime.logs import get_logger
from processors.runtime.wire import decode

DEFAULT = "default"
MISSING = "missing"
"""Version of the empty book by which a call is judged whose rule set is not there."""
MOST_BOOKS = 64
"""Compiled books in memory; the one that was not asked for longest goes first."""
MOST_WAITING = 1_000

log = get_logger("inspect")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A rule set as it was published once."""

    name: str
    version: str


def current_key(name: str) -> str:
    """Key of the version that new calls get."""
    return name


def version_key(name: str, version: str) -> str:
    """Key of one version."""
    return f"{name}@{version}"


def empty_book(version: Version) -> RuleBook:
    """A book without rules, under this name and version."""
    return compile_book(parse({}), version.name, version.version)


class RuleSets:
    """Safe for the reader's thread, the compiler's thread and the agent."""

    def __init__(self, encoder: Encoder | None = None) -> None:
        self._encoder = encoder
        self._lock = threading.Lock()
        self._current: dict[str, str] = {}
        self._published: dict[Version, RuleSet] = {}
        self._books: OrderedDict[Version, RuleBook] = OrderedDict()
        self._broken: dict[Version, str] = {}
        self._asked: set[Version] = set()
        self._queue: queue.Queue[Version] = queue.Queue(MOST_WAITING)

    def start(self) -> None:
        """Begin to compile."""
        threading.Thread(target=self._work, name="compile-rules", daemon=True).start()

    def received(self, key: str, value: bytes | None) -> None:
        """A record of the topic, in its order."""
        name, _, number = key.partition("@")
        if value is None:
            with self._lock:
                if number:
                    self._published.pop(Version(name, number), None)
                else:
                    self._current.pop(name, None)
            return
        try:
            ruleset = decode(value)
        except BadRecord as error:
            log.error("unreadable rule set", key=key, reason=str(error))
            return
        if not isinstance(ruleset, RuleSet) or ruleset.name != name:
            log.error("not a rule set", key=key)
            return
        version = Version(name, ruleset.version)
        with self._lock:
            self._published[version] = ruleset
            in_use = name == DEFAULT or any(book.name == name for book in self._books)
            if not number:
                self._current[name] = ruleset.version
        if not number:
            log.info("rule set", name=name, version=ruleset.version, author=ruleset.author)
            if in_use:
                self._ask(version)

    def current(self, name: str) -> Version | None:
        """The version that a call gets that begins now; None when the name is not known."""
        with self._lock:
            number = self._current.get(name)
        return None if number is None else Version(name, number)

    def book(self, version: Version) -> RuleBook | None:
        """The compiled book, or None while it is not there; the first question begins to compile it."""
        with self._lock:
            book = self._books.get(version)
            if book is not None:
                self._books.move_to_end(version)
                return book
            wanted = version not in self._broken and all(each in self._published for each in _chain(version))
        if wanted:
            self._ask(version)
        return None

    def why_not(self, version: Version) -> str:
        """Why there is no book: ruleset_missing, ruleset_broken or ruleset_late."""
        with self._lock:
            if version in self._broken:
                return "ruleset_broken"
            known = all(each in self._published for each in _chain(version))
            return "ruleset_late" if known else "ruleset_missing"

    def _ask(self, version: Version) -> None:
        with self._lock:
            if version in self._asked or version in self._books:
                return
            self._asked.add(version)
        self._queue.put(version)

    def _work(self) -> None:
        while True:
            version = self._queue.get()
            self._build(version)
            with self._lock:
                self._asked.discard(version)

    def _build(self, version: Version) -> RuleBook | None:
        with self._lock:
            book = self._books.get(version)
            rulesets = [self._published.get(each) for each in _chain(version)]
        if book is not None or any(ruleset is None for ruleset in rulesets):
            return book
        try:
            book = self._compiled(version, rulesets[0])
        except UserError as error:  # publishing checks rules: this is a set of another program version
            log.error("rule set does not compile", name=version.name, version=version.version, reason=str(error))
            with self._lock:
                self._broken[version] = str(error)
            return None
        if book is not None:
            with self._lock:
                self._books[version] = book
                while len(self._books) > MOST_BOOKS:
                    self._books.popitem(last=False)
            log.info("rule set compiled", name=version.name, version=version.version, rules=len(book.rules))
        return book

    def _compiled(self, version: Version, ruleset: RuleSet | None) -> RuleBook | None:
        assert ruleset is not None
        newest, _, before = version.version.partition(AND_BEFORE)
        if not before:
            return compile_book(parse(ruleset.files), version.name, newest, self._encoder)
        new, old = self._build(Version(version.name, newest)), self._build(Version(version.name, before))
        return None if new is None or old is None else continued(parse(ruleset.files), new, old, self._encoder)


def _chain(version: Version) -> list[Version]:
    """The published versions of which a book is made: one, or several for a call that has switched."""
    return [Version(version.name, each) for each in version.version.split(AND_BEFORE)]
