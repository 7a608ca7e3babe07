"""One text of one channel, ready for matching: joined to the end of the utterance before, with times and places.

A phrase may be cut in two by a short pause, so that the recogniser closes an utterance in its middle. Texts are
therefore matched together with the tail of the channel's utterance before them, when the pause was short; a find that
lies wholly in the tail has been seen already and is dropped. It deliberately knows no phrases.
"""

from __future__ import annotations

import difflib
from functools import cached_property
from typing import NamedTuple

from processors.inspect.operators.base import Find, Hit, Part
from processors.inspect.sounds import NORMAL
from processors.records import Partial, Utterance

JOIN_MS = 1_500
"""Longest pause across which a phrase may go on."""
TAIL_CHARS = 24
"""How much of an utterance may be the beginning of a phrase that ends in the next one."""
QUOTE_CHARS = 60
"""Longest quote kept as evidence."""


class Tail(NamedTuple):
    """The end of a channel's latest utterance."""

    utterance_no: int
    text: str
    char_from: int
    """Place of the tail in the utterance's text."""
    start_ms: int
    end_ms: int


def tail_of(spoken: Spoken) -> Tail | None:
    """What to keep of a finished utterance."""
    text = spoken.record.text
    if not text:
        return None
    begin = max(0, len(text) - TAIL_CHARS)
    return Tail(
        spoken.record.utterance_no,
        text[begin:],
        begin,
        spoken.times[begin][0] if begin else spoken.record.start_ms,
        spoken.record.end_ms,
    )


class Spoken:
    """A partial or an utterance with the tail before it. Character places count in `text`, the joined text."""

    def __init__(self, record: Partial | Utterance, turn: int, tail: Tail | None) -> None:
        """`turn` is the turn to which the record belongs."""
        if tail is not None and record.start_ms - tail.end_ms > JOIN_MS:
            tail = None
        self.record = record
        self.turn = turn
        self.tail = tail
        self.final = isinstance(record, Utterance)
        self.offset = len(tail.text) if tail is not None else 0
        self.text = tail.text + record.text if tail is not None else record.text
        self.normal = self.text.translate(NORMAL)

    @property
    def written(self) -> str:
        """The written form of the utterance; '' of a partial."""
        return self.record.written if isinstance(self.record, Utterance) else ""

    @cached_property
    def places(self) -> list[int]:
        """Place in `text` of each character of `normal`."""
        if len(self.normal) == len(self.text):
            return list(range(len(self.text)))
        return [place for place, character in enumerate(self.text) if NORMAL[ord(character)]]

    @cached_property
    def times(self) -> list[tuple[int, int]]:
        """(start_ms, end_ms) of each character of the record's own text: of its token, or evenly spread."""
        record = self.record
        if isinstance(record, Utterance) and record.tokens:
            spread = [
                _spread(token.start_ms, token.end_ms, len(token.text), i)
                for token in record.tokens
                for i in range(len(token.text))
            ]
            if len(spread) == len(record.text):
                return spread
        count = len(record.text)
        return [_spread(record.start_ms, record.end_ms, count, i) for i in range(count)]

    def confidences(self) -> list[float] | None:
        """Confidence of each character of `text`; None when unknown, as in partials. The tail counts as certain."""
        record = self.record
        if not isinstance(record, Utterance) or not record.tokens:
            return None
        own = [token.confidence for token in record.tokens for _ in token.text]
        return [1.0] * self.offset + own if len(own) == len(record.text) else None

    def alternatives(self) -> list[str] | None:
        """What each character of `text` may have been instead; None when nothing is known. The tail is certain."""
        record = self.record
        if isinstance(record, Utterance):
            own = [token.alternatives if len(token.text) == 1 else "" for token in record.tokens for _ in token.text]
        else:
            own = list(record.alternatives)
        return [""] * self.offset + own if own and len(own) == len(record.text) else None

    def hit(self, spans: list[tuple[int, int]], value: float | None = None) -> Hit:
        """A hit over stretches of characters [from, to) of the joined text."""
        parts = tuple(part for begin, end in sorted(spans) for part in self._parts(begin, end))
        record = self.record
        return Hit(
            min(part.start_ms for part in parts),
            max(part.end_ms for part in parts),
            record.channel,
            record.role,
            record.utterance_no,
            self.turn,
            not self.final,
            value,
            parts,
        )

    def whole(self) -> Hit:
        """A hit over the whole utterance."""
        return self.hit([(self.offset, len(self.text))]) if self.record.text else self.hit([(self.offset, self.offset)])

    def written_span(self, begin: int, end: int) -> tuple[int, int]:
        """The spoken characters (places in the joined text) behind [begin, end) of the written form."""
        assert isinstance(self.record, Utterance)
        matcher = difflib.SequenceMatcher(None, self.record.written, self.record.text, autojunk=False)
        first, last = 0, len(self.record.text)
        for block in matcher.get_matching_blocks():
            written_end = block.a + block.size
            if block.size and block.a <= begin:
                first = block.b + min(begin - block.a, block.size)
            if block.size and written_end >= end:
                last = block.b + max(0, end - block.a)
                break
        return self.offset + min(first, last), self.offset + max(first, last)

    def distance(self, first: Find, second: Find) -> int:
        """Characters that count between two finds; 0 when they touch or overlap."""
        begin, end = sorted([first, second], key=lambda find: find.char_from)
        return sum(1 for character in self.text[begin.char_to : end.char_from] if NORMAL[ord(character)])

    def _parts(self, begin: int, end: int) -> list[Part]:
        parts = []
        record, tail = self.record, self.tail
        if tail is not None and begin < self.offset:
            stop = min(end, self.offset)
            parts.append(
                Part(
                    record.channel,
                    tail.utterance_no,
                    _spread(tail.start_ms, tail.end_ms, self.offset, begin)[0],
                    _spread(tail.start_ms, tail.end_ms, self.offset, stop - 1)[1],
                    tail.char_from + begin,
                    tail.char_from + stop,
                    tail.text[begin:stop],
                )
            )
        if end > self.offset or not parts:
            start = max(begin, self.offset) - self.offset
            stop = max(end - self.offset, start)
            times = self.times[start:stop] or [(record.start_ms, record.end_ms)]
            quote = record.text[start:stop][:QUOTE_CHARS]
            parts.append(Part(record.channel, record.utterance_no, times[0][0], times[-1][1], start, stop, quote))
        return parts


def _spread(start_ms: int, end_ms: int, count: int, index: int) -> tuple[int, int]:
    """The index-th of `count` even shares of an interval."""
    length = end_ms - start_ms
    return start_ms + length * index // count, start_ms + length * (index + 1) // count
