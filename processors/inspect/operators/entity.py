"""`entity`: a number that means something was spoken, and is valid.

    entity: {kind: [id_card, bank_card, phone]}
    entity: {kind: rate, more_than: 24}            # in per cent; of amounts in yuan

Kinds: id_card (GB 11643 checksum), bank_card (Luhn, ranges of the networks), phone (mobile, landline, 400), amount,
rate, date. Digits may be read one by one, in groups, with 幺, and over several turns of one speaker while the other
party reads them back or talks; the proof points at the spoken characters of each turn. A card is found as soon as the
digits read so far are a valid one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from processors.inspect.entities import NUMBERED, Digits, digit_runs, numbers
from processors.inspect.operators.base import Call, Hit, Json, Measuring, Part
from processors.inspect.quantities import WORDED, quantities
from processors.inspect.reader import Node, Reader, scalar
from processors.inspect.spoken import Spoken
from processors.records import Utterance

GOES_ON_MS: Final = 20_000
"""Longest time between two turns of one speaker that read one number."""
MAX_PIECES: Final = 20
"""Turns of one number that are remembered: an identity card read digit by digit, each in an utterance of its own."""
KINDS: Final = (*NUMBERED, *WORDED)


@dataclass(frozen=True, slots=True)
class EntityOperator(Measuring):
    """Valid entities of some kinds, with bounds on their value."""

    word: ClassVar[str] = "entity"
    observes: ClassVar[tuple[type[Any], ...]] = (Utterance,)
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind"],
        "properties": {
            "kind": {
                "oneOf": [{"enum": list(KINDS)}, {"type": "array", "minItems": 1, "items": {"enum": list(KINDS)}}]
            },
            "more_than": {"type": "number"},
            "less_than": {"type": "number"},
        },
    }

    kinds: frozenset[str]
    more_than: float | None = None
    less_than: float | None = None

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self | None:
        """From {kind, more_than, less_than}."""
        found = reader.mapping(node, "'entity'", ("kind", "more_than", "less_than"), ("kind",))
        kinds = reader.choices(found["kind"], "'kind' of 'entity'", KINDS) if "kind" in found else ()
        bounds = {
            name: reader.number(found[name], f"'{name}' of 'entity'")
            for name in ("more_than", "less_than")
            if name in found
        }
        for name in bounds:
            if not {"amount", "rate"} & set(kinds) and kinds:
                reader.problem(
                    found[name], f"'{name}' goes with the kinds amount and rate, not with {', '.join(kinds)}"
                )
        more, less = bounds.get("more_than"), bounds.get("less_than")
        if more is not None and less is not None and less <= more:
            reader.problem(found["less_than"], f"nothing is more than {scalar(found['more_than'])} and less than this")
        return cls(frozenset(kinds), more, less) if kinds else None

    def observe(self, memory: Json, record: Utterance, call: Call) -> tuple[Json, list[Hit]]:
        """Memory: {channel: [end_ms, pieces]}, while a number may go on in the next turn.

        A piece is [utterance_no, start_ms, end_ms, char_from, words]: the digits spoken in one turn.
        """
        spoken = Spoken(record, call.turn, None)
        hits = []
        if self.kinds - set(NUMBERED):
            for one in quantities(record.text, self.kinds):
                if self._bounded(one.value):
                    hits.append(spoken.hit([(one.char_from, one.char_to)], one.value))
        if self.kinds & set(NUMBERED):
            memory, more = self._numbers(memory, spoken)
            hits += more
        return memory, sorted(hits, key=lambda hit: (hit.start_ms, hit.end_ms))

    def _bounded(self, value: float | None) -> bool:
        if value is None:
            return self.more_than is None and self.less_than is None
        return (self.more_than is None or value > self.more_than) and (self.less_than is None or value < self.less_than)

    def _numbers(self, memory: Json, spoken: Spoken) -> tuple[Json, list[Hit]]:
        runs = digit_runs(spoken.record.text)
        if not runs:
            return memory, []  # words between two groups do not end the number
        channels = memory if isinstance(memory, dict) else {}
        channel = str(spoken.record.channel)
        begun = _going_on(channels.get(channel), spoken.record.start_ms)
        hits: list[Hit] = []
        left: Json = None
        for run in runs:
            piece = _piece(spoken, run)
            pieces = [*begun, piece] if run.opens else [piece]
            found = self._found(pieces, spoken)
            hits += found
            if run.closes and not found:
                left = [spoken.record.end_ms, pieces[-MAX_PIECES:]]
        others = {key: kept for key, kept in channels.items() if key != channel}
        return (others if left is None else {**others, channel: left}) or None, hits

    def _found(self, pieces: list[Any], spoken: Spoken) -> list[Hit]:
        """Hits for the valid numbers that end with the last piece, over as many pieces as fit. A group that is read
        twice counts once where that makes a number; where both parties are on one channel, always."""
        mixed = spoken.record.role == "mixed"
        for first in range(len(pieces)):
            once = _once(pieces[first:])
            for read in (once,) if mixed else (pieces[first:], once):
                found = numbers("".join(_digits(piece).digits for piece in read))
                if found:
                    return [_hit(read, begin, end, spoken) for kind, begin, end in found if kind in self.kinds]
        return []


def _piece(spoken: Spoken, run: Digits) -> list[Any]:
    first, last = run.spans[0][0], run.spans[-1][1]
    start_ms, end_ms = spoken.times[first][0], spoken.times[last - 1][1]
    return [spoken.record.utterance_no, start_ms, end_ms, first, spoken.record.text[first:last]]


def _digits(piece: list[Any]) -> Digits:
    return digit_runs(piece[4])[0]


def _going_on(memory: Json, start_ms: int) -> list[Any]:
    """The pieces of a number that a turn beginning at `start_ms` may go on with."""
    if not isinstance(memory, list) or start_ms - int(str(memory[0])) > GOES_ON_MS:
        return []
    return list(memory[1]) if isinstance(memory[1], list) else []


def _once(pieces: list[Any]) -> list[Any]:
    """Without groups that repeat the one before, as when both parties are on one channel and one reads back."""
    kept: list[Any] = []
    for piece in pieces:
        if not kept or _digits(kept[-1]).digits != _digits(piece).digits:
            kept.append(piece)
    return kept


def _hit(pieces: list[Any], begin: int, end: int, spoken: Spoken) -> Hit:
    """A hit over the digits [begin, end) of all pieces, with a part for each turn."""
    record = spoken.record
    parts, at = [], 0
    for utterance_no, start_ms, end_ms, char_from, words in pieces:
        spans = _digits([utterance_no, start_ms, end_ms, char_from, words]).spans
        own = spans[max(begin - at, 0) : max(end - at, 0)]
        at += len(spans)
        if own:
            first, last = own[0][0], own[-1][1]
            length = end_ms - start_ms
            parts.append(
                Part(
                    record.channel,
                    utterance_no,
                    start_ms + length * first // len(words),
                    start_ms + length * last // len(words),
                    char_from + first,
                    char_from + last,
                    words[first:last],
                )
            )
    return Hit(
        parts[0].start_ms, parts[-1].end_ms, record.channel, record.role, record.utterance_no, spoken.turn,
        parts=tuple(parts),
    )  # fmt: skip
