"""`said`: words are spoken in one utterance.

said: [保证下款, 包过]                          # short for {any: [...]}
said: {any: [保证下款, 包过], homophones: false}  # only as written
said: {all: [利率, 浮动]}                       # each of them in one utterance
said: {at_least: 2, of: [姓名, 电话, 地址]}      # two different ones
said: {none: [您, 请]}                          # a finished utterance without any of them
said: {any: [保证下款], except: [不能保证, 不保证]}   # not where one of these overlaps it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from processors.inspect.operators.base import Find, Hit, Text
from processors.inspect.reader import MAX_LIST, Node, Reader, describe, nearest, scalar
from processors.inspect.sounds import CONFUSIONS, normal

if TYPE_CHECKING:
    from processors.inspect.spoken import Spoken

MAX_HITS = 8
"""Occurrences in one utterance that are kept."""
BY_SOUND: Final[frozenset[str]] = frozenset()
"""How phrases match when a rule says nothing: by toneless syllable, without pairs, and as a model mishears them."""
KINDS = ("any", "all", "none", "of")

PHRASES: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"type": ["string", "number"]}}
HOMOPHONES: dict[str, Any] = {
    "oneOf": [{"type": "boolean"}, {"type": "array", "items": {"enum": list(CONFUSIONS)}}],
    "description": "Match by sound (the default) or, when false, by character; a list names pairs that count as equal.",
}


@dataclass(frozen=True, slots=True)
class Said(Text):
    """`least` different phrases of `wanted` are in one utterance; 0: none of them is."""

    word: ClassVar[str] = "said"
    schema: ClassVar[dict[str, Any]] = {
        "oneOf": [
            PHRASES,
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "any": PHRASES,
                    "all": PHRASES,
                    "none": PHRASES,
                    "of": PHRASES,
                    "at_least": {"type": "integer", "minimum": 1},
                    "homophones": HOMOPHONES,
                    "on": {"enum": ["partial", "final"]},
                    "except": PHRASES,
                },
            },
        ]
    }

    wanted: tuple[str, ...]
    least: int = 1
    pairs: frozenset[str] | None = BY_SOUND
    on: Literal["partial", "final"] = "partial"
    spared: tuple[str, ...] = ()
    """Where one of these overlaps a phrase, the phrase was not said: 不能保证下款 promises nothing."""

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self | None:
        """From a list or {any|all|none|at_least+of: [...], except, homophones, on}."""
        return cls.read_as(cls.word, node, reader)

    @classmethod
    def read_as(cls, what: str, node: Node, reader: Reader) -> Self | None:
        """The same under the name of another operator, for what is wrong with it."""
        if not hasattr(node, "value") or isinstance(node.value, str):
            reader.problem(node, f"'{what}' must be a list of phrases or a mapping, not {describe(node)}")
            return None
        if not node.value or not isinstance(node.value[0], tuple):
            return cls(read_phrases(node, reader, f"'{what}'"))
        found = reader.mapping(node, f"'{what}'", (*KINDS, "at_least", "except", "homophones", "on"))
        kinds = [kind for kind in KINDS if kind in found]
        if len(kinds) != 1:
            given = " and ".join(f"'{kind}'" for kind in kinds) or "none of them"
            reader.problem(node, f"'{what}' needs exactly one of any, all, none, of; it has {given}")
            return None
        kind = kinds[0]
        phrases = read_phrases(found[kind], reader, f"'{kind}' of '{what}'")
        least = {"any": 1, "all": len(phrases), "none": 0}.get(kind, 1)
        if kind == "of":
            if "at_least" not in found:
                reader.problem(node, f"'of' in '{what}' needs 'at_least'")
            else:
                least = reader.count(found["at_least"], f"'at_least' of '{what}'")
                if phrases and least > len(phrases):
                    reader.problem(
                        found["at_least"], f"'at_least' is {least}, but 'of' has only {len(phrases)} phrases"
                    )
        elif "at_least" in found:
            reader.problem(found["at_least"], f"'at_least' of '{what}' goes with 'of', not with '{kind}'")
        pairs = read_homophones(found["homophones"], reader) if "homophones" in found else BY_SOUND
        on = reader.choice(found["on"], f"'on' of '{what}'", ("partial", "final")) if "on" in found else "partial"
        if "on" in found and on == "partial" and kind == "none":
            reader.problem(found["on"], "that words are missing is known when the utterance is finished", "on: final")
        spared = read_phrases(found["except"], reader, f"'except' of '{what}'") if "except" in found else ()
        for item in found["except"].value if set(spared) & set(phrases) else []:
            if scalar(item).strip() in phrases:
                message = f"{describe(item)} is both wanted and excepted, so it is never found"
                reader.problem(item, message, "remove it from one of the lists")
        if not phrases:
            return None
        return cls(phrases, least, pairs, "final" if on == "final" else "partial", spared)

    @property
    def partials(self) -> bool:
        """That words are missing is known only when the utterance is finished."""
        return self.on == "partial" and self.least > 0

    @property
    def every(self) -> bool:
        """Utterances without any find matter to `none`."""
        return self.least == 0

    def phrases(self) -> tuple[str, ...]:
        """All phrases."""
        return self.wanted

    def spares(self) -> tuple[str, ...]:
        """Those that deny one."""
        return self.spared

    def sounds(self) -> frozenset[str] | None:
        """Confusion pairs, or None."""
        return self.pairs

    def hits(self, finds: list[Find], spoken: Spoken) -> list[Hit]:
        """`any`: one hit for each occurrence; `all`, `at_least`: one over the first occurrences; `none`: the whole."""
        if self.spared:
            finds = self._meant(finds)
        if self.least == 0:
            own = [find for find in finds if find.char_from >= spoken.offset]
            return [] if own or not spoken.final or not spoken.record.text else [spoken.whole()]
        if self.least == 1:
            return [spoken.hit([(find.char_from, find.char_to)]) for find in apart(finds)[:MAX_HITS]]
        firsts: dict[int, Find] = {}
        for find in finds:
            firsts.setdefault(find.slot, find)
        if len(firsts) < self.least:
            return []
        spans = sorted((find.char_from, find.char_to) for find in firsts.values())
        return [spoken.hit(spans[:MAX_HITS])]

    def _meant(self, finds: list[Find]) -> list[Find]:
        """Finds of wanted phrases that no spared one overlaps."""
        spared = [find for find in finds if find.slot >= len(self.wanted)]
        return [
            find
            for find in finds
            if find.slot < len(self.wanted)
            and not any(find.char_from < other.char_to and other.char_from < find.char_to for other in spared)
        ]


SEPARATORS: Final = "，、；,;|/"
"""What people write between phrases, where YAML takes a half-width comma outside quotes only."""


def read_phrases(node: Node, reader: Reader, what: str) -> tuple[str, ...]:
    """A list of phrases with something to hear in each."""
    phrases = reader.texts(node, what)
    for item in node.value[:MAX_LIST] if phrases else []:
        text = scalar(item).strip()
        if text and not normal(text):
            reader.problem(item, f"{describe(item)} has no character that can be heard")
        elif any(mark in text[1:-1] for mark in SEPARATORS):
            message = f"{describe(item)} is one phrase, in which marks do not count"
            reader.problem(item, message, "separate phrases by a half-width ', '", warning=True)
        elif "*" in text:
            message = f"{describe(item)} is no pattern: marks in a phrase do not count"
            reader.problem(item, message, "use 'matches' for patterns", warning=True)
    return phrases


def read_homophones(node: Node, reader: Reader) -> frozenset[str] | None:
    """true, false, or a list of confusion pairs in either order."""
    if not isinstance(node.value, list):
        return frozenset() if reader.flag(node, "'homophones'") else None
    pairs = set()
    for item in reader.items(node, "'homophones'"):
        first, _, second = reader.text(item, "a pair of 'homophones'").partition("/")
        pair = next((pair for pair in (f"{first}/{second}", f"{second}/{first}") if pair in CONFUSIONS), "")
        if pair:
            pairs.add(pair)
        else:
            reader.problem(item, f"no confusion pair {describe(item)}", nearest(scalar(item), CONFUSIONS))
    return frozenset(pairs)


def apart(finds: list[Find]) -> list[Find]:
    """Finds that do not overlap: of two that do, the one that begins first, then the longer one."""
    kept: list[Find] = []
    for find in finds:
        if not kept or find.char_from >= kept[-1].char_to:
            kept.append(find)
    return kept
