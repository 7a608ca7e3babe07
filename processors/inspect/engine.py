"""Judges one call, record by record: (state, record) -> (state, outputs). Pure: no clock, no I/O, no chance.

    state, outputs = step(book, None, call_started, position=0)
    state, outputs = step(book, state, utterance, position=1)

A record that was applied already changes nothing, neither by position nor by content (speech may write a record again
after a crash). Violations carry `detected_at_ms` 0: the shell stamps them when it publishes. How rules are meant is in
README.md; leaves are in `operators`, logic and windows in `logic`, everything around the rules in `judgement`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from processors.inspect import judgement, violations
from processors.inspect.book import CompiledRule, RuleBook
from processors.inspect.logic import Found, View, judge
from processors.inspect.operators.base import Call, Hit, Json, Measuring, Observed, Text, TimelineRecord
from processors.inspect.spoken import Spoken, tail_of
from processors.inspect.state import CallState, Channel, Emitted
from processors.inspect.state import dump_state as _dump
from processors.inspect.state import load_state as _load
from processors.records import (
    AgentJoined,
    Alert,
    CallEnded,
    CallStarted,
    EmotionPoint,
    FlowProgress,
    HoldChanged,
    MediaGap,
    Partial,
    Scorecard,
    SpeakerCheck,
    Tick,
    Utterance,
    Violation,
)
from processors.runtime.errors import BadRecord

MAX_HITS: Final = 64
"""Most hits of one leaf in one call; beyond it the oldest but KEPT_FIRST are forgotten."""
KEPT_FIRST: Final = 16
MAX_CHANNELS: Final = 16

Output: TypeAlias = Violation | EmotionPoint | Scorecard | Alert | FlowProgress


def step(
    book: RuleBook, state: CallState | None, record: TimelineRecord, position: int
) -> tuple[CallState | None, list[Output]]:
    """Apply one record. A call begins with its CallStarted; records of a call that is not open change nothing.

    After CallEnded the state is None. BadRecord when the record can not belong to a call.
    """
    if state is None:
        if not isinstance(record, CallStarted):
            return None, []
        call = _call(record)
        state = CallState(book.name, book.version, position, call, tuple(Channel() for _ in call.roles))
        memories = {}
        for leaf, info in enumerate(book.leaves):
            if isinstance(info.operator, Measuring):
                memory = info.operator.start(call)
                if memory is not None:
                    memories[leaf] = memory
        state = state._replace(memories=memories, parts=judgement.start(book, call))
    elif position <= state.position:
        return state, []
    elif _stale(state, record):
        return state._replace(position=position), []
    return _Step(book, state, record, position).run()


def look(book: RuleBook, state: CallState, last: CallEnded | None = None) -> View:
    """What the rules see of a call, for `explain`: as it stands, or with its end, which leaves no state behind."""
    seen = _Step(book, state, last or CallEnded(call_id=state.call.call_id, call_ms=0, at_ms=0), state.position + 1)
    if last is not None:
        seen.run()
    return View(state.hits if seen.hits is None else seen.hits, seen.call, seen.deaf, seen.muted())


def dump_state(state: CallState) -> bytes:
    """The state as bytes, for storing."""
    return _dump(state, judgement.dump(state.parts))


def load_state(data: bytes) -> CallState:
    """The state from bytes; BadRecord when they are none."""
    state, parts = _load(data)
    return state._replace(parts=judgement.load(parts))


def _call(record: CallStarted) -> Call:
    return Call(
        record.call_id,
        record.at_ms,
        record.lane,
        record.direction,
        record.scenario,
        record.queue,
        record.team_id,
        record.agent_id,
        record.customer_id,
        record.language,
        tuple(record.channels),
        dict(record.attributes),
        final_until_ms=(0,) * len(record.channels),
    )


def _stale(state: CallState, record: TimelineRecord) -> bool:
    """Whether the record says nothing new, because it was written twice."""
    match record:
        case Utterance() | Partial():
            known = state.channels[record.channel].last_no if record.channel < len(state.channels) else -1
            return record.utterance_no <= known
        case Tick():
            return record.call_ms <= state.tick_ms
        case HoldChanged():
            return record.held == state.call.held
        case AgentJoined():
            return record.agent_id == state.call.agent_id
        case MediaGap():
            known = state.channels[record.channel].gap_ms if record.channel < len(state.channels) else -1
            return record.start_ms <= known
        case SpeakerCheck():
            return record.call_ms <= state.checked_ms
        case CallStarted():
            return True
    return False


class _Step:
    """One record on its way through a call. Works on copies; the old state stays as it was."""

    def __init__(self, book: RuleBook, state: CallState, record: TimelineRecord, position: int) -> None:
        self.book, self.record, self.position = book, record, position
        self.state = state
        self.call = state.call
        self.channels = state.channels
        self.hits: dict[int, tuple[Hit, ...]] | None = None
        self.memories: dict[int, Json] | None = None
        self.agenda: dict[int, tuple[int, int]] | None = None
        self.emitted: dict[int, Mapping[str, Emitted]] | None = None
        self.tick_ms, self.checked_ms = state.tick_ms, state.checked_ms
        self.last_channel, self.cursor = state.last_channel, state.cursor
        self.touched: set[int] = set()
        self.deaf = False
        self.found: dict[str, list[Found]] = {}

    def run(self) -> tuple[CallState | None, list[Output]]:
        """New state and outputs."""
        record, book = self.record, self.book
        turn = self._facts(record)
        parts, points = judgement.before(self.state.parts, book, self.call, record)
        if isinstance(record, Utterance | Partial):
            self._text(record, turn)
        self._measure(record)
        for point in points:
            self._measure(point)
        self._due()
        judged = self._judge()
        parts, outputs = judgement.after(parts, book, self.call, record, judged, self.found)
        ended = isinstance(record, CallEnded)
        return (None if ended else self._state(parts)), [*points, *judged, *outputs]

    def _state(self, parts: Any) -> CallState:
        old = self.state
        return CallState(
            old.ruleset,
            old.version,
            self.position,
            self.call,
            self.channels,
            self.tick_ms,
            self.checked_ms,
            self.last_channel,
            self.cursor,
            old.hits if self.hits is None else self.hits,
            old.agenda if self.agenda is None else self.agenda,
            old.emitted if self.emitted is None else self.emitted,
            old.memories if self.memories is None else self.memories,
            parts,
        )

    # Facts about the call

    def _facts(self, record: TimelineRecord) -> int:
        """Take in what the record says about the call; gives the turn to which a text belongs."""
        call, turn = self.call, self.call.turn
        match record:
            case Utterance() | Partial():
                self._grow(record.channel, record.role)
                call, mixed = self.call, record.role == "mixed"
                if record.text and (record.channel != self.last_channel or mixed):
                    turn += 1
                if isinstance(record, Utterance):
                    call_ms = max(call.call_ms, record.end_ms)
                    if record.text:
                        self.last_channel = record.channel
                    else:
                        turn = call.turn
                    if turn != call.turn or call_ms != call.call_ms:
                        self.call = call.later(call_ms, turn, call.final_until_ms)
            case Tick():
                for one in record.channels:
                    self._grow(one.channel, "mixed")
                finals = list(self.call.final_until_ms)
                for one in record.channels:
                    finals[one.channel] = max(finals[one.channel], one.final_until_ms)
                self.tick_ms = record.call_ms
                call_ms = max(call.call_ms, record.call_ms)
                self.call = self.call.later(call_ms, self.call.turn, tuple(finals))
            case HoldChanged():
                self.call = call._replace(held=record.held, call_ms=max(call.call_ms, record.call_ms))
            case AgentJoined():
                self.call = call._replace(agent_id=record.agent_id, team_id=record.team_id or call.team_id)
            case MediaGap():
                self._grow(record.channel, "mixed")
                self._set_channel(record.channel, gap_ms=record.start_ms)
            case SpeakerCheck():
                self.checked_ms = record.call_ms
            case CallEnded():
                self._end(record)
        return turn

    def _end(self, record: CallEnded) -> None:
        call_ms = max(self.call.call_ms, record.call_ms)
        self.call = self.call._replace(ended=True, call_ms=call_ms)
        self.deaf = record.coverage is not None and record.coverage.transcribed_ms <= 0
        for channel, kept in enumerate(self.channels):
            if kept.open_no >= 0:  # a partial whose utterance never came proves nothing
                self._replace_provisional(channel, kept.open_no, {})
        self.touched.update(self.book.at_end)
        self.touched.update(rule for rule, due in self.state.agenda.items())

    def _grow(self, channel: int, role: str) -> None:
        """A channel that CallStarted did not name."""
        if not 0 <= channel < MAX_CHANNELS:
            raise BadRecord(f"channel {channel} of call {self.call.call_id} is not between 0 and {MAX_CHANNELS - 1}")
        while channel >= len(self.call.roles):
            more = role if channel == len(self.call.roles) else "mixed"
            self.call = self.call._replace(
                roles=(*self.call.roles, more), final_until_ms=(*self.call.final_until_ms, 0)
            )
            self.channels = (*self.channels, Channel())

    def _set_channel(self, channel: int, **changes: Any) -> None:
        changed = self.channels[channel]._replace(**changes)
        self.channels = (*self.channels[:channel], changed, *self.channels[channel + 1 :])

    # Hits

    def _text(self, record: Utterance | Partial, turn: int) -> None:
        channel = self.channels[record.channel]
        spoken = Spoken(record, turn, channel.tail)
        found: dict[int, list[Hit]] = {}
        if record.text:
            finds = self.book.finds(spoken)
            leaves: Iterable[int] = finds
            if spoken.final and self.book.every:
                leaves = sorted({*finds, *self.book.every})
            for leaf in leaves:
                info = self.book.leaves[leaf]
                operator = info.operator
                assert isinstance(operator, Text)
                if info.role not in ("", record.role) and record.role != "mixed":
                    continue
                if not spoken.final and not operator.partials:
                    continue
                if not self._in_scope(info.rules):
                    continue
                hits = operator.hits(finds.get(leaf, []), spoken)
                if hits:
                    found[leaf] = hits
        self._replace_provisional(record.channel, record.utterance_no, found)
        if spoken.final:
            tail = tail_of(spoken) or (spoken.tail if not record.text else None)
            self._set_channel(record.channel, last_no=record.utterance_no, tail=tail, open_no=-1, open_leaves=())
        elif found or channel.open_no >= 0:
            self._set_channel(record.channel, open_no=record.utterance_no, open_leaves=tuple(sorted(found)))

    def _replace_provisional(self, channel: int, utterance_no: int, found: Mapping[int, list[Hit]]) -> None:
        """Hits of this utterance take the place of those that were seen in its partials."""
        stale = self.channels[channel].open_leaves
        if not found and not stale:
            return
        hits = self._hits()
        for leaf in {*found, *stale}:
            kept = tuple(hit for hit in hits.get(leaf, ()) if not (hit.provisional and hit.channel == channel))
            self._put(leaf, (*kept, *found.get(leaf, ())))

    def _put(self, leaf: int, hits: tuple[Hit, ...]) -> None:
        if len(hits) > MAX_HITS:  # what was only seen in a partial must not drive out what was said
            certain = [hit for hit in hits if not hit.provisional]
            if len(certain) > MAX_HITS:
                certain = [*certain[:KEPT_FIRST], *certain[KEPT_FIRST - MAX_HITS :]]
            hits = (*certain, *[hit for hit in hits if hit.provisional][-MAX_HITS:])
        table = self._hits()
        if hits:
            table[leaf] = hits
        else:
            table.pop(leaf, None)
        self.touched.update(self.book.leaves[leaf].rules)

    def _hits(self) -> dict[int, tuple[Hit, ...]]:
        if self.hits is None:
            self.hits = dict(self.state.hits)
        return self.hits

    def _measure(self, record: Observed) -> None:
        """Let operators observe the record; for most of them most records change nothing."""
        memories = self.state.memories if self.memories is None else self.memories
        for leaf, operator in self.book.measuring.get(type(record), ()):
            memory = memories.get(leaf)
            changed, hits = operator.observe(memory, record, self.call)
            if changed is not memory:
                if self.memories is None:
                    memories = self.memories = dict(self.state.memories)
                self.memories[leaf] = changed
            if hits or isinstance(record, Partial):
                self._measured(record, leaf, hits)
            if isinstance(record, Utterance) and Partial in operator.observes:
                self._settle(record, leaf)

    def _measured(self, record: Observed, leaf: int, hits: list[Hit]) -> None:
        info = self.book.leaves[leaf]
        kept = [hit for hit in hits if info.role in ("", hit.role) or hit.role in ("", "mixed")]
        if isinstance(record, Partial):
            self._measured_partial(record, leaf, kept)
        elif kept and self._in_scope(info.rules):
            turn = self.call.turn
            placed = (hit if hit.turn >= 0 else hit._replace(turn=turn) for hit in kept)
            self._put(leaf, (*self._hits().get(leaf, ()), *placed))

    def _measured_partial(self, record: Partial, leaf: int, hits: list[Hit]) -> None:
        """What is measured in a partial holds until the next text of its utterance."""
        before = self.state.hits.get(leaf, ())
        kept = tuple(hit for hit in before if not (hit.provisional and hit.channel == record.channel))
        if not hits and len(kept) == len(before):
            return
        seen = tuple(
            hit._replace(
                provisional=True, channel=record.channel, utterance_no=record.utterance_no, turn=self.call.turn
            )
            for hit in hits
        )
        self._put(leaf, (*kept, *seen))
        open_leaves = self.channels[record.channel].open_leaves
        if seen and leaf not in open_leaves:
            self._set_channel(
                record.channel, open_no=record.utterance_no, open_leaves=tuple(sorted((*open_leaves, leaf)))
            )

    def _settle(self, record: Utterance, leaf: int) -> None:
        """The utterance is there: what was only seen in its partials goes."""
        before = self._hits().get(leaf, ()) if self.hits is not None else self.state.hits.get(leaf, ())
        kept = tuple(hit for hit in before if not (hit.provisional and hit.channel == record.channel))
        if len(kept) != len(before):
            self._put(leaf, kept)

    def _in_scope(self, rules: Iterable[int]) -> bool:
        return any(self._covers(self.book.rules[rule]) for rule in rules)

    def muted(self) -> frozenset[int]:
        """Leaves that stand for rules which do not apply to this call."""
        return frozenset(leaf for leaf, rule in self.book.hit_leaves if not self._covers(self.book.rules[rule]))

    def _covers(self, compiled: CompiledRule) -> bool:
        call = self.call
        return compiled.rule.scope.covers(call.scenario, call.queue, call.team_id, call.direction, call.at_ms)

    # Judging

    def _due(self) -> None:
        """Rules whose time has come, because more of the call is known or a turn has passed."""
        deadlines = self.book.deadlines
        if isinstance(self.record, Tick):
            known_ms = max(self.call.final_until_ms, default=0)
            while self.cursor < len(deadlines) and deadlines[self.cursor][0] <= known_ms:
                self.touched.add(deadlines[self.cursor][1])
                self.cursor += 1
            for rule, (due_ms, _) in self.state.agenda.items():
                if 0 <= due_ms <= known_ms:
                    self.touched.add(rule)
        elif isinstance(self.record, Utterance) and self.call.turn != self.state.call.turn:
            for rule, (_, due_turn) in self.state.agenda.items():
                if 0 <= due_turn <= self.call.turn:
                    self.touched.add(rule)

    def _judge(self) -> list[Violation]:
        """Evaluate the rules that were touched, those of which others speak first."""
        out: list[Violation] = []
        if not self.touched:
            return []
        muted = self.muted()
        waiting = sorted(self.touched)
        judged = -1
        while waiting:
            index = heapq.heappop(waiting)
            if index == judged:
                continue
            judged = index
            compiled = self.book.rules[index]
            if not self._covers(compiled):
                continue
            view = View(self.state.hits if self.hits is None else self.hits, self.call, self.deaf, muted)
            founds = judge(compiled.root, view)
            self._note(index, view)
            changed = self._emit(compiled, founds, out)
            if changed and compiled.hit_leaf >= 0:
                self._pass_on(compiled)
                for rule in self.book.leaves[compiled.hit_leaf].rules:
                    heapq.heappush(waiting, rule)
        return out

    def _note(self, index: int, view: View) -> None:
        due = (-1 if view.due_ms is None else view.due_ms, -1 if view.due_turn is None else view.due_turn)
        agenda = self.state.agenda if self.agenda is None else self.agenda
        if agenda.get(index, (-1, -1)) == due:
            return
        if self.agenda is None:
            self.agenda = dict(self.state.agenda)
        if due == (-1, -1):
            self.agenda.pop(index, None)
        else:
            self.agenda[index] = due

    def _emit(self, compiled: CompiledRule, founds: list[Found], out: list[Violation]) -> bool:
        """Put out what has changed about a rule; True when something has."""
        emitted = self.state.emitted if self.emitted is None else self.emitted
        known = emitted.get(compiled.index, {})
        now, changes = violations.compare(known, founds, self.call.call_id)
        if now == known:
            return False
        if compiled.hidden:
            self.found[compiled.rule.rule_id] = founds
        else:
            out += [violations.violation(self.book, compiled, self.call, self.record, *change) for change in changes]
        if self.emitted is None:
            self.emitted = dict(self.state.emitted)
        self.emitted[compiled.index] = now
        return True

    def _pass_on(self, compiled: CompiledRule) -> None:
        """Hits of a rule become hits of the leaf that stands for it."""
        assert self.emitted is not None
        hits = tuple(
            Hit(one.start_ms, one.end_ms, turn=self.call.turn, provisional=one.state == "provisional")
            for one in self.emitted[compiled.index].values()
            if one.state != "retracted"
        )
        leaf = compiled.hit_leaf
        known = self._hits().get(leaf, ())
        turns = {(hit.start_ms, hit.end_ms, hit.provisional): hit.turn for hit in known}
        placed = (
            hit._replace(turn=turns.get((hit.start_ms, hit.end_ms, hit.provisional), hit.turn))
            for hit in sorted(hits, key=lambda hit: (hit.start_ms, hit.end_ms))
        )
        self._put(leaf, tuple(placed))
