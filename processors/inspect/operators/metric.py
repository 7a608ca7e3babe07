"""`metric`: a figure of the whole call, such as the share of silence, is above or below a limit.

    metric: {is: silence_share, more_than: 0.4}
    metric: {is: chars_per_min, of: agent, more_than: 300}      # over all that the agent has said

Judged at the end of the call, by the measurements that its scorecard shows. What should be found while the call goes on
is the business of `silence`, `hold`, `overlap`, `rate` and `talk_ratio`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from processors.inspect.call_metrics import Line, dump_line, load_line, metrics
from processors.inspect.call_metrics import observe as follow
from processors.inspect.operators.base import Call, Hit, Json, Measuring
from processors.inspect.operators.stretches import PARTIES, channel_of, read_party
from processors.inspect.reader import Node, Reader
from processors.records import CallEnded, CallMetrics, HoldChanged, Utterance


def _share(part_ms: int, whole: CallMetrics) -> float:
    return part_ms / whole.duration_ms if whole.duration_ms else 0.0


FIGURES: Final[dict[str, Callable[[CallMetrics, str], float]]] = {
    "silence_s": lambda call, of: call.silence_ms / 1000,
    "silence_share": lambda call, of: _share(call.silence_ms, call),
    "longest_silence_s": lambda call, of: call.longest_silence_ms / 1000,
    "hold_s": lambda call, of: call.hold_ms / 1000,
    "hold_share": lambda call, of: _share(call.hold_ms, call),
    "overlap_s": lambda call, of: call.overlap_ms / 1000,
    "overlap_share": lambda call, of: _share(call.overlap_ms, call),
    "overlaps": lambda call, of: float(call.overlaps),
    "utterances": lambda call, of: float(call.utterances),
    "talk_s": lambda call, of: call.talk_ms.get(of, 0) / 1000,
    "chars_per_min": lambda call, of: call.chars_per_min.get(of, 0.0),
}
"""Shares are of the length of the call, 0 to 1."""
OF_A_PARTY: Final = ("talk_s", "chars_per_min")


@dataclass(frozen=True, slots=True)
class Metric(Measuring):
    """A figure of the call at its end, more than one limit, less than another, or between both."""

    figure: str
    of: str = ""
    more_than: float | None = None
    less_than: float | None = None

    word = "metric"
    schema = {  # noqa: RUF012
        "type": "object",
        "properties": {
            "is": {"enum": list(FIGURES)},
            "of": {"enum": list(PARTIES)},
            "more_than": {"type": "number", "minimum": 0},
            "less_than": {"type": "number", "exclusiveMinimum": 0},
        },
        "required": ["is"],
        "anyOf": [{"required": ["more_than"]}, {"required": ["less_than"]}],
        "additionalProperties": False,
    }
    takes_role = False
    observes = (Utterance, HoldChanged, CallEnded)

    @classmethod
    def read(cls, node: Node, reader: Reader) -> Self | None:
        """From {is, of, more_than, less_than}."""
        found = reader.mapping(node, "metric", ("is", "of", "more_than", "less_than"), ("is",))
        if "is" not in found:
            return None
        figure = reader.choice(found["is"], "'is' of metric", tuple(FIGURES))
        of = ""
        if figure in OF_A_PARTY:
            of = read_party(found, "of", node, reader, f"metric with {figure}")
        elif "of" in found:
            reader.problem(found["of"], f"{figure} is a figure of the line, not of one party", "remove 'of'")
        limits = {key: reader.number(found[key], key, least=0) for key in ("more_than", "less_than") if key in found}
        if not limits:
            reader.problem(node, "metric needs 'more_than' or 'less_than'")
        more, less = limits.get("more_than"), limits.get("less_than")
        if more is not None and less is not None and less <= more:
            reader.problem(found["less_than"], "nothing is more than 'more_than' and less than this")
        if figure.endswith("_share") and max(limits.values(), default=0) > 1:
            reader.problem(node, f"{figure} is between 0 and 1")
        return cls(figure, of, more, less)

    def role_of(self) -> str:
        return "line"

    def start(self, call: Call) -> Json:
        """What is known of the line, as `call_metrics` writes it."""
        return dump_line(Line())

    def observe(self, memory: Any, record: Any, call: Call) -> tuple[Json, list[Hit]]:
        line = load_line(memory)
        seen = follow(line, record, call)
        new: Json = memory if seen is line else dump_line(seen)
        if not call.ended or (self.of and not any(role == self.of for role in call.roles)):
            return new, []
        value = FIGURES[self.figure](metrics(seen, call), self.of)
        spoken = self.figure != "chars_per_min" or value > 0  # who says nothing is not slow
        enough = self.more_than is None or value > self.more_than
        if not (spoken and enough and (self.less_than is None or value < self.less_than)):
            return new, []
        channel = channel_of(call, self.of) if self.of else -1
        return new, [Hit(0, call.call_ms, channel=channel, role=self.of, value=round(value, 4))]
