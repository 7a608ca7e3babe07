"""`similar`: an utterance means nearly the same as one of the given sentences.

    similar: {to: [我要投诉你们, 我要向监管部门反映], at_least: 0.6}

Nearness is calibrated for each set of sentences against background sentences, so that a threshold means the same
everywhere: one background sentence in a hundred reaches 0.5, one in a thousand 0.8, and 1 is the sentence itself. The
sentences are encoded once, when the rule set is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, Self

from processors.inspect.operators.base import Call, Encoder, Hit, Json, Measuring, Operator
from processors.inspect.reader import Node, Reader
from processors.inspect.similarity import Similar as Calibrated
from processors.inspect.similarity import calibrate, load_background
from processors.inspect.spoken import Spoken
from processors.records import Utterance
from processors.runtime.errors import UserError

DEFAULT: Final = 0.6
MAX_SENTENCES: Final = 50
LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Similar(Measuring):
    """Calibrated nearness of at least `at_least` to one of the sentences."""

    word: ClassVar[str] = "similar"
    observes: ClassVar[tuple[type[Any], ...]] = (Utterance,)
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["to"],
        "properties": {
            "to": {"type": "array", "minItems": 1, "maxItems": MAX_SENTENCES, "items": {"type": "string"}},
            "at_least": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        },
    }

    to: tuple[str, ...]
    at_least: float = DEFAULT
    calibrated: Calibrated | None = field(default=None, compare=False, repr=False)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self | None:
        """From {to, at_least}."""
        found = reader.mapping(node, "'similar'", ("to", "at_least"), ("to",))
        sentences = reader.texts(found["to"], "'to' of 'similar'", longest=LONGEST) if "to" in found else ()
        if len(sentences) > MAX_SENTENCES:
            reader.problem(found["to"], f"'to' has {len(sentences)} sentences, at most {MAX_SENTENCES} are allowed")
        least = DEFAULT
        if "at_least" in found:
            least = reader.number(found["at_least"], "'at_least' of 'similar'", above=0, most=1, default=DEFAULT)
        return cls(sentences[:MAX_SENTENCES], least) if sentences else None

    def prepared(self, encoder: Encoder | None) -> Operator:
        """With the sentences encoded and calibrated; UserError without an encoder."""
        if encoder is None:
            raise UserError(
                "a rule uses 'similar', but no sentence encoder is configured: set TINGJIAN_SENTENCE_ENCODER"
            )
        return replace(self, calibrated=calibrate(encoder(list(self.to)), load_background()))

    def observe(self, memory: Json, record: Utterance, call: Call) -> tuple[Json, list[Hit]]:
        """No memory."""
        if record.meaning is None or not record.meaning.vector or self.calibrated is None:
            return memory, []
        score = self.calibrated.score(record.meaning.vector)
        if score < self.at_least:
            return memory, []
        spoken = Spoken(record, call.turn, None)
        return memory, [spoken.hit([(0, len(record.text))], round(score, 4))]
