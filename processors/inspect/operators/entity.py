"""`entity`: a number that means something was spoken, and is valid.

    entity: {kind: [id_card, bank_card, phone]}
    entity: {kind: rate, more_than: 24}            # in per cent; of amounts in yuan
    entity: {kind: [phone], role: customer} is written with the modifier: role: customer beside it

Kinds: id_card (GB 11643 checksum), bank_card (Luhn, ranges of the networks), phone (mobile, landline, 400), amount,
rate, date. Digits may be read one by one, in groups, with 幺, and over several turns of one speaker while the other
party reads them back; the proof points at the spoken characters of each turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from processors.inspect.entities import KINDS, NUMBERED, Digits, digit_runs, numbers, worded
from processors.inspect.operators.base import Call, Hit, Json, Measuring, Part
from processors.inspect.reader import Node, Reader, scalar
from processors.inspect.spoken import Spoken
from processors.records import Utterance

GOES_ON_MS: Final = 20_000
"""Longest time between two turns of one speaker that read one number."""
MAX_DIGITS: Final = 24
MAX_PIECES: Final = 8


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
        """Memory: {channel: [digits so far, end_ms, pieces]}, while a number may go on in the next turn.

        A piece is [utterance_no, start_ms, end_ms, char_from, char_to, digits]; the words stay in the record.
        """
        spoken = Spoken(record, call.turn, None)
        hits = []
        if self.kinds - set(NUMBERED):
            for entity in worded(record.text, self.kinds):
                if self._bounded(entity.value):
                    hits.append(spoken.hit([(entity.char_from, entity.char_to)], entity.value))
        if self.kinds & set(NUMBERED):
            memory, more = self._numbers(memory, spoken)
            hits += more
        return memory, sorted(hits, key=lambda hit: (hit.start_ms, hit.end_ms))

    def _bounded(self, value: float | None) -> bool:
        if value is None:
            return self.more_than is None and self.less_than is None
        return (self.more_than is None or value > self.more_than) and (self.less_than is None or value < self.less_than)

    def _numbers(self, memory: Json, spoken: Spoken) -> tuple[Json, list[Hit]]:
        open_numbers = memory if isinstance(memory, dict) else {}
        channel = str(spoken.record.channel)
        pending = open_numbers.get(channel)
        hits: list[Hit] = []
        left: Json = None
        for run in digit_runs(spoken.record.text):
            pieces: list[Any] = [_piece(spoken, run)]
            if run.opens and isinstance(pending, list) and spoken.record.start_ms - int(str(pending[0])) <= GOES_ON_MS:
                pieces = [*_pieces(pending), *pieces]
            found = self._found(pieces, spoken)
            hits += found
            if run.closes and not found and sum(len(piece[5]) for piece in pieces) <= MAX_DIGITS:
                left = [spoken.record.end_ms, pieces[-MAX_PIECES:]]
        if left is None and pending is None:
            return memory, hits
        others = {key: kept for key, kept in open_numbers.items() if key != channel}
        if left is None and not hits and not digit_runs(spoken.record.text) and len(spoken.record.text) <= 4:
            return memory, hits  # a short word between two groups does not end the number
        return (others if left is None else {**others, channel: left}) or None, hits

    def _found(self, pieces: list[Any], spoken: Spoken) -> list[Hit]:
        """Hits for the valid numbers over all pieces; from the first piece on which something valid begins."""
        for first in range(len(pieces)):
            digits = "".join(piece[5] for piece in pieces[first:])
            found = [(begin, end) for kind, begin, end in numbers(digits) if kind in self.kinds]
            if found:
                return [self._hit(pieces[first:], begin, end, spoken) for begin, end in found[:1]]
        return []

    def _hit(self, pieces: list[Any], begin: int, end: int, spoken: Spoken) -> Hit:
        record = spoken.record
        parts, at = [], 0
        for utterance_no, start_ms, end_ms, char_from, char_to, digits in pieces:
            if at < end and at + len(digits) > begin:
                quote = record.text[char_from:char_to] if utterance_no == record.utterance_no else digits
                parts.append(Part(record.channel, utterance_no, start_ms, end_ms, char_from, char_to, quote))
            at += len(digits)
        return Hit(
            parts[0].start_ms, parts[-1].end_ms, record.channel, record.role, record.utterance_no, spoken.turn,
            parts=tuple(parts),
        )  # fmt: skip


def _piece(spoken: Spoken, run: Digits) -> list[Any]:
    first, last = run.places[0], run.places[-1]
    start_ms, end_ms = spoken.times[first][0], spoken.times[last][1]
    return [spoken.record.utterance_no, start_ms, end_ms, first, last + 1, run.digits]


def _pieces(pending: list[Json]) -> list[Any]:
    pieces = pending[1]
    return list(pieces) if isinstance(pieces, list) else []
