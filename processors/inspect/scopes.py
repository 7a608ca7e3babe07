"""To which calls a rule, a flow or a scheme applies: what stands under `scope`, and whether a call is in it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, get_args

import yaml

from processors.inspect.conditions import ROLES
from processors.inspect.operators.base import Call
from processors.inspect.reader import Node, Reader
from processors.records import CallStarted, Direction

DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)
SCOPE_KEYS: Final = ("role", "scenario", "queue", "team", "direction", "from", "until")
CHINA: Final = timezone(timedelta(hours=8))
"""Dates in a scope without an offset mean this time zone."""


@dataclass(frozen=True, slots=True)
class Scope:
    """To which calls a rule applies. What a call does not say about itself excludes nothing."""

    role: str = ""
    scenario: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    direction: tuple[str, ...] = ()
    from_ms: int | None = None
    until_ms: int | None = None

    def covers(self, scenario: str, queue: str, team_id: str, direction: str, at_ms: int) -> bool:
        """Whether a call that began at `at_ms` is in the scope."""
        return (
            (not self.scenario or scenario in ("", *self.scenario))
            and (not self.queue or queue in ("", *self.queue))
            and (not self.team or team_id in ("", *self.team))
            and (not self.direction or direction in ("unknown", *self.direction))
            and (self.from_ms is None or at_ms >= self.from_ms)
            and (self.until_ms is None or at_ms < self.until_ms)
        )

    def meets(self, other: Scope) -> bool:
        """Whether some call may be in both, whatever its time."""
        pairs = (
            (self.scenario, other.scenario), (self.queue, other.queue), (self.team, other.team),
            (self.direction, other.direction),
        )  # fmt: skip
        return all(not mine or not theirs or set(mine) & set(theirs) for mine, theirs in pairs)


def read_scope(node: Node, reader: Reader) -> Scope:
    """The scope at `node`; what can not be used is reported and excludes nothing."""
    found = reader.mapping(node, "'scope'", SCOPE_KEYS)
    role = reader.choice(found["role"], "'role'", ROLES, "any").replace("any", "") if "role" in found else ""
    lists = {
        key: reader.texts(found[key], f"'{key}'") if isinstance(found[key], yaml.SequenceNode)
        else tuple(filter(None, [reader.text(found[key], f"'{key}'")]))
        for key in ("scenario", "queue", "team") if key in found
    }  # fmt: skip
    direction = reader.choices(found["direction"], "'direction'", DIRECTIONS) if "direction" in found else ()
    times = {key: _instant(found[key], reader, f"'{key}'") for key in ("from", "until") if key in found}
    from_ms, until_ms = times.get("from"), times.get("until")
    if from_ms is not None and until_ms is not None and until_ms <= from_ms:
        reader.problem(found["until"], "'until' is not after 'from', so the rule never applies")
    return Scope(
        role, lists.get("scenario", ()), lists.get("queue", ()), lists.get("team", ()), direction, from_ms, until_ms
    )


def _instant(node: Node, reader: Reader, what: str) -> int | None:
    value = reader.text(node, what)
    try:
        at = datetime.fromisoformat(value)
        return round((at if at.tzinfo else at.replace(tzinfo=CHINA)).astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        if value:
            reader.problem(node, f"{what} must be a date or a time like 2026-01-31 or 2026-01-31T09:00+08:00")
        return None


def out_of_scope_because(scope: Scope, call: Call | CallStarted) -> str:
    """Why the rule does not apply to the call, or ''."""
    if scope.covers(call.scenario, call.queue, call.team_id, call.direction, call.at_ms):
        return ""
    of = {
        "scenario": (scope.scenario, call.scenario), "queue": (scope.queue, call.queue),
        "team": (scope.team, call.team_id), "direction": (scope.direction, call.direction),
    }  # fmt: skip
    wrong = [
        f"it is for the {word} {' or '.join(wanted)}, the call has '{has}'"
        for word, (wanted, has) in of.items()
        if wanted and has not in ("", "unknown", *wanted)
    ]
    if scope.from_ms is not None and call.at_ms < scope.from_ms:
        wrong.append("the call began before the rule took effect")
    if scope.until_ms is not None and call.at_ms >= scope.until_ms:
        wrong.append("the call began when the rule was no longer in effect")
    return "the rule does not apply: " + "; ".join(wrong or ["scope"])
