"""Replays the stored timelines of the topic through two rule sets, in several processes, each with its own partitions.

Judging is the work of `backtest`. A call has the same partition number in every topic, so each process also reads what
was found live in its calls, and nothing has to be exchanged until the end.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

from aiokafka.partitioner import murmur2

from processors.inspect.backtest import Backtest, LiveVerdicts
from processors.inspect.language import parse
from processors.inspect.operators.base import TimelineRecord
from processors.inspect.publish import TOPIC as RULEBOOK
from processors.inspect.publish import encoder_of
from processors.inspect.rule_pairs import Pair, split
from processors.inspect.rule_sets import DEFAULT, current_key, version_key
from processors.inspect.switching import AND_BEFORE
from processors.inspect.tally import Tally
from processors.records import AnyRecord, CallStarted, RuleSet, Scorecard
from processors.runtime import wire
from processors.runtime.children import die_with_parent
from processors.runtime.compacted import read_compacted
from processors.runtime.errors import BadRecord, Unavailable, UserError
from processors.runtime.history import messages
from processors.runtime.offsets import Place, beginnings, ends, since
from processors.runtime.settings import Settings

TIMELINE = "calls.timeline"
SCORECARDS = "scorecards"
LIVE = ("violations", SCORECARDS)
TELL_EVERY = 2_000
"""Records between two signs of progress."""
WAIT_S = 0.5

Files = Mapping[str, str | bytes]
Progress = Callable[[int, int], None]
"""Records done, and of how many."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to replay, and through what."""

    old: Files
    new: Files
    name: str
    """Of the rule set."""
    since_ms: int = 0
    """Only what was written at this time (UTC) or later; 0: everything that is kept."""
    reviews: Mapping[str, str] = field(default_factory=dict)
    """Verdicts by violation id: confirmed or overturned."""


def pair_of(settings: Settings, question: Question) -> Pair:
    """Both rule sets, compiled. UserError when one has mistakes."""
    return split(parse(question.old), parse(question.new), question.name, encoder_of(settings))


def backtest(settings: Settings, question: Question, processes: int, progress: Progress) -> Tally:
    """Replay everything that the topic holds now. Unavailable when Kafka does not answer or a process dies."""
    upto = ends(settings, [TIMELINE, *LIVE])
    topics = sorted({topic for topic, _ in upto})
    starts = since(settings, topics, question.since_ms) if question.since_ms else beginnings(settings, topics)
    total = sum(max(0, end - starts[place]) for place, end in upto.items() if place[0] == TIMELINE)
    shares = _shares({place: end - starts[place] for place, end in upto.items() if place[0] == TIMELINE}, processes)
    context = get_context("spawn")
    counter, stopping = context.Value("q", 0), context.Event()
    tally = Tally()
    with ProcessPoolExecutor(
        max(1, len(shares)), context, initializer=_begin, initargs=(os.getpid(), counter, stopping)
    ) as pool:
        try:
            running = [pool.submit(_replay, settings, question, parts, starts, upto) for parts in shares]
            _await(running, lambda: progress(counter.value, total))
            for future in running:
                tally.add(future.result())
        except BrokenProcessPool as error:
            raise Unavailable("a process of the backtest died; the machine may be short of memory") from error
        finally:
            stopping.set()
    return tally


def published_files(settings: Settings, name: str, version: str = "") -> Mapping[str, str]:
    """The files of a published rule set, in this version or in the current one. UserError when it is not there."""
    key = version_key(name, version) if version else current_key(name)
    value = read_compacted(settings, RULEBOOK).get(key)
    ruleset = None if value is None else wire.decode(value)
    if not isinstance(ruleset, RuleSet):
        what = f"version {version} of the rule set '{name}' is" if version else f"no rule set '{name}' is"
        raise UserError(f"{what} {'no longer ' if version else ''}published; name a folder of rules instead")
    return ruleset.files


