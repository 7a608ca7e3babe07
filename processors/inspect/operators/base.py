"""What an operator is: one way to find something in a call, as a small pure machine from records to hits.

Two kinds. A **text operator** names phrases and regular expressions; `phrases` finds all of them for all rules in one
pass, and the operator turns the finds of one utterance into hits. A **measuring operator** observes the records of the
timeline and carries a small memory of plain JSON values. Neither knows rules, windows, logic or violations (`logic`
does), reads a clock, or keeps anything outside its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, TypeAlias

from processors.inspect.reader import Node, Reader
from processors.records import (
    AgentJoined,
    CallEnded,
    CallStarted,
    EmotionPoint,
    HoldChanged,
    MediaGap,
    Partial,
    SpeakerCheck,
    Tick,
    Utterance,
)

if TYPE_CHECKING:
    from processors.inspect.spoken import Spoken
    from processors.inspect.tree import Condition

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""Memory of a machine. It must survive JSON unchanged (lists, not tuples) and is never changed in place."""

TimelineRecord: TypeAlias = (
    CallStarted | Partial | Utterance | Tick | SpeakerCheck | HoldChanged | AgentJoined | MediaGap | CallEnded
)
Observed: TypeAlias = TimelineRecord | EmotionPoint
"""What measuring operators see: the timeline, and the emotion points computed from it just before."""

Encoder: TypeAlias = Callable[[list[str]], Any]
"""Sentences to unit vectors, an array of shape (n, d)."""

LINE = -1
"""Channel of something that concerns the line as a whole."""


class Part(NamedTuple):
    """A stretch of words behind a hit; char_from and char_to count in the utterance's text."""

    channel: int
    utterance_no: int
    start_ms: int
    end_ms: int
    char_from: int = -1
    char_to: int = -1
    quote: str = ""


class Hit(NamedTuple):
    """A leaf condition holds here. Times are call time; the hit begins at start_ms and ends at end_ms."""

    start_ms: int
    end_ms: int
    channel: int = LINE
    role: str = ""
    """agent, customer, mixed, or '' for the line."""
    utterance_no: int = -1
    """Utterance to which the hit belongs, -1 without."""
    turn: int = -1
    """Turn of that utterance; the engine fills it in for hits of measuring operators."""
    provisional: bool = False
    """Seen in a partial: the utterance will replace it. The engine sets it."""
    value: float | None = None
    """Measurement, in the unit of the operator."""
    parts: tuple[Part, ...] = ()
    """The words; empty for measurements."""


class Call(NamedTuple):
    """What is known about the call when a record arrives (the record is already counted in)."""

    call_id: str
    at_ms: int
    """Start of the call, UTC epoch."""
    lane: str
    direction: str
    scenario: str
    queue: str
    team_id: str
    agent_id: str
    customer_id: str
    language: str
    roles: tuple[str, ...]
    """Role of each channel."""
    attributes: Mapping[str, str] = {}
    call_ms: int = 0
    """Latest call time seen in a Tick, an Utterance or CallEnded."""
    final_until_ms: tuple[int, ...] = ()
    """By channel: everything that starts before this is transcribed for good."""
    held: bool = False
    ended: bool = False
    turn: int = -1
    """Number of the latest turn: it grows when another channel speaks (a mixed channel: with each utterance)."""

    def later(self, call_ms: int, turn: int, final_until_ms: tuple[int, ...]) -> Call:
        """The call as it is further on. Spelled out, since this is done for every record and `replace` is slow."""
        return Call(
            self.call_id, self.at_ms, self.lane, self.direction, self.scenario, self.queue, self.team_id,
            self.agent_id, self.customer_id, self.language, self.roles, self.attributes, call_ms, final_until_ms,
            self.held, self.ended, turn,
        )  # fmt: skip

    def channels(self, role: str) -> tuple[int, ...]:
        """Channels on which `role` may speak ('' or 'line': all). On a mixed channel anybody may."""
        return _channels(self.roles, role)

    def frontier_ms(self, role: str = "") -> int:
        """Call time up to which everything of `role` ('' or 'line': of all) is transcribed for good."""
        if self.ended:
            return self.call_ms
        if role in ("", "line") and len(self.final_until_ms) == len(self.roles) > 0:
            return min(self.final_until_ms)
        return min((self.final_until_ms[i] for i in self.channels(role)), default=self.call_ms)


