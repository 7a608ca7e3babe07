"""The judgement around the rules: emotion, measurements of the call, scorecards, alerts, flows.

The engine calls `before` with each record, then judges the rules, then calls `after` with the violations of that step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from processors.inspect.logic import Found
from processors.inspect.operators.base import Call, Json, TimelineRecord
from processors.records import EmotionPoint, Violation

if TYPE_CHECKING:
    from processors.inspect.book import RuleBook


def start(book: RuleBook, call: Call) -> Any:
    """The parts at the start of a call."""
    return None


def before(parts: Any, book: RuleBook, call: Call, record: TimelineRecord) -> tuple[Any, list[EmotionPoint]]:
    """Emotion points of this record; operators observe them."""
    return parts, []


def after(
    parts: Any,
    book: RuleBook,
    call: Call,
    record: TimelineRecord,
    violations: Sequence[Violation],
    found: Mapping[str, Sequence[Found]],
) -> tuple[Any, list[Any]]:
    """Scorecards, alerts and flow progress after the rules were judged."""
    return parts, []


def dump(parts: Any) -> Json:
    """Plain values."""
    return None


def load(plain: Json) -> Any:
    """The other way."""
    return None
