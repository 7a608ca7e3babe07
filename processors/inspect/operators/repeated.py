"""`repeated`: the same is said again and again.

    repeated: {times: 3, within_s: 60, like: [什么时候还, 还不还]}     # one of these, in three utterances
    repeated: {times: 3, within_s: 120, similarity: 0.8}             # any utterance, said again nearly word by word

Each group of `times` utterances is one hit, which begins with its first one; then counting begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rapidfuzz import fuzz

from processors.inspect.operators.base import Call, Combining, Hit, Json, Measuring, Nested, Part
from processors.inspect.operators.said import BY_SOUND, HOMOPHONES, PHRASES, Said, read_homophones, read_phrases
from processors.inspect.reader import Node, Reader
from processors.inspect.sounds import normal
from processors.inspect.tree import Condition, Group, Leaf
from processors.records import Utterance

KEYS = ("times", "within_s", "like", "homophones", "similarity", "min_chars")
MAX_TIMES = 20
REMEMBERED = 12
"""Utterances of a speaker that are compared with a new one."""
REMEMBERED_CHARS = 40


class Repeated(Combining):
    """`times` utterances that are alike, within a time."""

    word: ClassVar[str] = "repeated"
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["times"],
        "properties": {
            "times": {"type": "integer", "minimum": 2, "maximum": MAX_TIMES},
            "within_s": {"type": "number", "exclusiveMinimum": 0},
            "like": PHRASES,
            "homophones": HOMOPHONES,
            "similarity": {"type": "number", "minimum": 0.5, "maximum": 1},
            "min_chars": {"type": "integer", "minimum": 1},
        },
    }

    @classmethod
    def condition(cls, node: Node, reader: Reader, role: str, nested: Nested) -> Condition | None:
        """By phrases (`like`), or by similarity of whole utterances."""
        found = reader.mapping(node, "'repeated'", KEYS, ("times",))
        times = reader.count(found["times"], "'times'", least=2, most=MAX_TIMES, default=2) if "times" in found else 2
        within = reader.seconds(found["within_s"], "'within_s' of 'repeated'") if "within_s" in found else None
        if "like" in found and "similarity" in found:
            reader.problem(found["similarity"], "'repeated' goes by 'like' or by 'similarity', not by both")
        if "like" in found and "min_chars" in found:
            reader.problem(found["min_chars"], "'min_chars' of 'repeated' goes with 'similarity'")
        if "like" in found:
            phrases = read_phrases(found["like"], reader, "'like'")
            pairs = read_homophones(found["homophones"], reader) if "homophones" in found else BY_SOUND
            operator: Said | SaidAgain = Said(phrases, 1, pairs)
            if not phrases:
                return None
        else:
            if "homophones" in found:
                reader.problem(found["homophones"], "'homophones' of 'repeated' goes with 'like'")
            alike, chars = 0.8, 4
            if "similarity" in found:
                alike = reader.number(found["similarity"], "'similarity'", least=0.5, most=1.0, default=alike)
            if "min_chars" in found:
                chars = reader.count(found["min_chars"], "'min_chars'", most=REMEMBERED_CHARS)
            operator = SaidAgain(times, within or 0, alike, chars)
            return Leaf(operator, role)
        return Group("repeated", (Leaf(operator, role),), times, step_ms=within, name=cls.word)


@dataclass(frozen=True, slots=True)
class SaidAgain(Measuring):
    """An utterance that the same speaker has said `times` times, nearly word by word."""

    word: ClassVar[str] = "repeated"
    schema: ClassVar[dict[str, Any]] = Repeated.schema
    observes: ClassVar[tuple[type[Any], ...]] = (Utterance,)

    times: int
    within_ms: int
    similarity: float
    min_chars: int

    def observe(self, memory: Json, record: Utterance, call: Call) -> tuple[Json, list[Hit]]:
        """Memory: [channel, start_ms, end_ms, text] of the latest utterances."""
        text = normal(record.text)[:REMEMBERED_CHARS]
        if len(text) < self.min_chars:
            return memory, []
        known: list[Any] = list(memory) if isinstance(memory, list) else []
        since = record.start_ms - self.within_ms if self.within_ms else -1
        alike = [
            row
            for row in known
            if row[0] == record.channel
            and row[1] >= since
            and fuzz.ratio(row[3], text, score_cutoff=self.similarity * 100)
        ]
        entry: Json = [record.channel, record.start_ms, record.end_ms, text]
        if len(alike) + 1 < self.times:
            return [*known[-REMEMBERED + 1 :], entry], []
        parts = (
            Part(
                record.channel,
                record.utterance_no,
                record.start_ms,
                record.end_ms,
                0,
                len(record.text),
                record.text[:REMEMBERED_CHARS],
            ),
        )
        first = min(row[1] for row in alike)
        rest: list[Json] = [row for row in known if row not in alike]
        hit = Hit(
            first, record.end_ms, record.channel, record.role, record.utterance_no, value=len(alike) + 1.0, parts=parts
        )
        return rest, [hit]
