"""One step over all calls: voice activity of all channels in one batch, all utterances in a few, then the timelines.

Every call takes as many blocks as have arrived, up to a bound. In real time that is one; at full speed, or behind,
many blocks of few calls make the same large batches as few blocks of many calls. Pure apart from the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from processors.records import Meaning, Utterance
from processors.speech.calls import Call
from processors.speech.channel import Channel, Stream
from processors.speech.recogniser import Piece, Recogniser, Work
from processors.speech.resample import BLOCK_MS, Audio
from processors.speech.timeline import Effort, TimelineRecord, carry_out

MOST_BLOCKS = 32
"""Blocks of a call in one step."""
MOST_STEP_BLOCKS = 512
"""Blocks of all channels in one step: 82 s of audio. What is over waits for the next one."""
CHUNKS = (16, 8, 4, 2, 1)
"""Chunks of one stream in one batch: powers of two, so that few sizes make few batches."""
LAZY_CHUNKS = 16
"""Without partials an open utterance is not transcribed before so much of it is there."""

Understand = Callable[[Sequence[str]], Sequence[Meaning | None]]
"""Meaning of each text, measured together."""


@dataclass(slots=True)
class StepResult:
    """What a step brought."""

    records: list[tuple[Call, TimelineRecord]] = field(default_factory=list)
    blocks: int = 0  # of all channels
    batches: list[int] = field(default_factory=list)  # streams of each batch of the encoder
    waiting: int = 0  # streams that found no slot


def step(calls: Iterable[Call], models: Recogniser, effort: Effort, understand: Understand | None = None) -> StepResult:
    """Take every call as far as its audio goes; returns the records of their timelines in order."""
    result = StepResult()
    calls = list(calls)
    _listen(calls, models, result)
    for call in calls:
        call.finish()
    _transcribe(calls, models, effort, result)
    for call in calls:
        for plan in call.ready_plans(effort.partials):
            if not effort.partials and effort.overloaded and plan.going:
                call.skips.add("overload_partials", len(plan.going) * BLOCK_MS)
            for _, stream in plan.closed:
                _release(models, stream)
            result.records += [(call, record) for record in carry_out(call, plan, models.grid, effort)]
        for channel in call.channels:
            channel.trim()
    _understand(result, effort, understand)
    return result


def release(call: Call, models: Recogniser) -> None:
    """Give back the slots of a call that is dropped."""
    for _, stream in call.streams():
        _release(models, stream)


def _release(models: Recogniser, stream: Stream) -> None:
    if stream.slot is not None:
        models.close(stream.slot)
        stream.slot = None


def _listen(calls: list[Call], models: Recogniser, result: StepResult) -> None:
    """Voice activity of all new blocks, and the plans that follow from it."""
    taken: list[tuple[Call, int, list[list[Audio | None]]]] = []
    for call in calls:
        blocks = call.ready_blocks(min(MOST_BLOCKS, (MOST_STEP_BLOCKS - result.blocks) // len(call.channels)))
        if blocks > 0:
            taken.append((call, blocks, call.read(blocks)))
            result.blocks += blocks * len(call.channels)
    channels = [channel for call, _, _ in taken for channel in call.channels]
    audio = [heard for _, _, by_channel in taken for heard in by_channel]
    probabilities = _probabilities(channels, audio, models)
    at = 0
    for call, blocks, by_channel in taken:
        mine = probabilities[at : at + len(by_channel)]
        at += len(by_channel)
        for block in range(blocks):
            call.observe([each[block] for each in mine])


def _probabilities(
    channels: list[Channel], audio: list[list[Audio | None]], models: Recogniser
) -> list[list[list[float] | None]]:
    """By channel and block; None for a block that is silent."""
    loud = [[block for block in blocks if block is not None] for blocks in audio]
    rows = [row for row, blocks in enumerate(loud) if blocks]
    found, states = models.speech([channels[row].vad for row in rows], [np.concatenate(loud[row]) for row in rows])
    by_row: dict[int, list[float]] = {}
    for row, heard, state in zip(rows, found, states, strict=True):
        channels[row].vad = state
        by_row[row] = heard
    result: list[list[list[float] | None]] = []
    for row, blocks in enumerate(audio):
        flat, at = by_row.get(row, []), 0
        of_channel: list[list[float] | None] = []
        for block in blocks:
            of_channel.append(None if block is None else flat[at : at + len(block)])
            at += 0 if block is None else len(block)
        result.append(of_channel)
    return result


def _transcribe(calls: list[Call], models: Recogniser, effort: Effort, result: StepResult) -> None:
    """Run what is due, oldest first, in rounds: a stream has one piece of work in a round at most."""
    for call in calls:
        for _, stream in call.streams():
            if stream.closed is not None and stream.settled:
                # It was heard to its end while it was open. Its plan may wait for a stream that waits for a slot.
                _release(models, stream)
    due = [
        (call, channel, stream)
        for call in calls
        for channel, stream in call.streams()
        if stream.done < stream.due
        and (effort.partials or stream.closed is not None or stream.due - stream.done >= LAZY_CHUNKS)
    ]
    due.sort(key=lambda each: each[2].slot is None)  # who has a slot goes on first, then in the order of the calls
    while due:
        works: list[tuple[Channel, Stream, Work]] = []
        for _, channel, stream in due:
            if stream.slot is None:
                stream.slot = models.open()
            if stream.slot is not None:
                works.append((channel, stream, channel.work(stream, _size(stream))))
        if not works:
            break
        heard = models.transcribe([work for _, _, work in works])
        sizes: dict[int, int] = {}
        for (_, stream, work), pieces in zip(works, heard, strict=True):
            _hear(stream, work, pieces, models)
            sizes[work.chunks] = sizes.get(work.chunks, 0) + 1
        result.batches += sizes.values()
        for _, stream, _ in works:
            if stream.closed is not None and stream.settled:
                _release(models, stream)
        due = [each for each in due if each[2].done < each[2].due]
    result.waiting = sum(1 for _, _, stream in due if stream.slot is None)


def _size(stream: Stream) -> int:
    """How many chunks are next. The last ones of a closed stream are rounded up: silence is cheaper than a batch."""
    left = stream.due - stream.done
    fitting = next(size for size in CHUNKS if size <= left)
    if stream.closed is not None and left < CHUNKS[0] and left > fitting and 3 * fitting // 2 <= left:
        return 2 * fitting
    return fitting


def _hear(stream: Stream, work: Work, pieces: list[Piece], models: Recogniser) -> None:
    stream.done = min(stream.done + work.chunks, stream.due)
    behind = stream.due * models.grid.frames
    stream.pieces += [piece for piece in pieces if piece.frame < behind]


def _understand(result: StepResult, effort: Effort, understand: Understand | None) -> None:
    """Put the meaning into the utterances of this step."""
    if understand is None:
        return
    rows = [row for row, (_, record) in enumerate(result.records) if isinstance(record, Utterance)]
    utterances = [record for _, record in result.records if isinstance(record, Utterance)]
    if not effort.meaning:
        for row in rows:
            call, record = result.records[row]
            if isinstance(record, Utterance):
                call.skips.add("overload_meaning", record.end_ms - record.start_ms)
        return
    meanings = understand([each.text for each in utterances]) if utterances else []
    for row, utterance, meaning in zip(rows, utterances, meanings, strict=True):
        result.records[row] = (result.records[row][0], replace(utterance, meaning=meaning))
