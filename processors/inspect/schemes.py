"""Scoring schemes (质检方案): how hits become a score, as data.

A scheme has dimensions, a dimension has items, an item counts the hits of its rules. Items deduct or add, may be fatal,
may not apply to a call, and have caps, as dimensions and the whole score have. This module knows the shape of a scheme
and which scheme fits a call; `scorecard` does the sums and `scheme_files` reads the files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from processors.inspect.examples import Example
from processors.inspect.operators.attribute import holds
from processors.inspect.operators.base import Call
from processors.inspect.reader import Place
from processors.inspect.scopes import Scope


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a scheme."""

    item_id: str
    name: str = ""
    rules: tuple[str, ...] = ()
    """Rules whose hits count here; a step of a flow is the rule `FLOW/STEP`."""
    points: float | None = None
    """Points of one hit; None: those of the rule."""
    full: float = 0.0
    """Marks that the item has when nothing is hit. Hits then do not take it below 0."""
    times: int = 0
    """Most hits that count; 0: all."""
    least: float | None = None
    most: float | None = None
    fatal: bool = False
    """A hit fails the whole call."""
    applies: str = ""
    """CEL expression over the call's metadata, as in the operator `attribute`; when it does not hold, the item is not
    applicable (N/A) and its full marks do not count."""
    only_after: tuple[str, ...] = ()
    """Applicable only when one of these rules was hit."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A group of items with caps of its own."""

    dimension_id: str
    name: str = ""
    items: tuple[Item, ...] = ()
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class SchemeExample:
    """A small call, and the final score that the scheme must give it."""

    call: Example
    points: float
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Scheme:
    """A scoring scheme."""

    scheme_id: str
    name: str = ""
    scope: Scope = Scope()  # noqa: RUF009  (frozen)
    """The calls that it is meant for."""
    start: float = 100.0
    least: float | None = 0.0
    most: float | None = None
    fatal_points: float = 0.0
    """Score of a call with a fatal hit."""
    normalise_to: float | None = None
    """Rescale the reached share of the applicable full marks to this; `start` does not count then."""
    dimensions: tuple[Dimension, ...] = ()
    examples: tuple[SchemeExample, ...] = ()
    place: Place = Place("", 1, 1)  # noqa: RUF009  (frozen)
    """Where it is written."""


def scheme_for(schemes: Iterable[Scheme], call: Call) -> Scheme | None:
    """The scheme that is made for `call`: of those whose scope covers it the one that says most about it, of equals
    the first. So the order of files does not matter, and a call without a scenario has the scheme for all."""
    fitting = [
        scheme for scheme in schemes
        if scheme.scope.covers(call.scenario, call.queue, call.team_id, call.direction, call.at_ms)
    ]  # fmt: skip
    return max(fitting, key=lambda scheme: _said_about(scheme.scope, call), default=None)


def _said_about(scope: Scope, call: Call) -> int:
    """How many words of a scope that covers the call are about this call; those that it does not know count against."""
    pairs = (
        (scope.scenario, call.scenario), (scope.queue, call.queue), (scope.team, call.team_id),
        (scope.direction, call.direction),
    )  # fmt: skip
    known = sum(1 if has in wanted else -1 for wanted, has in pairs if wanted)
    return known + (scope.from_ms is not None) + (scope.until_ms is not None)


def applicable(item: Item, call: Call) -> bool:
    """Whether an item counts in a call, as far as the call's metadata say."""
    return not item.applies or holds(item.applies, call)
