"""Records to rows: what of a record is stored, in which table, in the order of its columns.

Pure: a record and its position (offset in its partition) in, rows out. Ticks and partials have no rows: they are
progress, not results, and are most of a timeline, so `rows_of` does not even decode them. Words of a call are stored
redacted only. The columns are those of `schemas/clickhouse`; a test compares them with the tables of a real engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from processors.records import (
    AgentJoined,
    Alert,
    AnyRecord,
    CallEnded,
    CallStarted,
    Coverage,
    EmotionPoint,
    Evidence,
    FlowProgress,
    HoldChanged,
    MediaGap,
    Scorecard,
    SpeakerCheck,
    Utterance,
    Violation,
)
from processors.runtime.errors import BadRecord
from processors.runtime.wire import decode, kind
from processors.sink.redact import redact

Row = tuple[Any, ...]
Rows = Iterable[tuple[str, Row]]

LATEST_MS = 4_102_444_800_000
"""2100-01-01: a later time of day is a mistake of the sender."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "call_starts": (
        *("call_id", "started_at", "lane", "direction", "scenario", "queue", "team_id", "agent_id", "customer_id"),
        *("language", "channels", "attributes", "door", "ruleset", "version"),
    ),
    "call_ends": (
        *("call_id", "ended_at", "duration_ms", "reason", "detail", "audio_ms", "transcribed_ms", "evaluated_ms"),
        *("skipped", "version"),
    ),
    "call_events": (
        *("call_id", "kind", "channel", "start_ms", "end_ms", "detail", "agent_id", "team_id", "value", "version"),
    ),
    "utterances": (
        *("utterance_id", "call_id", "channel", "role", "utterance_no", "start_ms", "end_ms", "at", "text", "written"),
        *("confidence", "token_chars", "token_start_ms", "token_end_ms", "level_db", "pitch_hz", "pitch_range_st"),
        *("chars_per_min", "overlap_ms", "sentiment", "intents", "version"),
    ),
    "violations": (
        *("violation_id", "call_id", "rule_id", "rule_name", "rule_version", "ruleset", "ruleset_version", "state"),
        *("severity", "points", "fatal", "role", "agent_id", "team_id", "scenario", "start_ms", "end_ms", "call_ms"),
        *("evidence", "explanation", "audio_at", "detected_at", "version"),
    ),
    "emotions": (
        *("call_id", "channel", "role", "call_ms", "at", "arousal", "valence", "label", "trend", "utterance_id"),
        *("drivers", "version"),
    ),
    "scorecards": (
        *("call_id", "state", "points", "fatal", "scheme", "ruleset", "ruleset_version", "agent_id", "team_id"),
        *("scenario", "call_ms", "at", "duration_ms", "talk_ms", "talk_ratio_agent", "silence_ms"),
        *("longest_silence_ms", "overlap_ms", "overlaps", "hold_ms", "chars_per_min", "utterances", "audio_ms"),
        *("transcribed_ms", "evaluated_ms", "skipped", "version"),
    ),
    "score_items": (
        *("call_id", "item_id", "name", "dimension", "points", "hits", "fatal", "applicable", "violation_ids"),
        "version",
    ),
    "flow_progress": (
        *("call_id", "flow_id", "name", "current", "done", "call_ms", "steps", "ruleset_version", "version"),
    ),
    "alerts": (
        *("alert_id", "call_id", "state", "cause", "violation_id", "rule_id", "severity", "recipients", "agent_id"),
        *("team_id", "text", "call_ms", "at", "version"),
    ),
}
"""Columns of every table that is written, in the order of the rows."""


def rows_of(value: bytes | None, position: int) -> Rows:
    """Rows of wire bytes. BadRecord for what can not be decoded, and as `rows`."""
    return rows(decode(value), position) if kind(value) in STORED else ()


def rows(record: AnyRecord, position: int) -> Rows:
    """Rows of the record as (table, values). BadRecord for a record that has no call or no possible time."""
    make = _MAKERS.get(type(record))
    if make is None:
        return ()
    if not getattr(record, "call_id", ""):
        raise BadRecord(f"{type(record).__name__} without call_id")
    return make(record, position)


def _call_started(r: CallStarted, position: int) -> Rows:
    row = (
        *(r.call_id, _at(r.at_ms), r.lane, r.direction, r.scenario, r.queue, r.team_id, r.agent_id, r.customer_id),
        *(r.language, list(r.channels), dict(r.attributes), r.door, r.ruleset, position),
    )
    return (("call_starts", row),)


def _call_ended(r: CallEnded, position: int) -> Rows:
    row = (r.call_id, _at(r.at_ms), r.call_ms, r.reason, r.detail, *_coverage(r.coverage or Coverage()), position)
    return (("call_ends", row),)


def _agent_joined(r: AgentJoined, position: int) -> Rows:
    row = (r.call_id, "agent_joined", -1, r.call_ms, r.call_ms, "", r.agent_id, r.team_id, None, position)
    return (("call_events", row),)


def _hold_changed(r: HoldChanged, position: int) -> Rows:
    kind = "hold" if r.held else "unhold"
    return (("call_events", (r.call_id, kind, -1, r.call_ms, r.call_ms, "", "", "", None, position)),)