def stored_call(settings: Settings, call_id: str) -> tuple[list[TimelineRecord], str, str]:
    """The timeline of one call in its order, and the rule set and version by which it was judged ('' when unknown).

    Reads the call's partition alone. UserError when nothing of the call is kept.
    """
    starts, upto = beginnings(settings, [TIMELINE, SCORECARDS]), ends(settings, [TIMELINE, SCORECARDS])
    number = partition(call_id, sum(topic == TIMELINE for topic, _ in upto))

    def kept(topic: str) -> Iterator[AnyRecord]:
        span = {place: end for place, end in upto.items() if place == (topic, number)}
        return _records(settings, starts, span, key=call_id.encode())

    records = [record for record in kept(TIMELINE) if isinstance(record, TimelineRecord)]
    if not records:
        raise UserError(f"nothing of the call {call_id!r} is kept on {TIMELINE}; list calls with `tingjian calls`")
    cards = [card for card in kept(SCORECARDS) if isinstance(card, Scorecard)]
    started = next((one for one in records if isinstance(one, CallStarted)), None)
    if cards:
        return records, cards[-1].ruleset, cards[-1].ruleset_version.partition(AND_BEFORE)[0]
    return records, (started.ruleset if started else "") or DEFAULT, ""


def partition(key: str, count: int) -> int:
    """Partition of a key, as Kafka's own clients choose it."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % max(count, 1)


def _shares(records: Mapping[Place, int], processes: int) -> list[list[int]]:
    """Partition numbers for each process, so that all have about as much to do; the largest go first."""
    shares: list[tuple[int, list[int]]] = [(0, []) for _ in range(max(1, processes))]
    for (_, number), count in sorted(records.items(), key=lambda item: (-item[1], item[0])):
        if count > 0:
            least = min(range(len(shares)), key=lambda index: shares[index][0])
            work, numbers = shares[least]
            shares[least] = (work + count, [*numbers, number])
    return [numbers for _, numbers in shares if numbers]


def _await(running: list[Future[Tally]], tell: Callable[[], None]) -> None:
    while not all(future.done() for future in running):
        failed = [future for future in running if future.done() and future.exception()]
        if failed:
            return
        tell()
        time.sleep(WAIT_S)
    tell()


_counter: Any = None
_stopping: Any = None


def _begin(parent: int, counter: Any, stopping: Any) -> None:
    """First thing in each process: Ctrl-C is the parent's business, and nobody outlives it."""
    global _counter, _stopping
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(parent)
    _counter, _stopping = counter, stopping


def _replay(
    settings: Settings, question: Question, parts: list[int], starts: Mapping[Place, int], upto: Mapping[Place, int]
) -> Tally:
    pair = pair_of(settings, question)
    live = LiveVerdicts(question.name, pair.old_version, question.reviews)
    mine = {place: end for place, end in upto.items() if place[1] in parts}
    for record in _records(settings, starts, {place: end for place, end in mine.items() if place[0] in LIVE}):
        live.apply(record)
    test = Backtest(pair, live)
    gc.collect()
    gc.freeze()
    gc.disable()  # states and records have no cycles: looking for some costs a fifth of the time
    spans = {place: end for place, end in mine.items() if place[0] == TIMELINE}
    for number, record in enumerate(_records(settings, starts, spans, test.tally), 1):
        if isinstance(record, TimelineRecord):
            test.apply(record)
        if number % TELL_EVERY == 0:
            with _counter.get_lock():
                _counter.value += TELL_EVERY
            if _stopping.is_set():
                break
    return test.finish()


def _records(
    settings: Settings,
    starts: Mapping[Place, int],
    upto: Mapping[Place, int],
    tally: Tally | None = None,
    key: bytes | None = None,
) -> Iterator[AnyRecord]:
    """Records of these partitions; of one key, when it is given."""
    for message in messages(settings, starts, upto):
        if key is not None and message.key() != key:
            continue
        try:
            yield wire.decode(message.value())
        except BadRecord:
            if tally is not None:
                tally.unreadable += 1
