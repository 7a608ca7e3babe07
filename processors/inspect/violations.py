"""Violations of a rule in a call: what changes about them when it is judged again, and their records. Pure.

A violation is provisional while it rests on partials, then confirmed for good or retracted. Its id is made of its
place, so that the same one has the same id whenever, and however often, it is found.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from processors.inspect.book import CompiledRule, RuleBook
from processors.inspect.logic import Found, trigger_key
from processors.inspect.operators.base import LINE, Call, TimelineRecord
from processors.inspect.state import Emitted
from processors.records import Evidence, Partial, Role, Utterance, Violation, ViolationState

NAMESPACE: Final = uuid.UUID("0b3ff2d8-5f0c-5a39-8f5e-5f1c1e2d9f10")
MAX_VIOLATIONS: Final = 100
"""Most violations of one rule in one call."""
MAX_EVIDENCE: Final = 16


def compare(
    known: Mapping[str, Emitted], founds: Sequence[Found], call_id: str
) -> tuple[dict[str, Emitted], list[tuple[Emitted, Found | None]]]:
    """What is out when these were found, and what changes: new or certain now, or taken back (without a Found)."""
    now = dict(known)
    changes: list[tuple[Emitted, Found | None]] = []
    room = MAX_VIOLATIONS - sum(one.state == "confirmed" for one in now.values())
    held = set()
    for found in founds:
        key = trigger_key(found)
        before = now.get(key)
        state: ViolationState = "provisional" if found.provisional else "confirmed"
        if state == "confirmed" and room <= 0:
            continue
        held.add(key)
        if before is not None and before.state in (state, "confirmed"):
            continue
        if state == "confirmed":
            room -= 1
        elif before is None and len(now) >= MAX_VIOLATIONS:
            continue
        trigger = before.trigger if before is not None else _trigger(found, call_id)
        now[key] = Emitted(state, found.start_ms, found.end_ms, trigger)
        changes.append((now[key], found))
    for key, before in known.items():
        if before.state == "provisional" and key not in held:
            now[key] = before._replace(state="retracted")
            changes.append((now[key], None))
    return now, changes


def _trigger(found: Found, call_id: str) -> str:
    """What the id of a violation is made of, beside its call and its rule."""
    if found.once:  # whichever of its hits came first, there is no other
        return trigger_key(found)
    hit = found.trigger
    if hit is None:
        return str(found.start_ms)
    if hit.utterance_no >= 0:
        return f"{call_id}/{hit.channel}/{hit.utterance_no}"
    return str(hit.start_ms)


def violation(
    book: RuleBook,
    compiled: CompiledRule,
    call: Call,
    record: TimelineRecord,
    emitted: Emitted,
    found: Found | None,
) -> Violation:
    """The record of a violation; `found` is None when it is retracted."""
    rule = compiled.rule
    role: Role = _role(rule.scope.role)
    if found is not None and found.trigger is not None and found.trigger.role:
        role = _role(found.trigger.role)
    proved_ms = emitted.end_ms if found is None else found.proved_ms
    state: ViolationState = "retracted"
    if found is not None:
        state = "provisional" if found.provisional else "confirmed"
    return Violation(
        violation_id=violation_id(call.call_id, rule.rule_id, rule.version, emitted.trigger),
        call_id=call.call_id,
        rule_id=rule.rule_id,
        rule_name=rule.name,
        rule_version=rule.version,
        ruleset=book.name,
        ruleset_version=book.version,
        state=state,
        severity=rule.severity,
        points=float(rule.points),
        fatal=rule.fatal,
        role=role,
        agent_id=call.agent_id,
        team_id=call.team_id,
        scenario=call.scenario,
        start_ms=emitted.start_ms,
        end_ms=emitted.end_ms,
        call_ms=_now_ms(record, call),
        evidence=() if found is None else _evidence(call.call_id, found),
        explanation=rule.explain or rule.name,
        audio_at_ms=call.at_ms + proved_ms,
        detected_at_ms=0,
    )


def violation_id(call_id: str, rule_id: str, rule_version: str, trigger: str, occurrence: int = 0) -> str:
    """The identity of a violation: computed from its place, so that a repeat overwrites itself."""
    return str(uuid.uuid5(NAMESPACE, f"{call_id}/{rule_id}/{rule_version}/{trigger}/{occurrence}"))


def _evidence(call_id: str, found: Found) -> tuple[Evidence, ...]:
    """The proof of a hit, in the order of time."""
    proof: list[Evidence] = []
    for operator, hit in found.hits:
        if not hit.parts:
            utterance_id = f"{call_id}/{hit.channel}/{hit.utterance_no}" if hit.utterance_no >= 0 else ""
            proof.append(
                Evidence(
                    start_ms=hit.start_ms,
                    end_ms=hit.end_ms,
                    operator=operator,
                    utterance_id=utterance_id,
                    channel=hit.channel if hit.channel >= 0 else LINE,
                    value=hit.value,
                )
            )
        for part in hit.parts:
            proof.append(
                Evidence(
                    start_ms=part.start_ms,
                    end_ms=part.end_ms,
                    operator=operator,
                    utterance_id=f"{call_id}/{part.channel}/{part.utterance_no}",
                    channel=part.channel,
                    quote=part.quote,
                    char_from=part.char_from,
                    char_to=part.char_to,
                    value=hit.value,
                )
            )
    proof.sort(key=lambda one: (one.start_ms, one.end_ms))
    return tuple(proof[:MAX_EVIDENCE])


def _role(name: str) -> Role:
    return "agent" if name == "agent" else "customer" if name == "customer" else "mixed"


def _now_ms(record: TimelineRecord, call: Call) -> int:
    """Call time at which the record was known."""
    if isinstance(record, Utterance | Partial):
        return record.end_ms
    return call.call_ms
