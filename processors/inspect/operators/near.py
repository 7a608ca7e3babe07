"""`near`: words stand close to each other.

    near: {words: [先交, 保证金], chars: 10}                 # at most 10 characters between them, in one utterance
    near: {words: [转账, 个人账户], seconds: 15, ordered: true}
    near: {words: [投诉, 没用], turns: 1}                    # in this turn or the next

With `seconds` or `turns` the words may be in different utterances; each is measured from the first one (`ordered`: from
the one before).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, ClassVar

from processors.inspect.operators.base import Combining, Find, Hit, Nested, Text
from processors.inspect.operators.said import (
    BY_SOUND,
    HOMOPHONES,
    MAX_HITS,
    PHRASES,
    Said,
    read_homophones,
    read_phrases,
)
from processors.inspect.reader import Node, Reader
from processors.inspect.tree import Condition, Group, Leaf, Window

if TYPE_CHECKING:
    from processors.inspect.spoken import Spoken

DISTANCES = ("chars", "seconds", "turns")
MAX_WORDS = 5


class Near(Combining):
    """All words within a distance."""

    word: ClassVar[str] = "near"
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["words"],
        "properties": {
            "words": {**PHRASES, "minItems": 2, "maxItems": MAX_WORDS},
            "chars": {"type": "integer", "minimum": 0},
            "seconds": {"type": "number", "exclusiveMinimum": 0},
            "turns": {"type": "integer", "minimum": 0},
            "ordered": {"type": "boolean"},
            "homophones": HOMOPHONES,
        },
    }

    @classmethod
    def condition(cls, node: Node, reader: Reader, role: str, nested: Nested) -> Condition | None:
        """`chars` is a find within one text; `seconds` and `turns` are an `all` or a `sequence` of `said`."""
        found = reader.mapping(node, "'near'", ("words", *DISTANCES, "ordered", "homophones"), ("words",))
        words = read_phrases(found["words"], reader, "'words' of 'near'") if "words" in found else ()
        if "words" in found and words and not 2 <= len(words) <= MAX_WORDS:
            reader.problem(found["words"], f"'near' takes 2 to {MAX_WORDS} words, not {len(words)}")
            return None
        given = [name for name in DISTANCES if name in found]
        if len(given) != 1:
            reader.problem(node, "'near' needs exactly one of 'chars', 'seconds' and 'turns'")
            return None
        ordered = reader.flag(found["ordered"], "'ordered'") if "ordered" in found else False
        pairs = read_homophones(found["homophones"], reader) if "homophones" in found else BY_SOUND
        if given == ["chars"]:
            chars = reader.count(found["chars"], "'chars'", least=0, most=1_000)
            return Leaf(NearChars(words, chars, ordered, pairs), role) if words else None
        if given == ["seconds"]:
            window = Window(within_ms=reader.seconds(found["seconds"], "'seconds'"))
        else:
            window = Window(within_turns=reader.count(found["turns"], "'turns'", least=0, most=1_000))
        if not words:
            return None
        said = [Said((word,), 1, pairs) for word in words]
        if ordered:
            steps = tuple(Leaf(one, role) for one in said)
            return Group("sequence", steps, step_ms=window.within_ms, step_turns=window.within_turns, name=cls.word)
        first, *others = said
        return Group("all", (Leaf(first, role), *(Leaf(one, role, window) for one in others)), name=cls.word)


@dataclass(frozen=True, slots=True)
class NearChars(Text):
    """All words in one text, each at most `chars` characters after the one before."""

    word: ClassVar[str] = "near"
    schema: ClassVar[dict[str, Any]] = Near.schema

    words: tuple[str, ...]
    chars: int
    ordered: bool = False
    pairs: frozenset[str] | None = BY_SOUND

    def phrases(self) -> tuple[str, ...]:
        """The words."""
        return self.words

    def sounds(self) -> frozenset[str] | None:
        """Confusion pairs, or None."""
        return self.pairs

    def hits(self, finds: list[Find], spoken: Spoken) -> list[Hit]:
        """The closest combination for each place of the first word."""
        by_slot = [[find for find in finds if find.slot == slot][:MAX_HITS] for slot in range(len(self.words))]
        hits: list[Hit] = []
        for first in by_slot[0]:
            best: tuple[int, tuple[Find, ...]] | None = None
            for others in product(*by_slot[1:]):
                length = self._length((first, *others), spoken)
                if length is not None and (best is None or length < best[0]):
                    best = length, (first, *others)
            if best is not None:
                hits.append(spoken.hit([(find.char_from, find.char_to) for find in best[1]]))
        return hits

    def _length(self, combination: tuple[Find, ...], spoken: Spoken) -> int | None:
        """Characters in between, or None when they are too far apart, overlap, or stand in the wrong order."""
        placed = sorted(combination, key=lambda find: find.char_from)
        if self.ordered and tuple(placed) != combination:
            return None
        gaps = 0
        for before, after in pairwise(placed):
            gap = spoken.distance(before, after)
            if gap > self.chars or after.char_from < before.char_to:
                return None
            gaps += gap
        return gaps
