"""Examples of rules: small calls written as text, as records of the timeline.

    says: ["agent 12.0 我们保证下款", "customer 14-16 {level_db: -6} 真的吗", "hold 20-80", "end 300"]

The records go through the same engine as those of a call: utterances with token times at their close, a tick each
second that says what is transcribed for good. Pure text to records; who compares the outcome is `trial`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import yaml

from processors.inspect.operators.base import Encoder, TimelineRecord
from processors.inspect.operators.intent import known_intents
from processors.inspect.reader import Node, Reader, clip, describe, nearest, scalar
from processors.records import (
    Acoustics,
    CallEnded,
    CallStarted,
    ChannelTick,
    Coverage,
    Direction,
    HoldChanged,
    Meaning,
    Role,
    SpeakerCheck,
    Tick,
    Token,
    Utterance,
)

MS_PER_CHAR: Final = 250
TRAILING_MS: Final = 2_000
MAX_LINES: Final = 200
MAX_CALL_MS: Final = 4 * 3_600_000
AT_MS: Final = 1_767_578_400_000
"""Start of an example's call when the rule's time of effect does not say otherwise: 2026-01-05, 10:00 in China."""
BASE_PITCH_HZ: Final = 200.0
LEVEL_DB: Final = -26.0
VOICE_THRESHOLD: Final = 0.7
ROLES: Final = ("agent", "customer", "mixed")
MEASURES: Final = (
    "level_db", "pitch_hz", "pitch_st", "pitch_range_st", "chars_per_min", "confidence", "sentiment", "intents",
    "voiceprint",
)  # fmt: skip
KEYS: Final = ("says", "scenario", "queue", "team", "direction", "attributes", "name")
DIRECTIONS: Final[tuple[Direction, ...]] = ("inbound", "outbound", "internal", "unknown")
_TIME = r"(\d{1,6}(?:\.\d{1,3})?)"
_SPAN = re.compile(rf"{_TIME}(?:-{_TIME})?")
_LINE = re.compile(r"(\S+)\s+(\S+)(?:\s+(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}))?(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance of an example."""

    role: Role
    start_ms: int
    end_ms: int
    text: str
    measures: tuple[tuple[str, float], ...] = ()
    intents: tuple[tuple[str, float], ...] = ()
    given_end: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A small call and what the rule must find in it: nothing (False), something (True), or at these seconds."""

    lines: tuple[Line, ...]
    holds: tuple[tuple[int, int], ...]
    end_ms: int
    hit: bool | tuple[float, ...]
    at: tuple[str, int, int]
    """File, line, column."""
    scenario: str = ""
    queue: str = ""
    team: str = ""
    direction: Direction = "unknown"
    attributes: tuple[tuple[str, str], ...] = ()
    name: str = ""
    at_ms: int = AT_MS


@dataclass(slots=True)
class _Script:
    lines: list[Line] = field(default_factory=list)
    holds: list[tuple[int, int]] = field(default_factory=list)
    end_ms: int = -1


def read_examples(
    node: Node, reader: Reader, from_ms: int | None = None, until_ms: int | None = None
) -> tuple[Example, ...]:
    """The examples of a rule that takes effect between the two times."""
    at_ms = _begins(from_ms, until_ms)
    made = [
        _example(item, reader, at_ms, reader.mapping(item, "an example", (*KEYS, "hit"), ("says", "hit")))
        for item in reader.items(node, "'examples'")
    ]
    return tuple(example for example in made if example is not None)


def read_calls(
    node: Node,
    reader: Reader,
    of: str,
    promises: Sequence[str],
    needed: Sequence[str] = (),
    from_ms: int | None = None,
    until_ms: int | None = None,
) -> list[tuple[Example, dict[str, Node]]]:
    """Examples that promise something else than `hit`: each call, and what stands beside it, not read yet.

    `of` is what they are examples of; `needed` are the promises that each must make.
    """
    at_ms = _begins(from_ms, until_ms)
    made = []
    for item in reader.items(node, "'examples'"):
        found = reader.mapping(item, f"an example of a {of}", (*KEYS, *promises), ("says", *needed))
        call = _example(item, reader, at_ms, found, promised=needed)
        if call is not None:
            made.append((call, found))
    return made


def _begins(from_ms: int | None, until_ms: int | None) -> int:
    """When the call of an example begins: while what it proves is in effect."""
    return from_ms if from_ms is not None else AT_MS if until_ms is None else until_ms - 86_400_000


def _example(
    node: Node, reader: Reader, at_ms: int, found: dict[str, Node], promised: Sequence[str] = ("hit",)
) -> Example | None:
    if "says" not in found or any(name not in found for name in promised):
        return None
    before = len(reader.problems)
    script = _Script()
    nodes = reader.items(found["says"], "'says'")
    if len(nodes) > MAX_LINES:
        reader.problem(found["says"], f"an example has {len(nodes)} lines, at most {MAX_LINES} are allowed")
    for item in nodes[:MAX_LINES]:
        _line(item, reader, script)
    lines = _without_overlap(found["says"], reader, script.lines)
    last_ms = max([line.end_ms for line in lines] + [end for _, end in script.holds], default=0)
    if 0 <= script.end_ms < max((line.end_ms for line in lines), default=0):
        reader.problem(found["says"], "the call ends before its last line does")
    for (_, end_ms), (start_ms, _) in pairwise(sorted(script.holds)):
        if start_ms < end_ms:
            reader.problem(found["says"], f"a hold begins at {start_ms / 1000:g} s, while the call is on hold")
    if 0 <= script.end_ms < max((end for _, end in script.holds), default=0):
        reader.problem(found["says"], "the call ends before its last hold does")
    hit = _hit(found["hit"], reader) if "hit" in found else False
    end_ms = script.end_ms if script.end_ms >= 0 else last_ms + TRAILING_MS
    if not isinstance(hit, bool) and hit[-1:] and hit[-1] * 1000 > end_ms:
        reader.problem(found["hit"], f"'hit' is at {hit[-1]:g} s, but the call ends at {end_ms / 1000:g} s")
    words = {
        key: reader.text(found[key], f"'{key}'", empty=True) if key in found else ""
        for key in ("scenario", "queue", "team", "name")
    }
    direction: Direction = "unknown"
    if "direction" in found:
        chosen = reader.choice(found["direction"], "'direction'", DIRECTIONS, "unknown")
        direction = next(one for one in DIRECTIONS if one == chosen)
    attributes = [
        (key, reader.text(value, f"the attribute '{key}'", empty=True))
        for key, _, value in (reader.pairs(found["attributes"], "'attributes'") if "attributes" in found else [])
    ]
    if len(reader.problems) > before:
        return None
    place = reader.place(node)
    return Example(
        tuple(lines),
        tuple(script.holds),
        end_ms,
        hit,
        (place.file, place.line, place.column),
        words["scenario"],
        words["queue"],
        words["team"],
        direction,
        tuple(attributes),
        words["name"],
        at_ms,
    )


def _hit(node: Node, reader: Reader) -> bool | tuple[float, ...]:
    if isinstance(node, yaml.SequenceNode):
        return tuple(sorted(reader.number(item, "'hit'", least=0) for item in reader.items(node, "'hit'")))
    if isinstance(node, yaml.ScalarNode) and node.style is None:
        value = scalar(node).lower()
        if value in ("true", "false"):
            return value == "true"
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return (float(value),)
    reader.problem(node, f"'hit' must be true, false, a second or a list of seconds, not {describe(node)}")
    return False


def _line(node: Node, reader: Reader, script: _Script) -> None:
    text = reader.text(node, "a line of 'says'")
    match = _LINE.fullmatch(text)
    if match is None:
        if text:
            reader.problem(node, f"a line must be 'ROLE START[-END] TEXT', not '{clip(text)}'")
        return
    head, times, braces, words = match[1], match[2], match[3], (match[4] or "").strip()
    if head not in (*ROLES, "hold", "end"):
        reader.problem(node, f"no role '{clip(head)}'", nearest(head, (*ROLES, "hold", "end")))
        return
    span = _span(node, reader, times)
    if span is None:
        return
    start_ms, end_ms = span
    if head == "end":
        if end_ms is not None or words or script.end_ms >= 0:
            reader.problem(node, "'end' takes one time, and stands once")
        script.end_ms = start_ms
    elif head == "hold":
        if end_ms is None or words:
            reader.problem(node, "'hold' takes two times, for example 'hold 20-80'")
        else:
            script.holds.append((start_ms, end_ms))
    elif not words:
        reader.problem(node, f"the line '{clip(text)}' says nothing")
    elif words.startswith("{"):
        reader.problem(node, f"the measurements of '{clip(text)}' have no closing brace")
    else:
        measures, intents = _measures(node, reader, braces) if braces else ((), ())
        end = end_ms if end_ms is not None else start_ms + MS_PER_CHAR * len(words)
        role: Role = "agent" if head == "agent" else "customer" if head == "customer" else "mixed"
        script.lines.append(Line(role, start_ms, end, words, measures, intents, end_ms is not None))


def _span(node: Node, reader: Reader, times: str) -> tuple[int, int | None] | None:
    match = _SPAN.fullmatch(times)
    if match is None:
        reader.problem(node, f"'{clip(times)}' is no time: seconds like 12.0, or 12.0-14.5")
        return None
    start_ms = round(float(match[1]) * 1000)
    end_ms = round(float(match[2]) * 1000) if match[2] else None
    if end_ms is not None and end_ms <= start_ms:
        reader.problem(node, f"'{times}' ends before it begins")
        return None
    if max(start_ms, end_ms or 0) > MAX_CALL_MS:
        reader.problem(node, f"'{times}' is later than {MAX_CALL_MS // 3_600_000} hours")
        return None
    return start_ms, end_ms


def _measures(
    node: Node, reader: Reader, braces: str
) -> tuple[tuple[tuple[str, float], ...], tuple[tuple[str, float], ...]]:
    from processors.inspect.yaml_nodes import documents

    inner = Reader(reader.file)
    docs = documents(inner, braces)
    values: list[tuple[str, float]] = []
    intents: list[tuple[str, float]] = []
    if docs and not inner.problems:
        found = inner.mapping(docs[0], "the measurements of a line", MEASURES)
        for key, value in found.items():
            if key == "intents":
                measured = inner.mapping(value, "'intents'", known_intents())
                intents = [
                    (name, inner.number(at, f"the intent '{name}'", least=0, most=1)) for name, at in measured.items()
                ]
            else:
                values.append((key, inner.number(value, f"'{key}'", least=-1_000, most=10_000)))
    for problem in inner.problems:
        reader.problem(node, problem.message, problem.hint)
    return tuple(values), tuple(intents)


def _without_overlap(node: Node, reader: Reader, lines: Sequence[Line]) -> list[Line]:
    """Lines in order of time; a line without END gives way to the next one of the same role."""
    ordered = sorted(lines, key=lambda line: (line.start_ms, line.end_ms))
    kept: list[Line] = []
    for index, line in enumerate(ordered):
        after = next((other for other in ordered[index + 1 :] if other.role == line.role), None)
        if after is not None and after.start_ms < line.end_ms:
            if line.given_end or after.start_ms <= line.start_ms:
                reader.problem(node, f"two lines of {line.role} at {after.start_ms / 1000:g} s")
                continue
            line = Line(line.role, line.start_ms, after.start_ms, line.text, line.measures, line.intents)
        kept.append(line)
    return kept


def timeline(example: Example, call_id: str = "example", encoder: Encoder | None = None) -> list[TimelineRecord]:
    """The records of the example's call, in the order in which `speech` would write them; with `encoder` the
    utterances have the vector of their meaning."""
    vectors = [b""] * len(example.lines)
    if encoder is not None and example.lines:
        rows = encoder([line.text for line in example.lines])
        vectors = [row.astype("<f2").tobytes() for row in rows]
    roles: tuple[Role, ...] = ("agent", "customer")
    if any(line.role == "mixed" for line in example.lines):
        roles = ("mixed",) if all(line.role == "mixed" for line in example.lines) else ("agent", "customer", "mixed")
    started = CallStarted(
        call_id=call_id,
        at_ms=example.at_ms,
        lane="recordings",
        channels=roles,
        direction=example.direction,
        scenario=example.scenario,
        queue=example.queue,
        team_id=example.team,
        agent_id="example-agent",
        attributes=dict(example.attributes),
        door="example",
    )
    timed: list[tuple[int, int, TimelineRecord]] = []
    numbers = dict.fromkeys(roles, 0)
    for line, vector in zip(example.lines, vectors, strict=True):
        channel = roles.index(line.role)
        utterance = _utterance(call_id, channel, numbers[line.role], line, example.at_ms, vector)
        timed.append((line.end_ms, 0, utterance))
        numbers[line.role] += 1
        for name, value in line.measures:
            if name == "voiceprint":
                timed.append((line.end_ms, 1, _check(call_id, channel, line, value)))
    for start_ms, end_ms in example.holds:
        timed.append((start_ms, 2, HoldChanged(call_id=call_id, call_ms=start_ms, held=True)))
        timed.append((end_ms, 2, HoldChanged(call_id=call_id, call_ms=end_ms, held=False)))
    for call_ms in range(1000, example.end_ms + 1, 1000):
        timed.append((call_ms, 3, _tick(call_id, roles, example, call_ms)))
    timed = [one for one in timed if one[0] <= example.end_ms]
    timed.sort(key=lambda one: one[:2])
    whole_ms = example.end_ms * len(roles)
    ended = CallEnded(
        call_id=call_id,
        call_ms=example.end_ms,
        at_ms=example.at_ms + example.end_ms,
        coverage=Coverage(audio_ms=whole_ms, transcribed_ms=whole_ms),
    )
    return [started, *(record for _, _, record in timed), ended]


def _utterance(call_id: str, channel: int, number: int, line: Line, at_ms: int, vector: bytes) -> Utterance:
    values = dict(line.measures)
    length, count = line.end_ms - line.start_ms, len(line.text)
    confidence = values.get("confidence", 0.95)
    tokens = tuple(
        Token(
            text=character,
            start_ms=line.start_ms + length * index // count,
            end_ms=line.start_ms + length * (index + 1) // count,
            confidence=confidence,
        )
        for index, character in enumerate(line.text)
    )
    pitch_hz = values.get("pitch_hz", BASE_PITCH_HZ * 2 ** (values.get("pitch_st", 0.0) / 12))
    meaning = None
    if "sentiment" in values or line.intents or vector:
        meaning = Meaning(sentiment=values.get("sentiment", 0.0), intents=dict(line.intents), vector=vector)
    return Utterance(
        utterance_id=f"{call_id}/{channel}/{number}",
        call_id=call_id,
        channel=channel,
        role=line.role,
        utterance_no=number,
        start_ms=line.start_ms,
        end_ms=line.end_ms,
        text=line.text,
        written=line.text,
        tokens=tokens,
        confidence=confidence,
        acoustics=Acoustics(
            level_db=values.get("level_db", LEVEL_DB),
            pitch_hz=pitch_hz,
            pitch_range_st=values.get("pitch_range_st", 4.0),
            chars_per_min=values.get("chars_per_min", count * 60_000 / max(length, 1)),
            overlap_ms=0,
        ),
        meaning=meaning,
        at_ms=at_ms + line.end_ms,
    )


def _check(call_id: str, channel: int, line: Line, score: float) -> SpeakerCheck:
    return SpeakerCheck(
        call_id=call_id,
        channel=channel,
        role=line.role,
        call_ms=line.end_ms,
        agent_id="example-agent",
        score=score,
        threshold=VOICE_THRESHOLD,
        matched=score >= VOICE_THRESHOLD,
    )


def _tick(call_id: str, roles: Sequence[Role], example: Example, call_ms: int) -> Tick:
    channels = []
    for index, role in enumerate(roles):
        own = [line for line in example.lines if line.role == role and line.start_ms < call_ms]
        open_from = min((line.start_ms for line in own if line.end_ms > call_ms), default=call_ms)
        recent = [line for line in own if line.end_ms > call_ms - 1000]
        level = dict(recent[-1].measures).get("level_db", LEVEL_DB) if recent else None
        channels.append(
            ChannelTick(
                channel=index,
                final_until_ms=open_from,
                speech_ms=sum(min(line.end_ms, call_ms) - line.start_ms for line in own),
                level_db=level,
            )
        )
    return Tick(call_id=call_id, call_ms=call_ms, channels=tuple(channels), at_ms=example.at_ms + call_ms)