@lru_cache(maxsize=256)  # every measuring operator asks for each record; calls have few kinds of lines
def _channels(roles: tuple[str, ...], role: str) -> tuple[int, ...]:
    return tuple(i for i, r in enumerate(roles) if role in ("", "line", r) or r == "mixed")


class Operator:
    """Base of all operators: a frozen dataclass of its parameters. Equal operators are compiled once and shared."""

    word: ClassVar[str]
    """As written in rules."""
    schema: ClassVar[dict[str, Any]]
    """JSON Schema of the argument."""
    takes_role: ClassVar[bool] = True
    """Whether the modifier `role` and the scope's role filter the hits; false for those with `of` or `by`."""
    placed: ClassVar[bool] = True
    """Whether hits have a place in the call; false for facts about the call as a whole, such as its attributes."""

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self | None:
        """The operator from its argument; problems go to `reader` (then any result, or None)."""
        raise NotImplementedError

    @property
    def lag_ms(self) -> int:
        """How long after its start a hit may become known beyond the frontier (a silence of 8 s: 8,000)."""
        return 0

    def prepared(self, encoder: Encoder | None) -> Operator:
        """The operator as it runs, made once when a rule set is compiled; it may encode its sentences."""
        return self

    def role_of(self) -> str:
        """Role whose transcript an absence waits for; '' leaves it to the modifier `role`."""
        return ""


class Measuring(Operator):
    """An operator that watches records. Hits returned on a Partial are provisional until its Utterance comes."""

    observes: ClassVar[tuple[type[Any], ...]]
    """Types of records for which `observe` is called, for example (Utterance, Tick)."""

    def start(self, call: Call) -> Json:
        """Memory at the start of the call."""
        return None

    def observe(self, memory: Json, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        """New memory and the hits that this record proves. Each hit is returned once, when it is certain."""
        raise NotImplementedError


class Find(NamedTuple):
    """A phrase or pattern found in one text: characters [char_from, char_to) of the joined text (see `speech`)."""

    slot: int
    """Index of the phrase within its operator."""
    char_from: int
    char_to: int


class Text(Operator):
    """An operator over the words of one utterance. It gives phrases or patterns to the common automata."""

    @property
    def partials(self) -> bool:
        """Whether partials are looked at; false waits for the finished utterance."""
        return True

    @property
    def every(self) -> bool:
        """Whether `hits` is wanted for every finished utterance, with or without finds."""
        return False

    def phrases(self) -> tuple[str, ...]:
        """Phrases to look for, in the order of their slots."""
        return ()

    def spares(self) -> tuple[str, ...]:
        """Phrases that take finds away; their slots follow. They are never suspected: they count as heard only."""
        return ()

    def sounds(self) -> frozenset[str] | None:
        """Confusion pairs under which phrases match by sound; None: by character only."""
        return None

    def patterns(self) -> tuple[tuple[str, bool], ...]:
        """Regular expressions to look for: (pattern, on the written form)."""
        return ()

    def hits(self, finds: list[Find], spoken: Spoken) -> list[Hit]:
        """Hits in one text, from all finds of the operator in it."""
        raise NotImplementedError


class Combining(Operator):
    """An operator that is short for a combination of other conditions."""

    @classmethod
    def condition(cls, node: Node, reader: Reader, role: str, nested: Nested) -> Condition | None:
        """The combination, read from the argument; `role` is the role in force."""
        raise NotImplementedError


class Nested(Protocol):
    """Reads a condition inside an operator; `anchored`: there is something that windows can refer to."""

    def __call__(self, node: Node, *, anchored: bool) -> Condition | None: ...