def _media_gap(r: MediaGap, position: int) -> Rows:
    row = (r.call_id, "media_gap", r.channel, r.start_ms, r.end_ms, r.reason, "", "", None, position)
    return (("call_events", row),)


def _speaker_check(r: SpeakerCheck, position: int) -> Rows:
    detail = "matched" if r.matched else "mismatched"
    row = (r.call_id, "speaker_check", r.channel, r.call_ms, r.call_ms, detail, r.agent_id, "", r.score, position)
    return (("call_events", row),)


_token_start = attrgetter("start_ms")
_token_end = attrgetter("end_ms")


def _utterance(r: Utterance, position: int) -> Rows:
    heard = r.acoustics
    measured = (
        (None, None, None, None, None)
        if heard is None
        else (heard.level_db, heard.pitch_hz, heard.pitch_range_st, heard.chars_per_min, heard.overlap_ms)
    )
    meant = (None, {}) if r.meaning is None else (r.meaning.sentiment, dict(r.meaning.intents))
    tokens = r.tokens
    row = (
        *(r.utterance_id, r.call_id, r.channel, r.role, r.utterance_no, r.start_ms, r.end_ms, _at(r.at_ms)),
        *(redact(r.text), redact(r.written), r.confidence, [len(token.text) for token in tokens]),
        *(list(map(_token_start, tokens)), list(map(_token_end, tokens)), *measured, *meant, position),
    )
    return (("utterances", row),)


def _violation(r: Violation, position: int) -> Rows:
    row = (
        *(r.violation_id, r.call_id, r.rule_id, r.rule_name, r.rule_version, r.ruleset, r.ruleset_version, r.state),
        *(r.severity, r.points, r.fatal, r.role, r.agent_id, r.team_id, r.scenario, r.start_ms, r.end_ms, r.call_ms),
        *([_evidence(e) for e in r.evidence], redact(r.explanation), _at(r.audio_at_ms), _at(r.detected_at_ms)),
        position,
    )
    return (("violations", row),)


def _evidence(e: Evidence) -> Row:
    quote = redact(e.quote)
    return (e.utterance_id, e.channel, e.start_ms, e.end_ms, quote, e.char_from, e.char_to, e.operator, e.value)


def _emotion(r: EmotionPoint, position: int) -> Rows:
    drivers = [(d.name, d.value, d.baseline, d.z) for d in r.drivers]
    row = (
        *(r.call_id, r.channel, r.role, r.call_ms, _at(r.at_ms), r.arousal, r.valence, r.label, r.trend),
        *(r.utterance_id, drivers, position),
    )
    return (("emotions", row),)


def _scorecard(r: Scorecard, position: int) -> Rows:
    m = r.metrics
    card = (
        *(r.call_id, r.state, r.points, r.fatal, r.scheme, r.ruleset, r.ruleset_version, r.agent_id, r.team_id),
        *(r.scenario, r.call_ms, _at(r.at_ms), m.duration_ms, dict(m.talk_ms), m.talk_ratio_agent, m.silence_ms),
        *(m.longest_silence_ms, m.overlap_ms, m.overlaps, m.hold_ms, dict(m.chars_per_min), m.utterances),
        *(*_coverage(r.coverage), position),
    )
    yield "scorecards", card
    for i in r.items:
        yield (
            "score_items",
            (
                *(r.call_id, i.item_id, i.name, i.dimension, i.points, i.hits, i.fatal, i.applicable),
                *(list(i.violation_ids), position),
            ),
        )


def _flow_progress(r: FlowProgress, position: int) -> Rows:
    steps = [(s.step_id, s.name, s.state, s.due_ms, s.at_ms, s.points) for s in r.steps]
    row = (r.call_id, r.flow_id, r.name, r.current, r.done, r.call_ms, steps, r.ruleset_version, position)
    return (("flow_progress", row),)


def _alert(r: Alert, position: int) -> Rows:
    row = (
        *(r.alert_id, r.call_id, r.state, r.cause, r.violation_id, r.rule_id, r.severity, list(r.recipients)),
        *(r.agent_id, r.team_id, redact(r.text), r.call_ms, _at(r.at_ms), position),
    )
    return (("alerts", row),)


def _coverage(c: Coverage) -> tuple[int, int, int, list[Row]]:
    skipped: list[Row] = [(s.reason, s.amount_ms, s.count) for s in c.skipped]
    return c.audio_ms, c.transcribed_ms, c.evaluated_ms, skipped


def _at(at_ms: int) -> int:
    if not 0 <= at_ms <= LATEST_MS:
        raise BadRecord(f"time of day {at_ms} is not between 1970 and 2100")
    return at_ms


_MAKERS: Mapping[type[Any], Callable[[Any, int], Rows]] = {
    CallStarted: _call_started,
    CallEnded: _call_ended,
    AgentJoined: _agent_joined,
    HoldChanged: _hold_changed,
    MediaGap: _media_gap,
    SpeakerCheck: _speaker_check,
    Utterance: _utterance,
    Violation: _violation,
    EmotionPoint: _emotion,
    Scorecard: _scorecard,
    FlowProgress: _flow_progress,
    Alert: _alert,
}

STORED = frozenset(maker.__name__ for maker in _MAKERS)
"""Names of the records that have rows."""
