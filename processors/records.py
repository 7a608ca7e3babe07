"""Typed records of all topics. Generated from schemas/*.avsc by processors.runtime.codegen; do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

NOTHING: Mapping[str, Any] = MappingProxyType({})

AlertState = Literal["raised", "retracted"]
Severity = Literal["info", "low", "medium", "high", "critical"]
Encoding = Literal["pcmu", "pcma", "pcm_s16le"]
Lane = Literal["live", "recordings"]
Direction = Literal["inbound", "outbound", "internal", "unknown"]
Role = Literal["agent", "customer", "mixed"]
EmotionLabel = Literal["calm", "tense", "angry", "dejected"]
EmotionTrend = Literal["rising", "steady", "falling"]
StepState = Literal["waiting", "due", "done", "missed", "skipped"]
ScorecardState = Literal["running", "final"]
ViolationState = Literal["provisional", "confirmed", "retracted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent of the call centre."""

    agent_id: str
    """Agent."""
    name: str = ""
    """For people."""
    team_id: str = ""
    """Team."""
    roles: tuple[str, ...] = ()
    """agent, supervisor, inspector, admin."""
    attributes: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Further facts."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "agent_id": self.agent_id,
            "name": self.name,
            "team_id": self.team_id,
            "roles": list(self.roles),
            "attributes": dict(self.attributes),
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Agent:
        """From the plain values of the Avro decoder."""
        return cls(
            agent_id=d["agent_id"],
            name=d["name"],
            team_id=d["team_id"],
            roles=tuple(d["roles"]),
            attributes=dict(d["attributes"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentJoined:
    """Another agent takes over."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    call_ms: int
    """Call time."""
    agent_id: str
    """The new agent."""
    team_id: str = ""
    """Team of the new agent."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "call_ms": self.call_ms,
            "agent_id": self.agent_id,
            "team_id": self.team_id,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> AgentJoined:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            call_ms=d["call_ms"],
            agent_id=d["agent_id"],
            team_id=d["team_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Somebody should know now."""

    alert_id: str
    """UUIDv5 of its cause."""
    call_id: str
    """Identity of the call; the key of every topic about calls."""
    cause: str
    """violation or emotion."""
    severity: Severity
    """Severity."""
    text: str
    """For people."""
    call_ms: int
    """Call time."""
    at_ms: int
    """UTC epoch time of the audio behind it."""
    state: AlertState = "raised"
    """Raised or retracted."""
    violation_id: str = ""
    """Empty for an emotion."""
    rule_id: str = ""
    """Empty for an emotion."""
    recipients: tuple[str, ...] = ()
    """Roles, teams or people."""
    agent_id: str = ""
    """Agent."""
    team_id: str = ""
    """Team."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "alert_id": self.alert_id,
            "call_id": self.call_id,
            "state": self.state,
            "cause": self.cause,
            "violation_id": self.violation_id,
            "rule_id": self.rule_id,
            "severity": self.severity,
            "recipients": list(self.recipients),
            "agent_id": self.agent_id,
            "team_id": self.team_id,
            "text": self.text,
            "call_ms": self.call_ms,
            "at_ms": self.at_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Alert:
        """From the plain values of the Avro decoder."""
        return cls(
            alert_id=d["alert_id"],
            call_id=d["call_id"],
            state=d["state"],
            cause=d["cause"],
            violation_id=d["violation_id"],
            rule_id=d["rule_id"],
            severity=d["severity"],
            recipients=tuple(d["recipients"]),
            agent_id=d["agent_id"],
            team_id=d["team_id"],
            text=d["text"],
            call_ms=d["call_ms"],
            at_ms=d["at_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioChunk:
    """A stretch of audio of one channel."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    channel: int
    """Index of the audio channel, 0 based."""
    seq: int
    """Number of the chunk within its channel, 0 based."""
    start_ms: int
    """Call time of the first sample."""
    encoding: Encoding
    """Encoding of the payload."""
    sample_rate_hz: int
    """Samples a second."""
    payload: bytes
    """Encoded samples, mono."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "channel": self.channel,
            "seq": self.seq,
            "start_ms": self.start_ms,
            "encoding": self.encoding,
            "sample_rate_hz": self.sample_rate_hz,
            "payload": self.payload,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> AudioChunk:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            channel=d["channel"],
            seq=d["seq"],
            start_ms=d["start_ms"],
            encoding=d["encoding"],
            sample_rate_hz=d["sample_rate_hz"],
            payload=d["payload"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Work that was not done, so that coverage is provable."""

    reason: str
    """Why, for example overload_meaning or media_gap."""
    amount_ms: int = 0
    """Audio concerned, in milliseconds."""
    count: int = 1
    """How often."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "reason": self.reason,
            "amount_ms": self.amount_ms,
            "count": self.count,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Skipped:
        """From the plain values of the Avro decoder."""
        return cls(
            reason=d["reason"],
            amount_ms=d["amount_ms"],
            count=d["count"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What part of the call was really inspected."""

    audio_ms: int = 0
    """Audio received, summed over channels."""
    transcribed_ms: int = 0
    """Audio transcribed or known to be without speech, summed over channels."""
    evaluated_ms: int = 0
    """Audio whose transcript was judged by rules, summed over channels."""
    skipped: tuple[Skipped, ...] = ()
    """What was left out, and why."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "audio_ms": self.audio_ms,
            "transcribed_ms": self.transcribed_ms,
            "evaluated_ms": self.evaluated_ms,
            "skipped": list(x.to_avro() for x in self.skipped),
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Coverage:
        """From the plain values of the Avro decoder."""
        return cls(
            audio_ms=d["audio_ms"],
            transcribed_ms=d["transcribed_ms"],
            evaluated_ms=d["evaluated_ms"],
            skipped=tuple(Skipped.from_avro(x) for x in d["skipped"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """Last record of a call."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    call_ms: int
    """Duration of the call."""
    at_ms: int
    """End of the call, UTC epoch milliseconds."""
    reason: str = "hangup"
    """hangup, end_of_file, idle, bad_media or another cause."""
    detail: str = ""
    """For people: what happened, when the end was not a normal one."""
    coverage: Coverage | None = None
    """Filled by speech on the timeline."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "call_ms": self.call_ms,
            "at_ms": self.at_ms,
            "reason": self.reason,
            "detail": self.detail,
            "coverage": None if self.coverage is None else self.coverage.to_avro(),
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> CallEnded:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            call_ms=d["call_ms"],
            at_ms=d["at_ms"],
            reason=d["reason"],
            detail=d["detail"],
            coverage=None if d["coverage"] is None else Coverage.from_avro(d["coverage"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted:
    """First record of a call."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    at_ms: int
    """Start of the call, UTC epoch milliseconds."""
    lane: Lane
    """Live or recording."""
    channels: tuple[Role, ...]
    """Role of each channel, by index."""
    direction: Direction = "unknown"
    """Who called whom."""
    scenario: str = ""
    """Business scenario, for example loan-sales or collection; empty when unknown."""
    queue: str = ""
    """Queue or skill group."""
    team_id: str = ""
    """Team of the agent."""
    agent_id: str = ""
    """Agent of the call."""
    customer_id: str = ""
    """Customer of the call."""
    language: str = "zh-CN"
    """BCP 47 tag."""
    attributes: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Metadata from CRM or CTI."""
    door: str = ""
    """Door through which the call came, for example recordings or twilio."""
    ruleset: str = ""
    """Name of the rule set that judges the call; empty means the default one."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "at_ms": self.at_ms,
            "lane": self.lane,
            "direction": self.direction,
            "scenario": self.scenario,
            "queue": self.queue,
            "team_id": self.team_id,
            "agent_id": self.agent_id,
            "customer_id": self.customer_id,
            "language": self.language,
            "channels": list(self.channels),
            "attributes": dict(self.attributes),
            "door": self.door,
            "ruleset": self.ruleset,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> CallStarted:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            at_ms=d["at_ms"],
            lane=d["lane"],
            direction=d["direction"],
            scenario=d["scenario"],
            queue=d["queue"],
            team_id=d["team_id"],
            agent_id=d["agent_id"],
            customer_id=d["customer_id"],
            language=d["language"],
            channels=tuple(d["channels"]),
            attributes=dict(d["attributes"]),
            door=d["door"],
            ruleset=d["ruleset"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCommand:
    """Somebody asks for a move of a case."""

    command_id: str
    """Identity of the request."""
    case_id: str
    """Case."""
    move: str
    """Move of the state machine."""
    actor: str
    """Who."""
    at_ms: int
    """UTC epoch time."""
    comment: str = ""
    """Why."""
    points: float | None = None
    """New points, when the move adjusts them."""
    assignee: str = ""
    """To whom, when the move assigns."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "command_id": self.command_id,
            "case_id": self.case_id,
            "move": self.move,
            "actor": self.actor,
            "comment": self.comment,
            "points": self.points,
            "assignee": self.assignee,
            "at_ms": self.at_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> CaseCommand:
        """From the plain values of the Avro decoder."""
        return cls(
            command_id=d["command_id"],
            case_id=d["case_id"],
            move=d["move"],
            actor=d["actor"],
            comment=d["comment"],
            points=d["points"],
            assignee=d["assignee"],
            at_ms=d["at_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseEvent:
    """A case has moved."""

    event_id: str
    """UUIDv5 of case and number."""
    case_id: str
    """Case."""
    call_id: str
    """Identity of the call; the key of every topic about calls."""
    number: int
    """Number of the event within the case, 0 based."""
    move: str
    """Move."""
    from_state: str
    """State before."""
    to_state: str
    """State after."""
    actor: str
    """Who."""
    old_points: float
    """Points before."""
    new_points: float
    """Points after."""
    at_ms: int
    """UTC epoch time."""
    violation_id: str = ""
    """Violation concerned."""
    comment: str = ""
    """Why."""
    due_at_ms: int | None = None
    """Deadline of the next move."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "event_id": self.event_id,
            "case_id": self.case_id,
            "call_id": self.call_id,
            "violation_id": self.violation_id,
            "number": self.number,
            "move": self.move,
            "from_state": self.from_state,
            "to_state": self.to_state,
            "actor": self.actor,
            "comment": self.comment,
            "old_points": self.old_points,
            "new_points": self.new_points,
            "due_at_ms": self.due_at_ms,
            "at_ms": self.at_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> CaseEvent:
        """From the plain values of the Avro decoder."""
        return cls(
            event_id=d["event_id"],
            case_id=d["case_id"],
            call_id=d["call_id"],
            violation_id=d["violation_id"],
            number=d["number"],
            move=d["move"],
            from_state=d["from_state"],
            to_state=d["to_state"],
            actor=d["actor"],
            comment=d["comment"],
            old_points=d["old_points"],
            new_points=d["new_points"],
            due_at_ms=d["due_at_ms"],
            at_ms=d["at_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer."""

    customer_id: str
    """Customer."""
    name: str = ""
    """For people, redacted where the policy says so."""
    segment: str = ""
    """Segment."""
    attributes: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Further facts."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "customer_id": self.customer_id,
            "name": self.name,
            "segment": self.segment,
            "attributes": dict(self.attributes),
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Customer:
        """From the plain values of the Avro decoder."""
        return cls(
            customer_id=d["customer_id"],
            name=d["name"],
            segment=d["segment"],
            attributes=dict(d["attributes"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One measurement behind an emotion."""

    name: str
    """pitch_hz, level_db, chars_per_min, sentiment, words, overlap or silence."""
    value: float
    """Measured."""
    baseline: float
    """The speaker's own baseline."""
    z: float
    """Robust deviation from the baseline."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "name": self.name,
            "value": self.value,
            "baseline": self.baseline,
            "z": self.z,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Driver:
        """From the plain values of the Avro decoder."""
        return cls(
            name=d["name"],
            value=d["value"],
            baseline=d["baseline"],
            z=d["z"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionPoint:
    """Emotion of one speaker at one utterance."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    channel: int
    """Index of the audio channel, 0 based."""
    role: Role
    """Who speaks on the channel."""
    call_ms: int
    """Call time."""
    arousal: float
    """Smoothed, 0 is the speaker's own normal."""
    valence: float
    """Smoothed, -1 to 1."""
    label: EmotionLabel
    """Emotion."""
    trend: EmotionTrend
    """Trend."""
    at_ms: int
    """UTC epoch time of the audio's end."""
    utterance_id: str = ""
    """Utterance measured."""
    drivers: tuple[Driver, ...] = ()
    """Strongest first."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "channel": self.channel,
            "role": self.role,
            "utterance_id": self.utterance_id,
            "call_ms": self.call_ms,
            "arousal": self.arousal,
            "valence": self.valence,
            "label": self.label,
            "trend": self.trend,
            "drivers": list(x.to_avro() for x in self.drivers),
            "at_ms": self.at_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> EmotionPoint:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            channel=d["channel"],
            role=d["role"],
            utterance_id=d["utterance_id"],
            call_ms=d["call_ms"],
            arousal=d["arousal"],
            valence=d["valence"],
            label=d["label"],
            trend=d["trend"],
            drivers=tuple(Driver.from_avro(x) for x in d["drivers"]),
            at_ms=d["at_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStep:
    """One step of a flow."""

    step_id: str
    """Step."""
    name: str
    """For people."""
    state: StepState
    """Where it stands."""
    due_ms: int | None = None
    """Call time of its deadline."""
    at_ms: int | None = None
    """Call time at which it was done or missed."""
    points: float = 0.0
    """Points given or taken."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "step_id": self.step_id,
            "name": self.name,
            "state": self.state,
            "due_ms": self.due_ms,
            "at_ms": self.at_ms,
            "points": self.points,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> FlowStep:
        """From the plain values of the Avro decoder."""
        return cls(
            step_id=d["step_id"],
            name=d["name"],
            state=d["state"],
            due_ms=d["due_ms"],
            at_ms=d["at_ms"],
            points=d["points"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowProgress:
    """Where a call stands in a flow."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    flow_id: str
    """Flow."""
    steps: tuple[FlowStep, ...]
    """All steps, in the order of the file."""
    done: bool
    """The flow is finished."""
    call_ms: int
    """Call time."""
    name: str = ""
    """For people."""
    current: str = ""
    """Step that is due next; empty at the end."""
    ruleset_version: str = ""
    """Version."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "flow_id": self.flow_id,
            "name": self.name,
            "current": self.current,
            "steps": list(x.to_avro() for x in self.steps),
            "done": self.done,
            "ruleset_version": self.ruleset_version,
            "call_ms": self.call_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> FlowProgress:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            flow_id=d["flow_id"],
            name=d["name"],
            current=d["current"],
            steps=tuple(FlowStep.from_avro(x) for x in d["steps"]),
            done=d["done"],
            ruleset_version=d["ruleset_version"],
            call_ms=d["call_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldChanged:
    """The call was put on hold or taken back."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    call_ms: int
    """Call time."""
    held: bool
    """True when the hold begins."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "call_ms": self.call_ms,
            "held": self.held,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> HoldChanged:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            call_ms=d["call_ms"],
            held=d["held"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaGap:
    """Audio that never arrived."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    channel: int
    """Index of the audio channel, 0 based."""
    start_ms: int
    """Call time of the gap's start."""
    end_ms: int
    """Call time of the gap's end."""
    reason: str = ""
    """Why, for example packet_loss."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "channel": self.channel,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "reason": self.reason,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> MediaGap:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            channel=d["channel"],
            start_ms=d["start_ms"],
            end_ms=d["end_ms"],
            reason=d["reason"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """What an open utterance says so far; replaced by the next one."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    channel: int
    """Index of the audio channel, 0 based."""
    role: Role
    """Who speaks on the channel."""
    utterance_no: int
    """Number of the utterance within its channel, 0 based."""
    start_ms: int
    """Call time at which the utterance began."""
    end_ms: int
    """Call time up to which audio was heard."""
    text: str
    """Text so far, as spoken."""
    at_ms: int
    """UTC epoch time of the audio's end."""
    alternatives: tuple[str, ...] = ()
    """For each character of the text those that it may be instead, the likeliest first, empty when it is certain; no entries when nothing is known."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "channel": self.channel,
            "role": self.role,
            "utterance_no": self.utterance_no,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "text": self.text,
            "at_ms": self.at_ms,
            "alternatives": list(self.alternatives),
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Partial:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            channel=d["channel"],
            role=d["role"],
            utterance_no=d["utterance_no"],
            start_ms=d["start_ms"],
            end_ms=d["end_ms"],
            text=d["text"],
            at_ms=d["at_ms"],
            alternatives=tuple(d["alternatives"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """A published version of a rule set."""

    name: str
    """Rule set."""
    version: str
    """Version: digest of the files."""
    at_ms: int
    """UTC epoch time of publication."""
    files: Mapping[str, str]
    """Path to YAML text."""
    author: str = ""
    """Who published it."""
    comment: str = ""
    """Why."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "name": self.name,
            "version": self.version,
            "author": self.author,
            "comment": self.comment,
            "at_ms": self.at_ms,
            "files": dict(self.files),
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> RuleSet:
        """From the plain values of the Avro decoder."""
        return cls(
            name=d["name"],
            version=d["version"],
            author=d["author"],
            comment=d["comment"],
            at_ms=d["at_ms"],
            files=dict(d["files"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreItem:
    """One line of a scorecard."""

    item_id: str
    """Item of the scheme, or rule."""
    name: str
    """For people."""
    points: float
    """Points given or taken."""
    dimension: str = ""
    """Group of items."""
    hits: int = 0
    """How often."""
    fatal: bool = False
    """Whether it fails the call."""
    applicable: bool = True
    """False: not applicable to this call."""
    violation_ids: tuple[str, ...] = ()
    """Every point is traceable to these."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "item_id": self.item_id,
            "name": self.name,
            "dimension": self.dimension,
            "points": self.points,
            "hits": self.hits,
            "fatal": self.fatal,
            "applicable": self.applicable,
            "violation_ids": list(self.violation_ids),
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> ScoreItem:
        """From the plain values of the Avro decoder."""
        return cls(
            item_id=d["item_id"],
            name=d["name"],
            dimension=d["dimension"],
            points=d["points"],
            hits=d["hits"],
            fatal=d["fatal"],
            applicable=d["applicable"],
            violation_ids=tuple(d["violation_ids"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMetrics:
    """Measurements of a call."""

    duration_ms: int = 0
    """Call time so far."""
    talk_ms: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    """Speech by role."""
    talk_ratio_agent: float = 0.0
    """Share of the agent in all speech."""
    silence_ms: int = 0
    """Nobody speaks."""
    longest_silence_ms: int = 0
    """Longest stretch."""
    overlap_ms: int = 0
    """Both speak."""
    overlaps: int = 0
    """How often."""
    hold_ms: int = 0
    """On hold."""
    chars_per_min: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    """Speech rate by role."""
    utterances: int = 0
    """Number of utterances."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "duration_ms": self.duration_ms,
            "talk_ms": dict(self.talk_ms),
            "talk_ratio_agent": self.talk_ratio_agent,
            "silence_ms": self.silence_ms,
            "longest_silence_ms": self.longest_silence_ms,
            "overlap_ms": self.overlap_ms,
            "overlaps": self.overlaps,
            "hold_ms": self.hold_ms,
            "chars_per_min": dict(self.chars_per_min),
            "utterances": self.utterances,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> CallMetrics:
        """From the plain values of the Avro decoder."""
        return cls(
            duration_ms=d["duration_ms"],
            talk_ms=dict(d["talk_ms"]),
            talk_ratio_agent=d["talk_ratio_agent"],
            silence_ms=d["silence_ms"],
            longest_silence_ms=d["longest_silence_ms"],
            overlap_ms=d["overlap_ms"],
            overlaps=d["overlaps"],
            hold_ms=d["hold_ms"],
            chars_per_min=dict(d["chars_per_min"]),
            utterances=d["utterances"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """Score of a call."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    state: ScorecardState
    """Running or final."""
    points: float
    """Total."""
    fatal: bool
    """A fatal item was hit."""
    ruleset_version: str
    """Version."""
    metrics: CallMetrics
    """Measurements."""
    coverage: Coverage
    """What was inspected."""
    call_ms: int
    """Call time."""
    at_ms: int
    """UTC epoch time of that point of the call."""
    scheme: str = ""
    """Scoring scheme; empty means the sum of the rules' points."""
    items: tuple[ScoreItem, ...] = ()
    """Lines."""
    ruleset: str = ""
    """Rule set."""
    agent_id: str = ""
    """Agent."""
    team_id: str = ""
    """Team."""
    scenario: str = ""
    """Scenario."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "state": self.state,
            "scheme": self.scheme,
            "points": self.points,
            "fatal": self.fatal,
            "items": list(x.to_avro() for x in self.items),
            "ruleset": self.ruleset,
            "ruleset_version": self.ruleset_version,
            "agent_id": self.agent_id,
            "team_id": self.team_id,
            "scenario": self.scenario,
            "metrics": self.metrics.to_avro(),
            "coverage": self.coverage.to_avro(),
            "call_ms": self.call_ms,
            "at_ms": self.at_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Scorecard:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            state=d["state"],
            scheme=d["scheme"],
            points=d["points"],
            fatal=d["fatal"],
            items=tuple(ScoreItem.from_avro(x) for x in d["items"]),
            ruleset=d["ruleset"],
            ruleset_version=d["ruleset_version"],
            agent_id=d["agent_id"],
            team_id=d["team_id"],
            scenario=d["scenario"],
            metrics=CallMetrics.from_avro(d["metrics"]),
            coverage=Coverage.from_avro(d["coverage"]),
            call_ms=d["call_ms"],
            at_ms=d["at_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerCheck:
    """A voice was compared with an enrolled print."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    channel: int
    """Index of the audio channel, 0 based."""
    role: Role
    """Who speaks on the channel."""
    call_ms: int
    """Call time."""
    agent_id: str
    """Whose print."""
    score: float
    """Cosine similarity."""
    threshold: float
    """Least score that passes."""
    matched: bool
    """Whether it passed."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "channel": self.channel,
            "role": self.role,
            "call_ms": self.call_ms,
            "agent_id": self.agent_id,
            "score": self.score,
            "threshold": self.threshold,
            "matched": self.matched,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> SpeakerCheck:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            channel=d["channel"],
            role=d["role"],
            call_ms=d["call_ms"],
            agent_id=d["agent_id"],
            score=d["score"],
            threshold=d["threshold"],
            matched=d["matched"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team of agents."""

    team_id: str
    """Team."""
    name: str = ""
    """For people."""
    supervisors: tuple[str, ...] = ()
    """Agents who supervise."""
    parent_id: str = ""
    """Team above."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "team_id": self.team_id,
            "name": self.name,
            "supervisors": list(self.supervisors),
            "parent_id": self.parent_id,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Team:
        """From the plain values of the Avro decoder."""
        return cls(
            team_id=d["team_id"],
            name=d["name"],
            supervisors=tuple(d["supervisors"]),
            parent_id=d["parent_id"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTick:
    """Progress of one channel."""

    channel: int
    """Index of the audio channel, 0 based."""
    final_until_ms: int
    """Everything that starts before this is transcribed for good."""
    speech_ms: int
    """Speech so far, by voice activity."""
    level_db: float | None = None
    """Level of the last second in dBFS; null without audio."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "channel": self.channel,
            "final_until_ms": self.final_until_ms,
            "speech_ms": self.speech_ms,
            "level_db": self.level_db,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> ChannelTick:
        """From the plain values of the Avro decoder."""
        return cls(
            channel=d["channel"],
            final_until_ms=d["final_until_ms"],
            speech_ms=d["speech_ms"],
            level_db=d["level_db"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One second of a call has passed."""

    call_id: str
    """Identity of the call; the key of every topic about calls."""
    call_ms: int
    """Call time."""
    channels: tuple[ChannelTick, ...]
    """Progress by channel."""
    at_ms: int
    """UTC epoch time of this point of the audio."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "call_id": self.call_id,
            "call_ms": self.call_ms,
            "channels": list(x.to_avro() for x in self.channels),
            "at_ms": self.at_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Tick:
        """From the plain values of the Avro decoder."""
        return cls(
            call_id=d["call_id"],
            call_ms=d["call_ms"],
            channels=tuple(ChannelTick.from_avro(x) for x in d["channels"]),
            at_ms=d["at_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One character or word of an utterance."""

    text: str
    """As spoken."""
    start_ms: int
    """Call time."""
    end_ms: int
    """Call time."""
    confidence: float
    """0 to 1."""
    alternatives: str = ""
    """Characters that it may have been instead, the likeliest first; empty when it is certain, or no single character."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "text": self.text,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "confidence": self.confidence,
            "alternatives": self.alternatives,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Token:
        """From the plain values of the Avro decoder."""
        return cls(
            text=d["text"],
            start_ms=d["start_ms"],
            end_ms=d["end_ms"],
            confidence=d["confidence"],
            alternatives=d["alternatives"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Acoustics:
    """Measurements of one utterance."""

    level_db: float
    """RMS level in dBFS."""
    chars_per_min: float
    """Speech rate from token times."""
    overlap_ms: int
    """Time during which the other channel speaks too."""
    pitch_hz: float | None = None
    """Median pitch; null when unvoiced."""
    pitch_range_st: float | None = None
    """5th to 95th percentile of the pitch in semitones."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "level_db": self.level_db,
            "pitch_hz": self.pitch_hz,
            "pitch_range_st": self.pitch_range_st,
            "chars_per_min": self.chars_per_min,
            "overlap_ms": self.overlap_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Acoustics:
        """From the plain values of the Avro decoder."""
        return cls(
            level_db=d["level_db"],
            pitch_hz=d["pitch_hz"],
            pitch_range_st=d["pitch_range_st"],
            chars_per_min=d["chars_per_min"],
            overlap_ms=d["overlap_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Meaning of one utterance."""

    sentiment: float
    """-1 negative to 1 positive."""
    intents: Mapping[str, float]
    """Intent to score, 0 to 1."""
    vector: bytes
    """Unit sentence vector, little-endian float16."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "sentiment": self.sentiment,
            "intents": dict(self.intents),
            "vector": self.vector,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Meaning:
        """From the plain values of the Avro decoder."""
        return cls(
            sentiment=d["sentiment"],
            intents=dict(d["intents"]),
            vector=d["vector"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One finished utterance of one channel."""

    utterance_id: str
    """CALL/CHANNEL/NUMBER; the same for every repeat."""
    call_id: str
    """Identity of the call; the key of every topic about calls."""
    channel: int
    """Index of the audio channel, 0 based."""
    role: Role
    """Who speaks on the channel."""
    utterance_no: int
    """Number within the channel, 0 based."""
    start_ms: int
    """Call time."""
    end_ms: int
    """Call time."""
    text: str
    """As spoken."""
    confidence: float
    """Mean token confidence, 0 to 1."""
    at_ms: int
    """UTC epoch time of the audio's end."""
    written: str = ""
    """After inverse text normalisation."""
    tokens: tuple[Token, ...] = ()
    """Characters with times and confidence; joined they give the text."""
    acoustics: Acoustics | None = None
    """Null when skipped."""
    meaning: Meaning | None = None
    """Null when skipped or not configured."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "utterance_id": self.utterance_id,
            "call_id": self.call_id,
            "channel": self.channel,
            "role": self.role,
            "utterance_no": self.utterance_no,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "text": self.text,
            "written": self.written,
            "tokens": list(x.to_avro() for x in self.tokens),
            "confidence": self.confidence,
            "acoustics": None if self.acoustics is None else self.acoustics.to_avro(),
            "meaning": None if self.meaning is None else self.meaning.to_avro(),
            "at_ms": self.at_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Utterance:
        """From the plain values of the Avro decoder."""
        return cls(
            utterance_id=d["utterance_id"],
            call_id=d["call_id"],
            channel=d["channel"],
            role=d["role"],
            utterance_no=d["utterance_no"],
            start_ms=d["start_ms"],
            end_ms=d["end_ms"],
            text=d["text"],
            written=d["written"],
            tokens=tuple(Token.from_avro(x) for x in d["tokens"]),
            confidence=d["confidence"],
            acoustics=None if d["acoustics"] is None else Acoustics.from_avro(d["acoustics"]),
            meaning=None if d["meaning"] is None else Meaning.from_avro(d["meaning"]),
            at_ms=d["at_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What proves one part of a finding."""

    start_ms: int
    """Call time."""
    end_ms: int
    """Call time."""
    operator: str
    """Operator that found it."""
    utterance_id: str = ""
    """Empty when no utterance is concerned."""
    channel: int = -1
    """Channel, -1 for the line."""
    quote: str = ""
    """Words as spoken."""
    char_from: int = -1
    """First character of the quote in the utterance's text, -1 without text."""
    char_to: int = -1
    """One past the last character, -1 without text."""
    value: float | None = None
    """Measurement, in the unit of the operator."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "utterance_id": self.utterance_id,
            "channel": self.channel,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "quote": self.quote,
            "char_from": self.char_from,
            "char_to": self.char_to,
            "operator": self.operator,
            "value": self.value,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Evidence:
        """From the plain values of the Avro decoder."""
        return cls(
            utterance_id=d["utterance_id"],
            channel=d["channel"],
            start_ms=d["start_ms"],
            end_ms=d["end_ms"],
            quote=d["quote"],
            char_from=d["char_from"],
            char_to=d["char_to"],
            operator=d["operator"],
            value=d["value"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule was hit."""

    violation_id: str
    """UUIDv5 of call, rule, rule version, trigger and occurrence."""
    call_id: str
    """Identity of the call; the key of every topic about calls."""
    rule_id: str
    """Rule."""
    rule_version: str
    """Version of the rule: digest of its content."""
    ruleset_version: str
    """Version of the rule set."""
    state: ViolationState
    """Provisional, confirmed or retracted."""
    severity: Severity
    """Severity of the rule."""
    points: float
    """Points of the rule; negative deducts."""
    fatal: bool
    """Whether the rule fails the whole call."""
    role: Role
    """Who did it."""
    start_ms: int
    """Call time."""
    end_ms: int
    """Call time."""
    audio_at_ms: int
    """UTC epoch time of the audio that proved it."""
    detected_at_ms: int
    """UTC epoch time at which it was published."""
    rule_name: str = ""
    """Name of the rule for people."""
    ruleset: str = ""
    """Rule set."""
    agent_id: str = ""
    """Agent at that time."""
    team_id: str = ""
    """Team of the agent."""
    scenario: str = ""
    """Scenario of the call."""
    call_ms: int = 0
    """Call time at which it was found."""
    evidence: tuple[Evidence, ...] = ()
    """Proof, in the order of time."""
    explanation: str = ""
    """For people."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "violation_id": self.violation_id,
            "call_id": self.call_id,
            "rule_id": self.rule_id,
            "rule_name": self.rule_name,
            "rule_version": self.rule_version,
            "ruleset": self.ruleset,
            "ruleset_version": self.ruleset_version,
            "state": self.state,
            "severity": self.severity,
            "points": self.points,
            "fatal": self.fatal,
            "role": self.role,
            "agent_id": self.agent_id,
            "team_id": self.team_id,
            "scenario": self.scenario,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "call_ms": self.call_ms,
            "evidence": list(x.to_avro() for x in self.evidence),
            "explanation": self.explanation,
            "audio_at_ms": self.audio_at_ms,
            "detected_at_ms": self.detected_at_ms,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Violation:
        """From the plain values of the Avro decoder."""
        return cls(
            violation_id=d["violation_id"],
            call_id=d["call_id"],
            rule_id=d["rule_id"],
            rule_name=d["rule_name"],
            rule_version=d["rule_version"],
            ruleset=d["ruleset"],
            ruleset_version=d["ruleset_version"],
            state=d["state"],
            severity=d["severity"],
            points=d["points"],
            fatal=d["fatal"],
            role=d["role"],
            agent_id=d["agent_id"],
            team_id=d["team_id"],
            scenario=d["scenario"],
            start_ms=d["start_ms"],
            end_ms=d["end_ms"],
            call_ms=d["call_ms"],
            evidence=tuple(Evidence.from_avro(x) for x in d["evidence"]),
            explanation=d["explanation"],
            audio_at_ms=d["audio_at_ms"],
            detected_at_ms=d["detected_at_ms"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Voiceprint:
    """The enrolled print of one agent's voice."""

    agent_id: str
    """Whose voice."""
    encoder: str
    """Encoder and version that made the vector."""
    vector: bytes
    """Unit vector, little-endian float32."""
    enrolled_at_ms: int
    """UTC epoch time."""
    consent: str = ""
    """Reference of the consent."""

    def to_avro(self) -> dict[str, Any]:
        """Plain values, as the Avro encoder takes them."""
        return {
            "agent_id": self.agent_id,
            "encoder": self.encoder,
            "vector": self.vector,
            "enrolled_at_ms": self.enrolled_at_ms,
            "consent": self.consent,
        }

    @classmethod
    def from_avro(cls, d: Mapping[str, Any]) -> Voiceprint:
        """From the plain values of the Avro decoder."""
        return cls(
            agent_id=d["agent_id"],
            encoder=d["encoder"],
            vector=d["vector"],
            enrolled_at_ms=d["enrolled_at_ms"],
            consent=d["consent"],
        )
RECORD_TYPES: tuple[type[Any], ...] = (Agent, AgentJoined, Alert, AudioChunk, CallEnded, CallStarted, CaseCommand, CaseEvent, Customer, EmotionPoint, FlowProgress, HoldChanged, MediaGap, Partial, RuleSet, Scorecard, SpeakerCheck, Team, Tick, Utterance, Violation, Voiceprint)
AnyRecord = Agent | AgentJoined | Alert | AudioChunk | CallEnded | CallStarted | CaseCommand | CaseEvent | Customer | EmotionPoint | FlowProgress | HoldChanged | MediaGap | Partial | RuleSet | Scorecard | SpeakerCheck | Team | Tick | Utterance | Violation | Voiceprint
