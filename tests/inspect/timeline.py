"""Short ways to write the records of a timeline in tests."""

from __future__ import annotations

from processors.records import (
    Acoustics,
    CallEnded,
    CallStarted,
    ChannelTick,
    HoldChanged,
    Meaning,
    Partial,
    Role,
    Tick,
    Utterance,
)

AT_MS = 1_760_000_000_000
"""Start of every call: 2025-10-09 08:53:20 UTC."""
ROLES: dict[int, Role] = {0: "agent", 1: "customer"}


def started(**fields: object) -> CallStarted:
    """A call of an agent on channel 0 and a customer on channel 1."""
    values = {"call_id": "c", "at_ms": AT_MS, "lane": "live", "channels": ("agent", "customer"), "agent_id": "a-1"}
    return CallStarted(**{**values, **fields})  # type: ignore[arg-type]


def said(
    channel: int,
    start_ms: int,
    end_ms: int,
    text: str = "您好",
    *,
    no: int = 0,
    level_db: float | None = None,
    pitch_hz: float | None = None,
    chars_per_min: float = 0.0,
    sentiment: float | None = None,
) -> Utterance:
    """A final utterance; with `level_db` it has acoustics, with `sentiment` meaning."""
    acoustics = None
    if level_db is not None:
        acoustics = Acoustics(level_db=level_db, pitch_hz=pitch_hz, chars_per_min=chars_per_min, overlap_ms=0)
    return Utterance(
        utterance_id=f"c/{channel}/{no or start_ms}",
        call_id="c",
        channel=channel,
        role=ROLES[channel],
        utterance_no=no or start_ms,
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        confidence=0.9,
        acoustics=acoustics,
        meaning=None if sentiment is None else Meaning(sentiment=sentiment, intents={}, vector=b""),
        at_ms=AT_MS + end_ms,
    )


def heard(channel: int, start_ms: int, end_ms: int, text: str) -> Partial:
    """A partial transcript."""
    return Partial(
        call_id="c",
        channel=channel,
        role=ROLES[channel],
        utterance_no=start_ms,
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        at_ms=AT_MS + end_ms,
    )


def tick(call_ms: int, *final_until_ms: int, level_db: float | None = None) -> Tick:
    """A tick; without further figures both channels are final until then."""
    finals = final_until_ms or (call_ms, call_ms)
    channels = tuple(
        ChannelTick(channel=index, final_until_ms=final, speech_ms=0, level_db=level_db)
        for index, final in enumerate(finals)
    )
    return Tick(call_id="c", call_ms=call_ms, channels=channels, at_ms=AT_MS + call_ms)


def held(call_ms: int, on: bool = True) -> HoldChanged:
    """A hold begins or ends."""
    return HoldChanged(call_id="c", call_ms=call_ms, held=on)


def ended(call_ms: int) -> CallEnded:
    """The call is over."""
    return CallEnded(call_id="c", call_ms=call_ms, at_ms=AT_MS + call_ms)
