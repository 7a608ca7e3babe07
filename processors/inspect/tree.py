"""The conditions of a rule as typed trees: what `language` reads, `book` compiles and `logic` evaluates.

Conditions are values: two that are written alike are equal, are compiled once, and inside one `all` mean the same hit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from processors.inspect.operators.base import Operator

Word: TypeAlias = Literal["all", "any", "not", "at_least", "sequence", "repeated"]


@dataclass(frozen=True, slots=True)
class Window:
    """Where in the call, and how far from what, a condition must hold. Times are milliseconds."""

    first_ms: int | None = None
    last_ms: int | None = None
    skip_first_ms: int | None = None
    """Position in the call begins only here: `first_s: [30, 60]`."""
    skip_last_ms: int | None = None
    """So long before the end it is over: `last_s: [60, 30]`."""
    after: Condition | None = None
    before: Condition | None = None
    within_ms: int | None = None
    within_turns: int | None = None

    @property
    def distance(self) -> bool:
        """Whether a distance is given."""
        return self.within_ms is not None or self.within_turns is not None

    def merged(self, inner: Window) -> Window | None:
        """Both at once; None when they contradict each other."""
        values = {}
        for field in fields(Window):
            mine, other = getattr(self, field.name), getattr(inner, field.name)
            if mine is not None and other is not None and mine != other:
                return None
            values[field.name] = other if mine is None else mine
        return Window(**values)


ANYWHERE = Window()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One operator, for one role ('' = everybody)."""

    operator: Operator
    role: str = ""
    window: Window = ANYWHERE


@dataclass(frozen=True, slots=True)
class RuleHit:
    """Hits of another rule of the set."""

    rule_id: str
    window: Window = ANYWHERE


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by a word. `n`: of at_least how many, of repeated how often.

    `step_ms` and `step_turns` are distances inside the group: of a sequence from each step to the next, of repeated
    from the first to the last.
    """

    word: Word
    of: tuple[Condition, ...]
    n: int = 0
    window: Window = ANYWHERE
    step_ms: int | None = None
    step_turns: int | None = None
    name: str = ""
    """Operator that it was written as, for evidence; '' when it was written as logic."""


Condition: TypeAlias = Leaf | RuleHit | Group


def windowed(condition: Condition, window: Window) -> Condition | None:
    """The condition with another window on top of its own; None when they contradict each other."""
    if window == ANYWHERE:
        return condition
    both = window.merged(condition.window)
    return None if both is None else replace(condition, window=both)
