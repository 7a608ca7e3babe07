"""Media of two-channel calls with bursts of noise that pass for speech, as a door would write them."""

from collections.abc import Iterator
from pathlib import Path

import soundfile

from processors.records import AudioChunk, CallEnded, CallStarted, HoldChanged

DEMO = Path(__file__).parents[2] / "processors" / "ingest" / "demo"
CHUNK_MS = 100
MediaRecord = CallStarted | AudioChunk | HoldChanged | CallEnded


def media(name: str, call_id: str, seconds: float) -> Iterator[tuple[int, MediaRecord]]:
    """Records of a demo call, each with the call time at which a live door would write it."""
    samples, rate_hz = soundfile.read(DEMO / f"{name}.wav", dtype="int16", always_2d=True)
    samples = samples[: int(seconds * rate_hz)]
    yield 0, CallStarted(call_id=call_id, at_ms=1_790_000_000_000, lane="live", channels=("agent", "customer"))
    size = rate_hz * CHUNK_MS // 1000
    for number, begin in enumerate(range(0, len(samples), size)):
        for channel in (0, 1):
            payload = samples[begin : begin + size, channel].astype("<i2").tobytes()
            yield (
                (number + 1) * CHUNK_MS,
                AudioChunk(
                    call_id=call_id,
                    channel=channel,
                    seq=number,
                    start_ms=number * CHUNK_MS,
                    encoding="pcm_s16le",
                    sample_rate_hz=rate_hz,
                    payload=payload,
                ),
            )
        if number == 47:
            yield number * CHUNK_MS, HoldChanged(call_id=call_id, call_ms=4_650, held=True)
    end_ms = len(samples) * 1000 // rate_hz
    yield end_ms, CallEnded(call_id=call_id, call_ms=end_ms, at_ms=1_790_000_000_000 + end_ms)
