"""Measurements of a whole call from its timeline: talk, silence, overlap, holds, rates, and how much was inspected.

The line is swept in call time, as far as every channel is transcribed for good, so that the figures do not depend on
which of two overlapping utterances closed first. An utterance without words is no speech; a hold is no silence.
Pure: records in, numbers out. It judges nothing: rules about silence, overlap and share of speech are operators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

from processors.inspect.operators.base import Call
from processors.records import CallEnded, CallMetrics, Coverage, HoldChanged, MediaGap, Skipped, Utterance

OVERLAP_COUNTS_MS: Final = 300
"""A shorter stretch of two voices is counted in milliseconds, not as an event."""
PENDING_MAX: Final = 24
"""Stretches of speech that wait; more are swept, up to the frontier or, when it stands still, up to the middle one."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is known of the line so far. `pending` are stretches (start, end, channel) not swept yet."""

    pending: tuple[tuple[int, int, int], ...] = ()
    held_from_ms: int = -1
    holds: tuple[tuple[int, int], ...] = ()
    """Holds not swept yet."""
    swept_ms: int = 0
    silence_ms: int = 0
    longest_silence_ms: int = 0
    silent_from_ms: int = 0
    """Where the silence began that lasts until the sweep; -1 while somebody speaks or the line is held."""
    overlap_ms: int = 0
    overlaps: int = 0
    overlap_from_ms: int = -1
    hold_ms: int = 0
    talk_ms: Mapping[str, int] = field(default_factory=dict)
    chars: Mapping[str, int] = field(default_factory=dict)
    utterances: int = 0
    gaps: int = 0
    gap_ms: int = 0


def observe(line: Line, record: object, call: Call) -> Line:
    """The line after `record`; records that say nothing about it, and ticks, cost nothing."""
    match record:
        case Utterance() if record.text and record.end_ms > record.start_ms:
            return _speech(line, record, call)
        case HoldChanged():
            return _hold(line, record.held, record.call_ms)
        case MediaGap():
            lost_ms = max(0, record.end_ms - record.start_ms)
            return replace(line, gaps=line.gaps + 1, gap_ms=line.gap_ms + lost_ms)
        case _:
            return line


def metrics(line: Line, call: Call) -> CallMetrics:
    """The measurements as far as everything is transcribed for good; at the end of the call, of all of it."""
    open_hold_ms = max(0, call.call_ms - line.held_from_ms) if line.held_from_ms >= 0 else 0
    line = _sweep(line, call.frontier_ms())
    open_silence_ms = line.swept_ms - line.silent_from_ms if line.silent_from_ms >= 0 else 0
    agent_ms = line.talk_ms.get("agent", 0)
    parties_ms = agent_ms + line.talk_ms.get("customer", 0)
    return CallMetrics(
        duration_ms=call.call_ms,
        talk_ms=dict(line.talk_ms),
        talk_ratio_agent=round(agent_ms / parties_ms, 4) if parties_ms else 0.0,
        silence_ms=line.silence_ms,
        longest_silence_ms=max(line.longest_silence_ms, open_silence_ms),
        overlap_ms=line.overlap_ms,
        overlaps=line.overlaps + _open_overlap(line),
        hold_ms=line.hold_ms + open_hold_ms,
        chars_per_min={
            role: round(line.chars[role] * 60_000 / talk_ms, 1) for role, talk_ms in line.talk_ms.items() if talk_ms
        },
        utterances=line.utterances,
    )


def coverage(line: Line, call: Call, ended: CallEnded | None = None, unjudged: tuple[Skipped, ...] = ()) -> Coverage:
    """What was inspected: of what `speech` reports at the end, or while the call runs of what the ticks say.

    `unjudged` is what the rules left out; its milliseconds are taken from the judged ones.
    """
    told = ended.coverage if ended is not None else None
    if told is not None:
        audio_ms, transcribed_ms, skipped = told.audio_ms, told.transcribed_ms, told.skipped
    else:
        audio_ms = max(0, call.call_ms * len(call.roles) - line.gap_ms)
        transcribed_ms = min(audio_ms, sum(call.final_until_ms))
        skipped = ()
    if line.gaps and not any(skip.reason == "media_gap" for skip in skipped):
        skipped = (*skipped, Skipped(reason="media_gap", amount_ms=line.gap_ms, count=line.gaps))
    lost_ms = sum(skip.amount_ms for skip in unjudged)
    return Coverage(
        audio_ms=audio_ms,
        transcribed_ms=transcribed_ms,
        evaluated_ms=max(0, transcribed_ms - lost_ms),
        skipped=(*skipped, *unjudged),
    )


