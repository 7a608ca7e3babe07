"""Carries out the plans of a call: the records of its timeline, in order. Pure.

Meaning is measured over the utterances of a whole batch, so utterances are made without it; `batch` puts it in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from processors.records import (
    AgentJoined,
    CallEnded,
    CallStarted,
    HoldChanged,
    MediaGap,
    Partial,
    SpeakerCheck,
    Tick,
    Utterance,
)
from processors.speech.acoustics import measure
from processors.speech.calls import Call, Plan
from processors.speech.channel import Channel, Stream
from processors.speech.hypotheses import alternatives_of, reworded, text_of, tokens_of
from processors.speech.recogniser import Grid, Piece
from processors.speech.resample import RATE_HZ
from processors.speech.vad import WINDOW, WINDOW_MS

TimelineRecord = (
    CallStarted | Partial | Utterance | Tick | SpeakerCheck | HoldChanged | AgentJoined | MediaGap | CallEnded
)
LATE_TOKEN_MS = 80
"""The network is so late with a character: up to here behind a cut it belongs to the utterance before."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What is done of the work that may be left out under overload, cheapest loss first."""

    partials: bool = True
    meaning: bool = True
    acoustics: bool = True
    overloaded: bool = False  # whether what is left out is a loss, and not the way of the lane


def carry_out(call: Call, plan: Plan, grid: Grid, effort: Effort) -> Iterator[TimelineRecord]:
    """Records of one plan that is ready."""
    yield from plan.passing
    for channel, stream in plan.closed:
        utterance = finished(call, channel, stream, grid, effort)
        channel.finish(stream)
        if utterance is not None:
            yield utterance
    for channel, stream, due in plan.going:
        if effort.partials:
            partial = begun(call, channel, stream, due, plan.until_ms, grid)
            if partial is not None:
                yield partial
    for call_ms, channels in plan.ticks:
        yield Tick(call_id=call.call_id, call_ms=call_ms, channels=channels, at_ms=call.started.at_ms + call_ms)
    if plan.ended is not None:
        heard_ms = sum(channel.heard_ms for channel in call.channels)
        coverage = call.skips.coverage(heard_ms, len(call.channels), plan.ended.call_ms)
        yield replace(plan.ended, coverage=coverage)


def begun(call: Call, channel: Channel, stream: Stream, due: int, until_ms: int, grid: Grid) -> Partial | None:
    """What an open utterance says after `due` chunks; None when nothing new."""
    pieces = reworded([piece for piece in stream.pieces if piece.frame < due * grid.frames], grid)
    text = text_of(pieces, grid)
    if text in ("", stream.said):
        return None
    stream.said = text
    return Partial(
        call_id=call.call_id,
        channel=channel.index,
        role=channel.role,
        utterance_no=stream.number,
        start_ms=stream.start * WINDOW_MS,
        end_ms=until_ms,
        text=text,
        alternatives=alternatives_of(pieces, grid),
        at_ms=call.started.at_ms + until_ms,
    )


def finished(call: Call, channel: Channel, stream: Stream, grid: Grid, effort: Effort) -> Utterance | None:
    """What a closed utterance says; None when nobody said anything."""
    closed = stream.closed
    assert closed is not None
    start_ms, end_ms = closed.start * WINDOW_MS, closed.end * WINDOW_MS
    if call.end_ms is not None:  # the last window may reach beyond the audio
        end_ms = max(start_ms, min(end_ms, call.end_ms))
    zero_ms = stream.zero * 1000 // RATE_HZ
    if not stream.pieces:
        return None
    pieces = _before_cut(stream.pieces, end_ms - zero_ms, grid) if closed.cut else stream.pieces
    tokens = tokens_of(reworded(pieces, grid), grid, zero_ms, start_ms, end_ms)
    acoustics = None
    if effort.acoustics:
        overlap_ms = sum(other.overlap_ms(closed.start, closed.end) for other in call.channels if other is not channel)
        acoustics = measure(channel.audio(closed.start * WINDOW, closed.end * WINDOW), tokens, overlap_ms)
    else:
        call.skips.add("overload_acoustics", end_ms - start_ms)
    return Utterance(
        utterance_id=f"{call.call_id}/{channel.index}/{stream.number}",
        call_id=call.call_id,
        channel=channel.index,
        role=channel.role,
        utterance_no=stream.number,
        start_ms=start_ms,
        end_ms=end_ms,
        text="".join(token.text for token in tokens),
        tokens=tokens,
        confidence=round(sum(token.confidence for token in tokens) / len(tokens), 3) if tokens else 0.0,
        acoustics=acoustics,
        at_ms=call.started.at_ms + end_ms,
    )


def _before_cut(pieces: list[Piece], until_ms: int, grid: Grid) -> list[Piece]:
    return [piece for piece in pieces if piece.frame * grid.frame_ms < until_ms + LATE_TOKEN_MS]
