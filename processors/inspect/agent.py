"""The shell of `inspect`: the Faust agent over `calls.timeline` that judges every call with the engine.

It picks the rule book of a call, stamps the time of publication, and counts. A call is judged by the rule set that its
CallStarted names, in the version that is current then, and goes on with that version after a crash; with
TINGJIAN_RULE_SWITCH=utterance it changes to a newer one between two utterances. A rule set that is not there is waited
for (the keeper parks the call); then the call is judged by no rules, and its coverage says why.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from typing import Any

from processors.inspect import engine
from processors.inspect.book import RuleBook
from processors.inspect.publish import TOPIC, encoder_of, publish_shipped
from processors.inspect.rule_sets import DEFAULT, MISSING, RuleSets, Version, empty_book
from processors.inspect.state import CallState
from processors.inspect.switching import AND_BEFORE, forget_rules, may_switch, switch
from processors.records import Alert, AnyRecord, CallStarted, Scorecard, Skipped, Utterance, Violation
from processors.runtime.agents import CRASHED, AgentSpec, run_agent
from processors.runtime.compacted import Follower
from processors.runtime.errors import Unavailable
from processors.runtime.logs import get_logger
from processors.runtime.metrics import (
    INSPECT_ALERTS,
    INSPECT_CALLS_OPEN,
    INSPECT_RECORDS,
    INSPECT_STEP_SECONDS,
    INSPECT_VIOLATION_LATENCY,
    INSPECT_VIOLATIONS,
)
from processors.runtime.settings import Settings
from processors.topology import the_topology

LOAD_S = 60.0
"""For the rule book to be read and compiled at the start."""

log = get_logger("inspect")


class Inspect:
    """The core of the agent: the engine with the right book."""

    def __init__(self, sets: RuleSets, switches: bool = False) -> None:
        self._sets = sets
        self._switches = switches
        self._given_up: dict[str, str] = {}
        self._topics = _topics()

    def waits(self, state: CallState | None, record: AnyRecord) -> bool:
        """Whether the rule book of the call is not there yet."""
        if record.call_id in self._given_up:  # type: ignore[union-attr]
            return False
        if state is not None:
            return self._book(Version(state.ruleset, state.version)) is None
        if not isinstance(record, CallStarted):
            return False
        current = self._sets.current(record.ruleset or DEFAULT)
        return current is None or self._book(current) is None

    def give_up(self, state: CallState | None, record: AnyRecord) -> None:
        """Judge the call by no rules, since its own did not come."""
        call_id: str = record.call_id  # type: ignore[union-attr]
        name = state.ruleset if state else getattr(record, "ruleset", "") or DEFAULT
        current = Version(state.ruleset, state.version) if state else self._sets.current(name)
        reason = self._sets.why_not(current or Version(name, ""))
        self._given_up[call_id] = reason
        log.error("call is judged by no rules", call_id=call_id, ruleset=name, reason=reason)

    def step(
        self, state: CallState | None, record: AnyRecord, position: int
    ) -> tuple[CallState | None, list[AnyRecord]]:
        """Apply one record; see engine.step."""
        INSPECT_RECORDS.labels(type(record).__name__).inc()
        begun = time.perf_counter()
        if state is None and not isinstance(record, CallStarted):
            return None, []  # the rest of a call that has ended already, or one whose beginning retention took
        state, book = self._prepared(state, record)
        after, outputs = engine.step(book, state, record, position)  # type: ignore[arg-type]
        if after is not None and self._switches and isinstance(record, Utterance):
            after = self._switched(after, book)
        if (after or state) is not None and (after or state).version == MISSING:  # type: ignore[union-attr]
            reason = self._given_up.get(record.call_id, "ruleset_missing")  # type: ignore[union-attr]
            outputs = [_uncovered(output, reason) for output in outputs]
        if after is None:
            self._given_up.pop(record.call_id, None)  # type: ignore[union-attr]
        if state is None and after is not None:
            INSPECT_CALLS_OPEN.inc()
        elif state is not None and after is None:
            INSPECT_CALLS_OPEN.dec()
        INSPECT_STEP_SECONDS.observe(time.perf_counter() - begun)
        _count(outputs, (after or state).call.lane if (after or state) else "")  # type: ignore[union-attr]
        return after, list(outputs)

    def closes(self, record: AnyRecord) -> bool:
        """An utterance is what it would take long to get again."""
        return isinstance(record, Utterance)

    def topic_of(self, output: AnyRecord) -> str:
        """Topic of an output, as topology.yaml declares it."""
        return self._topics[type(output).__name__]

    def stamped(self, output: AnyRecord) -> AnyRecord:
        """A violation with the time at which it is published."""
        if isinstance(output, Violation):
            return dataclasses.replace(output, detected_at_ms=time.time_ns() // 1_000_000)
        return output

    def dump(self, state: CallState) -> bytes:
        """A state as bytes."""
        return engine.dump_state(state)

    def load(self, data: bytes) -> CallState:
        """And back."""
        INSPECT_CALLS_OPEN.inc()
        return engine.load_state(data)

    def _prepared(self, state: CallState | None, record: AnyRecord) -> tuple[CallState | None, RuleBook]:
        """The book of the call, and its state as it fits to that book."""
        if state is None:
            assert isinstance(record, CallStarted)
            name = record.ruleset or DEFAULT
            current = self._sets.current(name)
            book = None if current is None else self._book(current)
            return None, book or empty_book(Version(name, MISSING))
        book = self._book(Version(state.ruleset, state.version))
        if book is not None:
            return state, book
        return forget_rules(state, MISSING), empty_book(Version(state.ruleset, MISSING))

    def _book(self, version: Version) -> RuleBook | None:
        return empty_book(version) if version.version == MISSING else self._sets.book(version)

    def _switched(self, state: CallState, book: RuleBook) -> CallState:
        current = self._sets.current(state.ruleset)
        if current is None or current.version == book.version or not may_switch(state):
            return state
        newer = self._sets.book(Version(state.ruleset, f"{current.version}{AND_BEFORE}{state.version}"))
        return state if newer is None else switch(state, book, newer)


def main(settings: Settings, **options: object) -> None:
    """Run until SIGTERM or SIGINT. The shipped rule book is published first, where there is no other."""
    publish_shipped(settings)
    sets = RuleSets(encoder_of(settings))
    sets.start()
    rules = Follower(settings, TOPIC, sets.received, _end)
    rules.start()
    if not rules.loaded.wait(LOAD_S):
        raise Unavailable(f"the topic {TOPIC} could not be read in {LOAD_S:.0f} s")

    def ready() -> tuple[bool, str]:
        current = sets.current(DEFAULT)
        if current is None:
            return False, "there is no default rule set"
        return (True, f"judges by {current.version}") if sets.book(current) else (False, "compiles the rules")

    until = time.monotonic() + LOAD_S
    while not ready()[0] and time.monotonic() < until:
        time.sleep(0.02)
    spec = AgentSpec("inspect", "calls.timeline", "calls", ready)
    run_agent(settings, spec, Inspect(sets, settings.rule_switch == "utterance"))


def _end(error: BaseException) -> None:
    log.error("crashed", reason=f"the rule book can not be followed: {error}")
    os._exit(CRASHED)


def _topics() -> Mapping[str, str]:
    topology = the_topology()
    written = topology.processors["inspect"].writes
    return {record: topic for topic in written for record in topology.topics[topic].records}


def _uncovered(output: Any, reason: str) -> Any:
    if not isinstance(output, Scorecard):
        return output
    skipped = (*output.coverage.skipped, Skipped(reason=f"{reason}:{output.ruleset}", amount_ms=output.call_ms))
    return dataclasses.replace(output, coverage=dataclasses.replace(output.coverage, evaluated_ms=0, skipped=skipped))


def _count(outputs: list[Any], lane: str) -> None:
    for output in outputs:
        if isinstance(output, Violation):
            INSPECT_VIOLATIONS.labels(output.severity, output.state).inc()
            if lane == "live" and output.state != "retracted":
                delay_s = time.time() - output.audio_at_ms / 1000
                INSPECT_VIOLATION_LATENCY.labels(output.state).observe(max(0.0, delay_s))
        elif isinstance(output, Alert):
            INSPECT_ALERTS.labels(output.severity).inc()
