"""What is kept of an open call between two records, small and as plain bytes when it is stored.

Sparse: only leaves with hits, rules with something found or open, machines with a memory. Values are never changed in
place, so that an old state stays what it was. They are named tuples, since several are made for each record and frozen
dataclasses take three times as long to make.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from processors.inspect.operators.base import Call, Hit, Json, Part
from processors.inspect.spoken import Tail
from processors.runtime.errors import BadRecord

FORMAT: Final = 1
"""Of the stored bytes; another one can not be read."""


class Channel(NamedTuple):
    """What is kept of one channel."""

    last_no: int = -1
    """Latest finished utterance."""
    tail: Tail | None = None
    open_no: int = -1
    """Utterance whose partials have provisional hits."""
    open_leaves: tuple[int, ...] = ()
    gap_ms: int = -1
    """Start of the latest media gap."""


class Emitted(NamedTuple):
    """A violation that was put out: its state, its place, and what its id is made of."""

    state: str
    start_ms: int
    end_ms: int
    trigger: str


class CallState(NamedTuple):
    """One open call."""

    ruleset: str
    version: str
    position: int
    call: Call
    channels: tuple[Channel, ...] = ()
    tick_ms: int = -1
    checked_ms: int = -1
    last_channel: int = -1
    """Channel of the latest finished utterance with words."""
    cursor: int = 0
    """How many of the book's fixed deadlines have passed."""
    hits: Mapping[int, tuple[Hit, ...]] = {}
    agenda: Mapping[int, tuple[int, int]] = {}
    """By rule: call time and turn at which it must be looked at again, -1 for none."""
    emitted: Mapping[int, Mapping[str, Emitted]] = {}
    memories: Mapping[int, Json] = {}
    """Of measuring operators, by leaf."""
    parts: Any = None
    """Of the judgement around the rules: emotion, metrics, alerts, scorecard, flows."""


def dump_call(call: Call) -> list[Any]:
    """Plain values of the facts of a call."""
    return list(call)


def load_call(values: list[Any]) -> Call:
    """The other way."""
    values = list(values)
    values[10], values[13] = tuple(values[10]), tuple(values[13])
    return Call(*values)


def dump_hit(hit: Hit) -> list[Any]:
    """Plain values of a hit."""
    parts = [[p.channel, p.utterance_no, p.start_ms, p.end_ms, p.char_from, p.char_to, p.quote] for p in hit.parts]
    head = [hit.start_ms, hit.end_ms, hit.channel, hit.role, hit.utterance_no, hit.turn, int(hit.provisional)]
    return [*head, hit.value, parts]


def load_hit(values: list[Any]) -> Hit:
    """The other way."""
    start_ms, end_ms, channel, role, utterance_no, turn, provisional, value, parts = values
    return Hit(
        start_ms,
        end_ms,
        channel,
        role,
        utterance_no,
        turn,
        bool(provisional),
        value,
        tuple(Part(*part) for part in parts),
    )


def dump_state(state: CallState, parts: Json) -> bytes:
    """The state as bytes. `parts` are the plain values of `state.parts`."""
    plain = {
        "format": FORMAT,
        "set": [state.ruleset, state.version, state.position],
        "call": dump_call(state.call),
        "channels": [
            [
                channel.last_no,
                None if channel.tail is None else list(_tail_values(channel.tail)),
                channel.open_no,
                list(channel.open_leaves),
                channel.gap_ms,
            ]
            for channel in state.channels
        ],
        "counters": [state.tick_ms, state.checked_ms, state.last_channel, state.cursor],
        "hits": {str(leaf): [dump_hit(hit) for hit in hits] for leaf, hits in state.hits.items()},
        "agenda": {str(rule): list(due) for rule, due in state.agenda.items()},
        "emitted": {
            str(rule): {key: [one.state[0], one.start_ms, one.end_ms, one.trigger] for key, one in keys.items()}
            for rule, keys in state.emitted.items()
        },
        "memories": {str(leaf): memory for leaf, memory in state.memories.items()},
        "parts": parts,
    }
    return zlib.compress(json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode(), 1)


_STATES: Final = {"p": "provisional", "c": "confirmed", "r": "retracted"}


def load_state(data: bytes) -> tuple[CallState, Any]:
    """The state without its parts, and the plain values of the parts."""
    try:
        plain = json.loads(zlib.decompress(data))
        if plain["format"] != FORMAT:
            raise BadRecord(f"a call state of format {plain['format']}; this version reads {FORMAT}")
        ruleset, version, position = plain["set"]
        tick_ms, checked_ms, last_channel, cursor = plain["counters"]
        state = CallState(
            ruleset,
            version,
            position,
            load_call(plain["call"]),
            tuple(
                Channel(no, None if tail is None else Tail(*tail), open_no, tuple(leaves), gap_ms)
                for no, tail, open_no, leaves, gap_ms in plain["channels"]
            ),
            tick_ms,
            checked_ms,
            last_channel,
            cursor,
            {int(leaf): tuple(load_hit(hit) for hit in hits) for leaf, hits in plain["hits"].items()},
            {int(rule): (due[0], due[1]) for rule, due in plain["agenda"].items()},
            {
                int(rule): {key: Emitted(_STATES[one[0]], *one[1:]) for key, one in keys.items()}
                for rule, keys in plain["emitted"].items()
            },
            {int(leaf): memory for leaf, memory in plain["memories"].items()},
        )
        return state, plain["parts"]
    except (zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        if isinstance(error, BadRecord):
            raise
        raise BadRecord(f"not a call state: {error}") from error


def _tail_values(tail: Tail) -> tuple[Any, ...]:
    return tail.utterance_no, tail.text, tail.char_from, tail.start_ms, tail.end_ms
