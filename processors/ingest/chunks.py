"""Cuts the audio of one channel into AudioChunks on the call's own time grid.

A chunk covers one cell of `CHUNK_MS` of call time, or what there is of it: cells are cut short only by a gap and by
the end. So the chunks of a channel depend on its samples alone, not on the frames, packets or file blocks in which they
came, nor on the speed. Does not decode, resample or look at the samples, and knows nothing about other channels.
"""

from __future__ import annotations

from processors.records import AudioChunk, Encoding, MediaGap

CHUNK_MS = 100
"""Cell of the grid: ten records a second and channel, and at most so much delay."""

BYTES_PER_SAMPLE: dict[Encoding, int] = {"pcmu": 1, "pcma": 1, "pcm_s16le": 2}

ChannelRecord = AudioChunk | MediaGap


class ChannelGrid:
    """Position of one channel on the grid of its call. Audio and gaps go in, in order; complete records come out."""

    __slots__ = ("_cell", "_held", "_sample_bytes", "_samples", "_seq", "call_id", "channel", "encoding", "rate_hz")

    def __init__(self, call_id: str, channel: int, encoding: Encoding, rate_hz: int) -> None:
        self.call_id = call_id
        self.channel = channel
        self.encoding: Encoding = encoding
        self.rate_hz = rate_hz
        self._sample_bytes = BYTES_PER_SAMPLE[encoding]
        self._samples = 0  # position of the next sample to come, gaps included
        self._cell = 0  # the grid's cell that is being filled
        self._seq = 0
        self._held = bytearray()  # samples of that cell, and at most one incomplete sample behind them

    @property
    def end_ms(self) -> int:
        """Call time up to which audio or gaps are known, whole milliseconds."""
        return self._samples * 1000 // self.rate_hz

    def push(self, payload: bytes) -> list[AudioChunk]:
        """Append audio that follows without a gap; return the chunks that are complete now."""
        held_before = len(self._held) // self._sample_bytes
        self._held += payload
        self._samples += len(self._held) // self._sample_bytes - held_before
        chunks = []
        while self._samples >= self._cell_end():
            chunks.append(self._cut(len(self._held) // self._sample_bytes - (self._samples - self._cell_end())))
            self._cell += 1
        return chunks

    def gap_until(self, end_ms: int, reason: str) -> list[ChannelRecord]:
        """Say that there is no audio up to `end_ms`; nothing happens when it is not in the future."""
        start_ms = -(-self._samples * 1000 // self.rate_hz)
        if end_ms <= start_ms:
            return []
        records: list[ChannelRecord] = list(self.flush())
        records.append(
            MediaGap(call_id=self.call_id, channel=self.channel, start_ms=start_ms, end_ms=end_ms, reason=reason)
        )
        self._samples = -(-end_ms * self.rate_hz // 1000)
        self._cell = end_ms // CHUNK_MS
        return records

    def flush(self) -> list[AudioChunk]:
        """Give out what is held, as a shorter chunk. Bytes of an incomplete sample are dropped."""
        held = len(self._held) // self._sample_bytes
        chunks = [self._cut(held)] if held else []
        self._held.clear()
        return chunks

    def _cell_end(self) -> int:
        """Position of the first sample of the next cell."""
        return -(-(self._cell + 1) * CHUNK_MS * self.rate_hz // 1000)

    def _cut(self, samples: int) -> AudioChunk:
        """A chunk of the first `samples` held samples."""
        first = self._samples - len(self._held) // self._sample_bytes
        size = samples * self._sample_bytes
        chunk = AudioChunk(
            call_id=self.call_id,
            channel=self.channel,
            seq=self._seq,
            start_ms=first * 1000 // self.rate_hz,
            encoding=self.encoding,
            sample_rate_hz=self.rate_hz,
            payload=bytes(self._held[:size]),
        )
        del self._held[:size]
        self._seq += 1
        return chunk
