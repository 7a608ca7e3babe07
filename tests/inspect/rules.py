"""Rules in a few words: compile YAML, judge a small call, see what stands."""

from __future__ import annotations

from collections.abc import Sequence

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.examples import Example, read_examples, timeline
from processors.inspect.language import parse
from processors.inspect.operators.base import TimelineRecord
from processors.inspect.reader import Reader
from processors.inspect.trial import replay, standing
from processors.inspect.yaml_nodes import documents
from processors.records import Violation


def book(text: str) -> RuleBook:
    """A rule book from YAML; fails with all problems when there are any."""
    parsed = parse({"rules.yaml": text})
    assert not parsed.errors, "\n".join(map(str, parsed.errors))
    return compile_book(parsed, "test")


def rule(when: str, rest: str = "") -> RuleBook:
    """A book with one rule `r`; `when` is a condition on one line or an indented block."""
    return book(f"id: r\n{rest}\nwhen:\n  {when.strip()}\n")


def call(says: Sequence[str], **beside: str) -> list[TimelineRecord]:
    """The records of a call written as the lines of an example."""
    return timeline(example(says, **beside))


def example(says: Sequence[str], **beside: str) -> Example:
    """An example from its lines."""
    lines = "".join(f"\n    - {line!r}" for line in says)
    more = "".join(f"\n  {key}: {value!r}" for key, value in beside.items())
    reader = Reader("call")
    (node,) = documents(reader, f"- hit: true{more}\n  says:{lines}\n")
    (made,) = read_examples(node, reader)
    assert not reader.problems, reader.problems
    return made


def found(judge: RuleBook, says: Sequence[str], **beside: str) -> list[Violation]:
    """Violations that stand at the end of the call."""
    return standing(replay(judge, call(says, **beside)))


def starts(judge: RuleBook, says: Sequence[str], **beside: str) -> list[float]:
    """The seconds at which they begin."""
    return [violation.start_ms / 1000 for violation in found(judge, says, **beside)]


def found_at(judge: RuleBook, says: Sequence[str], **beside: str) -> list[float]:
    """The seconds of call time at which they were found."""
    return [violation.call_ms / 1000 for violation in found(judge, says, **beside)]