def _speech(line: Line, utterance: Utterance, call: Call) -> Line:
    talk_ms, chars = dict(line.talk_ms), dict(line.chars)
    talk_ms[utterance.role] = talk_ms.get(utterance.role, 0) + utterance.end_ms - utterance.start_ms
    chars[utterance.role] = chars.get(utterance.role, 0) + len("".join(utterance.text.split()))
    stretch = (utterance.start_ms, utterance.end_ms, utterance.channel)
    pending = tuple(sorted((*line.pending, stretch)))
    line = replace(line, talk_ms=talk_ms, chars=chars, utterances=line.utterances + 1, pending=pending)
    if len(pending) > PENDING_MAX:
        line = _sweep(line, call.frontier_ms())
    if len(line.pending) > PENDING_MAX:
        line = _sweep(line, line.pending[len(line.pending) // 2][0])
    return line


def _hold(line: Line, held: bool, call_ms: int) -> Line:
    if held:
        return line if line.held_from_ms >= 0 else replace(line, held_from_ms=call_ms)
    if line.held_from_ms < 0:
        return line
    start_ms, end_ms = line.held_from_ms, max(line.held_from_ms, call_ms)
    holds = (*line.holds, (start_ms, end_ms))
    return replace(line, held_from_ms=-1, holds=holds, hold_ms=line.hold_ms + end_ms - start_ms)


def _sweep(line: Line, until_ms: int) -> Line:
    """Fold everything before `until_ms` into the sums."""
    if until_ms <= line.swept_ms:
        return line
    holds = line.holds if line.held_from_ms < 0 else (*line.holds, (line.held_from_ms, until_ms))
    edges = {line.swept_ms, until_ms}
    for start_ms, end_ms, *_ in (*line.pending, *holds):
        edges.update(ms for ms in (start_ms, end_ms) if line.swept_ms < ms < until_ms)
    times = sorted(edges)
    sums = _Sums(line)
    for start_ms, end_ms in pairwise(times):
        speaking = {channel for start, end, channel in line.pending if start <= start_ms and end >= end_ms}
        held = any(start <= start_ms and end >= end_ms for start, end in holds)
        sums.add(start_ms, end_ms, len(speaking), held)
    return replace(
        line,
        pending=tuple(stretch for stretch in line.pending if stretch[1] > until_ms),
        holds=tuple(hold for hold in line.holds if hold[1] > until_ms),
        swept_ms=until_ms,
        silence_ms=sums.silence_ms,
        longest_silence_ms=sums.longest_silence_ms,
        silent_from_ms=sums.silent_from_ms,
        overlap_ms=sums.overlap_ms,
        overlaps=sums.overlaps,
        overlap_from_ms=sums.overlap_from_ms,
    )


class _Sums:
    """The sums while one sweep goes on."""

    def __init__(self, line: Line) -> None:
        self.silence_ms = line.silence_ms
        self.longest_silence_ms = line.longest_silence_ms
        self.silent_from_ms = line.silent_from_ms
        self.overlap_ms = line.overlap_ms
        self.overlaps = line.overlaps
        self.overlap_from_ms = line.overlap_from_ms

    def add(self, start_ms: int, end_ms: int, voices: int, held: bool) -> None:
        """One stretch in which nothing changes."""
        silent = voices == 0 and not held
        if silent:
            self.silence_ms += end_ms - start_ms
            self.silent_from_ms = start_ms if self.silent_from_ms < 0 else self.silent_from_ms
        elif self.silent_from_ms >= 0:
            self.longest_silence_ms = max(self.longest_silence_ms, start_ms - self.silent_from_ms)
            self.silent_from_ms = -1
        if voices > 1:
            self.overlap_ms += end_ms - start_ms
            self.overlap_from_ms = start_ms if self.overlap_from_ms < 0 else self.overlap_from_ms
        elif self.overlap_from_ms >= 0:
            self.overlaps += start_ms - self.overlap_from_ms >= OVERLAP_COUNTS_MS
            self.overlap_from_ms = -1


def _open_overlap(line: Line) -> int:
    """1 when the overlap that lasts until the sweep is long enough to count."""
    return int(line.overlap_from_ms >= 0 and line.swept_ms - line.overlap_from_ms >= OVERLAP_COUNTS_MS)


_SCALARS: Final = (
    *("held_from_ms", "swept_ms", "silence_ms", "longest_silence_ms", "silent_from_ms", "overlap_ms", "overlaps"),
    *("overlap_from_ms", "hold_ms", "utterances", "gaps", "gap_ms"),
)


def dump_line(line: Line) -> list[Any]:
    """Plain lists of plain values, for JSON."""
    return [
        [getattr(line, name) for name in _SCALARS],
        [list(stretch) for stretch in line.pending],
        [list(hold) for hold in line.holds],
        dict(line.talk_ms),
        dict(line.chars),
    ]


def load_line(data: list[Any]) -> Line:
    """The line of which `dump_line` made `data`."""
    scalars, pending, holds, talk_ms, chars = data
    return Line(
        **dict(zip(_SCALARS, scalars, strict=True)),
        pending=tuple((start, end, channel) for start, end, channel in pending),
        holds=tuple((start, end) for start, end in holds),
        talk_ms=talk_ms,
        chars=chars,
    )
