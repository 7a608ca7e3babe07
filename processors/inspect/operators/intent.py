"""`intent`: what an utterance wants, by the scores that `speech` measured.

    intent: {is: [complaint, cancel_service], at_least: 0.6}

An utterance whose best score among the named intents reaches the threshold is a hit. Utterances without a measured
meaning (overload, or no encoder configured) never are; the call's coverage says how many those were.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, ClassVar, Final, Self

from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.reader import Node, Reader
from processors.inspect.spoken import Spoken
from processors.records import Utterance

DEFAULT: Final = 0.6


@cache
def known_intents() -> tuple[str, ...]:
    """Intents of the shipped meaning model."""
    text = (resources.files("processors.inspect") / "vocabulary" / "intents.txt").read_text(encoding="utf-8")
    return tuple(text.split())


@dataclass(frozen=True, slots=True)
class Intent(Measuring):
    """One of `names` scores at least `at_least`."""

    word: ClassVar[str] = "intent"
    observes: ClassVar[tuple[type[Any], ...]] = (Utterance,)
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["is"],
        "properties": {
            "is": {
                "oneOf": [{"enum": list(known_intents())}, {"type": "array", "items": {"enum": list(known_intents())}}]
            },
            "at_least": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        },
    }

    names: tuple[str, ...]
    at_least: float = DEFAULT

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self | None:
        """From {is, at_least}."""
        found = reader.mapping(node, "'intent'", ("is", "at_least"), ("is",))
        names = reader.choices(found["is"], "an intent", known_intents()) if "is" in found else ()
        least = DEFAULT
        if "at_least" in found:
            least = reader.number(found["at_least"], "'at_least' of 'intent'", above=0, most=1, default=DEFAULT)
        return cls(names, least) if names else None

    def observe(self, memory: Json, record: Utterance, call: Call) -> tuple[Json, list[Hit]]:
        """No memory."""
        if record.meaning is None:
            return memory, []
        best = max(record.meaning.intents.get(name, 0.0) for name in self.names)
        if best < self.at_least:
            return memory, []
        spoken = Spoken(record, call.turn, None)
        return memory, [spoken.hit([(0, len(record.text))], round(float(best), 4))]
