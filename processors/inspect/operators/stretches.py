"""Stretches of speech in the order of call time, and the roles of measuring operators.

Utterances arrive when they close, so a long one comes after a short one that began later. Operators that care about the
order keep stretches until the frontier of the call has passed their beginning; then no earlier one can come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from processors.inspect.operators.base import Call
from processors.inspect.reader import Node, Reader
from processors.records import Utterance

PARTIES: Final = ("agent", "customer")
OTHER: Final = {"agent": "customer", "customer": "agent"}
PENDING_MAX: Final = 64
"""Most stretches that one operator keeps; a channel that never becomes final must not fill the memory."""


def read_party(found: Mapping[str, Node], key: str, node: Node, reader: Reader, what: str) -> str:
    """agent or customer, from `key`, or from the role of the rule's scope when it is left out."""
    if key in found:
        return reader.choice(found[key], f"'{key}' of {what}", PARTIES)
    if reader.scope_role in PARTIES:
        return reader.scope_role
    reader.problem(node, f"{what} needs '{key}'", f"write {key}: agent or {key}: customer")
    return PARTIES[0]


def speaks(record: Any, channels: Sequence[int]) -> bool:
    """Whether `record` is an utterance with words on one of `channels`; noise without words is no speech."""
    return isinstance(record, Utterance) and bool(record.text) and record.channel in channels


def sides(call: Call, of: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Channels of `of` alone and of the other party alone; a mixed channel belongs to neither."""
    return _sides(call.roles, of)


@lru_cache(maxsize=256)
def _sides(roles: tuple[str, ...], of: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    own = tuple(index for index, role in enumerate(roles) if role == of)
    other = tuple(index for index, role in enumerate(roles) if role == OTHER[of])
    return own, other


def channel_of(call: Call, of: str) -> int:
    """The first channel of `of`, -1 when there is none."""
    return next(iter(call.channels(of)), -1) if of != "line" else -1


def settled(pending: list[Any], frontier_ms: int) -> tuple[list[Any], list[Any]]:
    """Stretches [start_ms, ...] that begin before the frontier, in order, and those that must wait."""
    if len(pending) > PENDING_MAX:
        frontier_ms = max(frontier_ms, sorted(pending)[len(pending) // 2][0])
    ready = sorted(stretch for stretch in pending if stretch[0] < frontier_ms)
    return ready, [stretch for stretch in pending if stretch[0] >= frontier_ms]
