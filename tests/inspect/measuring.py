"""Runs one measuring operator over records, as the engine does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from processors.inspect.operators.base import Call, Hit, Measuring, Operator
from processors.inspect.reader import Problem, Reader
from processors.records import AgentJoined, CallEnded, CallStarted, EmotionPoint, HoldChanged, Tick, Utterance


def read(operator: type[Operator], text: str, role: str = "") -> Any:
    """The operator from its YAML argument; the text must be right."""
    found, problems = try_read(operator, text, role)
    assert not problems, problems
    return found


def try_read(operator: type[Operator], text: str, role: str = "") -> tuple[Any, list[Problem]]:
    """The operator and what is wrong with its YAML argument."""
    reader = Reader("rules.yaml", scope_role=role)
    node = yaml.compose(text)
    assert node is not None
    return operator.read(node, reader), reader.problems


def start(record: CallStarted) -> Call:
    """What is known at the start of a call."""
    return Call(
        call_id=record.call_id,
        at_ms=record.at_ms,
        lane=record.lane,
        direction=record.direction,
        scenario=record.scenario,
        queue=record.queue,
        team_id=record.team_id,
        agent_id=record.agent_id,
        customer_id=record.customer_id,
        language=record.language,
        roles=record.channels,
        attributes=record.attributes,
        final_until_ms=tuple(0 for _ in record.channels),
    )


def follow(call: Call, record: Any) -> Call:
    """The call with `record` counted in."""
    finals = list(call.final_until_ms)
    match record:
        case CallStarted():
            return start(record)
        case Tick():
            for channel in record.channels:
                finals[channel.channel] = max(finals[channel.channel], channel.final_until_ms)
            return call._replace(call_ms=max(call.call_ms, record.call_ms), final_until_ms=tuple(finals))
        case Utterance():
            return call._replace(call_ms=max(call.call_ms, record.end_ms))
        case HoldChanged():
            return call._replace(held=record.held)
        case AgentJoined():
            return call._replace(agent_id=record.agent_id, team_id=record.team_id)
        case CallEnded():
            return call._replace(call_ms=record.call_ms, ended=True)
        case EmotionPoint() | _:
            return call


def observe(operator: Measuring, records: Iterable[Any]) -> list[tuple[Any, Hit]]:
    """(record that proved it, hit) of every hit; the memory is written and read between each two records."""
    found: list[tuple[Any, Hit]] = []
    call, memory = Call("c", 0, "live", "unknown", "", "", "", "", "", "", ()), None
    for record in records:
        call = follow(call, record)
        if isinstance(record, CallStarted):
            memory = operator.start(call)
        if isinstance(record, operator.observes):
            before = json.dumps(memory)
            new, hits = operator.observe(memory, record, call)
            assert json.dumps(memory) == before, "the memory may not be changed in place"
            memory = json.loads(json.dumps(new))
            assert memory == new, "the memory must survive JSON"
            found += [(record, hit) for hit in hits]
    return found


def hits(operator: Measuring, records: Iterable[Any]) -> list[Hit]:
    """Every hit."""
    return [hit for _, hit in observe(operator, records)]


def spans(operator: Measuring, records: Iterable[Any]) -> list[tuple[int, int]]:
    """(start_ms, end_ms) of every hit."""
    return [(hit.start_ms, hit.end_ms) for hit in hits(operator, records)]
