"""`entity`: a number that means something was spoken, and is valid.

    entity: {kind: [id_card, bank_card, phone]}
    entity: {kind: rate, more_than: 24}            # in per cent; of amounts in yuan

Kinds: id_card (GB 11643 checksum), bank_card (Luhn, ranges of the networks), phone (mobile, landline, 400), amount,
rate, date. Digits may be read one by one, in groups, with 幺, and over several turns of one speaker while the other
party reads them back or talks; the proof points at the spoken characters of each turn. A number is found as soon as the
digits read so far are a valid one. Only a bank card of less than 19 digits after which the speaker pauses may be the
beginning of a longer one (the first 16 of 19 digits pass the check by chance in one of ten), so it waits a moment for
digits that make it longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from processors.inspect.entities import CARD_DIGITS_MOST, NUMBERED, Digits, digit_runs, numbers
from processors.inspect.operators.base import Call, Hit, Json, Measuring, Part
from processors.inspect.quantities import WORDED, quantities
from processors.inspect.reader import Node, Reader, scalar
from processors.inspect.spoken import Spoken
from processors.records import CallEnded, Tick, Utterance

GOES_ON_MS: Final = 20_000
"""Longest time between two turns of one speaker that read one number."""
WAIT_MS: Final = 5_000
"""Silence of the speaker after which a card that may go on is taken as whole."""
MAX_PIECES: Final = 20
"""Turns of one number that are remembered: an identity card read digit by digit, each in an utterance of its own."""
KINDS: Final = (*NUMBERED, *WORDED)


@dataclass(frozen=True, slots=True)
class EntityOperator(Measuring):
    """Valid entities of some kinds, with bounds on their value."""

    word: ClassVar[str] = "entity"
    observes: ClassVar[tuple[type[Any], ...]] = (Utterance, Tick, CallEnded)
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

    @property
    def lag_ms(self) -> int:
        return WAIT_MS if "bank_card" in self.kinds else 0

    def observe(self, memory: Json, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        """Memory: {channel: [end_ms, pieces, whole, turn]}, while a number may go on in the next turn.

        A piece is [utterance_no, start_ms, end_ms, char_from, words]: the digits spoken in one turn. The first `whole`
        pieces are a card that is reported unless it becomes longer.
        """
        if not isinstance(record, Utterance):
            return self._waited(memory, call)
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
        speaker = _Speaker(spoken.record.channel, spoken.record.role, spoken.turn)
        before = _read_so_far(channels.get(channel))
        begun = before if before and spoken.record.start_ms - before.end_ms <= GOES_ON_MS and runs[0].opens else None
        hits = [] if begun or not before else self._whole(before, speaker)
        left: Json = None
        for run in runs:
            so_far = begun if run.opens else None
            pieces = [*(so_far.pieces if so_far else ()), _piece(spoken, run)]
            read, found = self._found(pieces, speaker)
            if found and not (run.closes and self._may_go_on(found)):
                if so_far and pieces.index(read[0]) >= so_far.whole:
                    hits += self._whole(so_far, speaker)  # a number of its own behind the card
                hits += self._hits(read, found, speaker)
            elif run.closes:
                # Digits that make no longer number leave the card before them as it is, until the wait is over.
                whole = len(pieces) if found else so_far.whole if so_far else 0
                dropped = max(0, len(pieces) - MAX_PIECES)
                left = [spoken.record.end_ms, pieces[dropped:], max(0, whole - dropped), spoken.turn]
            elif so_far:
                hits += self._whole(so_far, speaker)
        others = {key: kept for key, kept in channels.items() if key != channel}
        return (others if left is None else {**others, channel: left}) or None, hits

    def _waited(self, memory: Json, call: Call) -> tuple[Json, list[Hit]]:
        """Cards after which the speaker has been silent for long enough."""
        if not isinstance(memory, dict):
            return memory, []
        hits: list[Hit] = []
        kept = dict(memory)
        for key, value in memory.items():
            before, channel = _read_so_far(value), int(key)
            until_ms = call.call_ms if call.ended else _at(call.final_until_ms, channel, call.call_ms)
            if before and before.whole and (call.ended or until_ms - before.end_ms >= WAIT_MS):
                hits += self._whole(before, _Speaker(channel, call.roles[channel], before.turn))
                del kept[key]
        return ((kept or None) if len(kept) != len(memory) else memory), hits

    def _whole(self, before: _Read, speaker: _Speaker) -> list[Hit]:
        """The card that waited for more digits, if one did."""
        if not before.whole:
            return []
        return self._hits(*self._found(before.pieces[: before.whole], speaker), speaker)

    def _may_go_on(self, found: list[tuple[str, int, int]]) -> bool:
        kind, begin, end = found[-1]
        return kind in self.kinds and kind == "bank_card" and end - begin < CARD_DIGITS_MOST

    def _found(self, pieces: list[Any], speaker: _Speaker) -> tuple[list[Any], list[tuple[str, int, int]]]:
        """(pieces, numbers): the valid numbers that end with the last piece, over as many pieces as fit. A group that
        is read twice counts once where that makes a number; where both parties are on one channel, always."""
        for first in range(len(pieces)):
            once = _once(pieces[first:])
            for read in (once,) if speaker.role == "mixed" else (pieces[first:], once):
                found = numbers("".join(_digits(piece).digits for piece in read))
                if found:
                    return read, found
        return [], []

    def _hits(self, read: list[Any], found: list[tuple[str, int, int]], speaker: _Speaker) -> list[Hit]:
        return [_hit(read, begin, end, speaker) for kind, begin, end in found if kind in self.kinds]


@dataclass(frozen=True, slots=True)
class _Speaker:
    channel: int
    role: str
    turn: int


@dataclass(frozen=True, slots=True)
class _Read:
    """What one speaker has read so far of a number."""

    end_ms: int
    pieces: list[Any]
    whole: int
    turn: int


def _read_so_far(memory: Json) -> _Read | None:
    return _Read(*memory) if isinstance(memory, list) else None  # type: ignore[arg-type]  # as `_numbers` made it


def _at(final_until_ms: tuple[int, ...], channel: int, default: int) -> int:
    return final_until_ms[channel] if channel < len(final_until_ms) else default


def _piece(spoken: Spoken, run: Digits) -> list[Any]:
    first, last = run.spans[0][0], run.spans[-1][1]
    start_ms, end_ms = spoken.times[first][0], spoken.times[last - 1][1]
    return [spoken.record.utterance_no, start_ms, end_ms, first, spoken.record.text[first:last]]


def _digits(piece: list[Any]) -> Digits:
    return digit_runs(piece[4])[0]


def _once(pieces: list[Any]) -> list[Any]:
    """Without groups that repeat the one before, as when both parties are on one channel and one reads back."""
    kept: list[Any] = []
    for piece in pieces:
        if not kept or _digits(kept[-1]).digits != _digits(piece).digits:
            kept.append(piece)
    return kept


def _hit(pieces: list[Any], begin: int, end: int, speaker: _Speaker) -> Hit:
    """A hit over the digits [begin, end) of all pieces, with a part for each turn."""
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
                    speaker.channel,
                    utterance_no,
                    start_ms + length * first // len(words),
                    start_ms + length * last // len(words),
                    char_from + first,
                    char_from + last,
                    words[first:last],
                )
            )
    return Hit(
        parts[0].start_ms, parts[-1].end_ms, speaker.channel, speaker.role, parts[-1].utterance_no, speaker.turn,
        parts=tuple(parts),
    )  # fmt: skip
