"""Headers of public topics: CloudEvents in binary mode, and `traceparent`.

Both follow from the record alone, so that a record that is sent again carries the same headers: a call is one trace,
and the id of an event is made of the fields that identify its record.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from functools import lru_cache

from processors.records import AnyRecord
from processors.topology import the_topology

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://tingjian.invalid/")
Headers = list[tuple[str, bytes]]

IDENTITY: dict[str, tuple[str, ...]] = {
    "AgentJoined": ("call_id", "call_ms"),
    "Alert": ("alert_id", "state"),
    "AudioChunk": ("call_id", "channel", "seq"),
    "CallEnded": ("call_id",),
    "CallStarted": ("call_id",),
    "CaseCommand": ("command_id",),
    "CaseEvent": ("event_id",),
    "EmotionPoint": ("utterance_id",),
    "FlowProgress": ("call_id", "flow_id", "call_ms"),
    "HoldChanged": ("call_id", "call_ms"),
    "MediaGap": ("call_id", "channel", "start_ms"),
    "Partial": ("call_id", "channel", "utterance_no", "end_ms", "text"),
    "Scorecard": ("call_id", "scheme", "state", "call_ms"),
    "SpeakerCheck": ("call_id", "channel", "call_ms"),
    "Tick": ("call_id", "call_ms"),
    "Utterance": ("utterance_id",),
    "Violation": ("violation_id", "state"),
}
"""Fields that make a record the one it is, for every record of a topic about calls or cases."""


def identity(record: AnyRecord) -> str:
    """A name of the record that a repeat shares and no other record has. KeyError for a record without identity."""
    name = type(record).__name__
    return "/".join([name, *(str(getattr(record, field)) for field in IDENTITY[name])])


def event_id(record: AnyRecord) -> str:
    """UUIDv5 of the identity: text of a call never shows in a header."""
    return str(uuid.uuid5(NAMESPACE, identity(record)))


def headers(topic: str, record: AnyRecord) -> Headers:
    """Headers of the record on this topic; none on internal topics, where audio makes every byte count."""
    declared = the_topology().topics.get(topic)
    if declared is None or not declared.public:
        return []
    ce_id = event_id(record)
    pairs = {
        "ce_specversion": "1.0",
        "ce_id": ce_id,
        "ce_source": f"/tingjian/{topic}",
        "ce_type": f"tingjian.{type(record).__name__}.v1",
        "content-type": "application/avro",
        "traceparent": f"00-{trace_id(call_id(record))}-{hashlib.sha256(ce_id.encode()).hexdigest()[:16]}-01",
        "ce_subject": call_id(record),
        "ce_partitionkey": call_id(record),
    }
    at_ms = getattr(record, "audio_at_ms", None) or getattr(record, "at_ms", None)
    if at_ms:
        pairs["ce_time"] = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return [(name, value.encode()) for name, value in pairs.items()]


def call_id(record: AnyRecord) -> str:
    """The call that the record belongs to."""
    return str(getattr(record, "call_id", ""))


@lru_cache(maxsize=4096)
def trace_id(call: str) -> str:
    """W3C trace id of a call: 32 hexadecimal digits."""
    return uuid.uuid5(NAMESPACE, f"call/{call}").hex
