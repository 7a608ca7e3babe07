"""Scoring schemes (质检方案): how hits become a score, as data.

A scheme has dimensions, a dimension has items, an item counts the hits of its rules. Items deduct or add, may be fatal,
may not apply to a call, and have caps, as dimensions and the whole score have. This module knows the shape of a scheme
and which scheme fits a call; `scorecard` does the sums and `scheme_files` reads the files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from processors.inspect.language import Scope
from processors.inspect.operators.attribute import holds
from processors.inspect.operators.base import Call
from processors.inspect.reader import Place


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
    place: Place = Place("", 1, 1)  # noqa: RUF009  (frozen)
    """Where it is written."""


def scheme_for(schemes: Iterable[Scheme], call: Call) -> Scheme | None:
    """The first scheme whose scope covers `call`."""
    for scheme in schemes:
        if scheme.scope.covers(call.scenario, call.queue, call.team_id, call.direction, call.at_ms):
            return scheme
    return None


def applicable(item: Item, call: Call) -> bool:
    """Whether an item counts in a call, as far as the call's metadata say."""
    return not item.applies or holds(item.applies, call)
