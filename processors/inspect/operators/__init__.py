"""All operators of the rule language: one file and one class each, and this one table."""

from __future__ import annotations

from processors.inspect.operators.attribute import Attribute
from processors.inspect.operators.base import Operator
from processors.inspect.operators.duration import Duration
from processors.inspect.operators.emotion import Emotion
from processors.inspect.operators.entity import EntityOperator
from processors.inspect.operators.hold import Hold
from processors.inspect.operators.intent import Intent
from processors.inspect.operators.level import Level
from processors.inspect.operators.matches import Matches
from processors.inspect.operators.metric import Metric
from processors.inspect.operators.must_say import MustSay
from processors.inspect.operators.near import Near
from processors.inspect.operators.overlap import Overlap
from processors.inspect.operators.rate import Rate
from processors.inspect.operators.repeated import Repeated
from processors.inspect.operators.response_time import ResponseTime
from processors.inspect.operators.rule import RuleOperator
from processors.inspect.operators.said import Said
from processors.inspect.operators.sequence import Sequence
from processors.inspect.operators.silence import Silence
from processors.inspect.operators.similar import Similar
from processors.inspect.operators.speaker import Speaker
from processors.inspect.operators.talk_ratio import TalkRatio

ALL: tuple[type[Operator], ...] = (
    Attribute,
    Duration,
    Emotion,
    EntityOperator,
    Hold,
    Intent,
    Level,
    Matches,
    Metric,
    MustSay,
    Near,
    Overlap,
    Rate,
    Repeated,
    ResponseTime,
    RuleOperator,
    Said,
    Sequence,
    Silence,
    Similar,
    Speaker,
    TalkRatio,
)

OPERATORS: dict[str, type[Operator]] = {operator.word: operator for operator in ALL}
