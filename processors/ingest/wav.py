"""Reads WAV headers that tell the truth and WAV headers that lie: where the samples are and what they are.

Only the header is read, in bounded steps. Sizes are believed as far as the file backs them: a `data` chunk that claims
more than there is, claims nothing, or was never closed by a recorder that died ends at the end of the file. What cannot
be PCM, float or G.711 of 1 or 2 channels is refused with a reason for people. Compressed WAVs are left to `decoder`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from processors.runtime.errors import BadRecord

MIN_RATE_HZ = 8_000
MAX_RATE_HZ = 48_000
MAX_CHANNELS = 2
MAX_CHUNKS = 1_000
"""Chunks looked at before the search for `fmt ` and `data` is given up."""
FORMAT_BYTES = 40
UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000)
"""What recorders write before they know the size."""
OTHER_CONTAINERS = (b"RIFX", b"OggS", b"fLaC", b"FORM", b".snd", b"caff", b"riff", b"RIFF", b"#!AM")
"""Beginnings of other audio files; some look like text."""
EXTENSIBLE = 0xFFFE
EXTENSIBLE_TAIL = bytes.fromhex("000000001000800000aa00389b71")
ENCODINGS: dict[int, tuple[str, tuple[int, ...]]] = {
    1: ("pcm", (8, 16, 24, 32)),
    3: ("float", (32, 64)),
    6: ("pcma", (8,)),
    7: ("pcmu", (8,)),
}
COMPRESSED = {
    2: "Microsoft ADPCM",
    0x11: "IMA ADPCM",
    0x31: "GSM 6.10",
    0x50: "MPEG",
    0x55: "MP3",
    0x14: "G.723",
    0x40: "G.721",
    0x45: "G.726",
    0x83: "G.729",
    0x161: "WMA",
}


class NotWav(BadRecord):
    """It is something that is not a little-endian WAV; another reader may know it."""


class Compressed(BadRecord):
    """It is a WAV of an encoding that needs a decoder."""


@dataclass(frozen=True, slots=True)
class WavLayout:
    """Where the samples of a file are, and what they are."""

    kind: str  # pcm, float, pcma or pcmu
    bits: int
    channels: int
    rate_hz: int
    data_start: int  # bytes from the start of the file
    data_bytes: int  # whole frames only
    note: str = ""  # what the header got wrong, for people

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.bits // 8 * self.channels

    @property
    def duration_ms(self) -> int:
        """Length of the audio."""
        return self.data_bytes // self.frame_bytes * 1000 // self.rate_hz


def read_layout(file: BinaryIO, file_bytes: int) -> WavLayout:
    """Look for `fmt ` and `data`. Raises NotWav, Compressed, or BadRecord with the reason for people."""
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        raise _what_it_is(head)
    layout: tuple[str, int, int, int] | None = None
    position, wide_bytes = 12, None
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        name, size = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        if name == b"data":
            if layout is None:
                raise BadRecord("the WAV header has no format before its samples")
            real_size = wide_bytes if size == 0xFFFFFFFF and wide_bytes else size
            return _with_data(layout, file, position + 8, real_size, file_bytes)
        if name == b"fmt ":
            layout = _format(file.read(min(size, FORMAT_BYTES)))
        elif name == b"ds64":
            wide_bytes = _wide_size(file.read(min(size, 24)))
        position += 8 + size + size % 2
    raise BadRecord("the WAV file ends within its header" if layout is None else "the WAV file has no samples")


def _what_it_is(head: bytes) -> BadRecord:
    if not head:
        return BadRecord("the file is empty")
    if head[:4] in (b"RIFF", b"RF64") and len(head) < 12:
        return BadRecord("the WAV file ends within its header")
    if head[:4] not in OTHER_CONTAINERS and _is_text(head):
        return NotWav("it is not a WAV file: it begins like text")
    return NotWav("it is not a WAV file: the RIFF header is missing")


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", "ignore")
    return len(text.encode()) >= len(head) - 3 and all(sign.isprintable() or sign.isspace() for sign in text)


def _wide_size(body: bytes) -> int | None:
    return struct.unpack("<Q", body[8:16])[0] if len(body) >= 16 else None


def _format(body: bytes) -> tuple[str, int, int, int]:
    """Kind, bits, channels, rate. Block size and byte rate are not read: they follow from these."""
    if len(body) < 16:
        raise BadRecord("the WAV header is damaged: its format is cut short")
    tag, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if tag == EXTENSIBLE:
        if len(body) < FORMAT_BYTES or body[26:40] != EXTENSIBLE_TAIL:
            raise BadRecord("the WAV header is damaged: its extensible format is not known")
        tag = struct.unpack("<H", body[24:26])[0]
    if tag in COMPRESSED:
        raise Compressed(f"its encoding is {COMPRESSED[tag]}")
    if tag not in ENCODINGS:
        raise Compressed(f"its encoding is not known (WAV format {tag:#06x})")
    kind, allowed = ENCODINGS[tag]
    if bits not in allowed:
        names = ", ".join(map(str, allowed))
        raise BadRecord(f"the WAV header says {bits} bits a sample; known for this encoding: {names}")
    check_shape(channels, rate_hz)
    return kind, bits, channels, rate_hz


def check_shape(channels: int, rate_hz: int) -> None:
    """Raises BadRecord when this is nothing to inspect."""
    if not 1 <= channels <= MAX_CHANNELS:
        raise BadRecord(f"it has {channels} channels; recordings of 1 or 2 channels can be inspected")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise BadRecord(f"its sample rate is {rate_hz} Hz; {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz can be inspected")


def _with_data(layout: tuple[str, int, int, int], file: BinaryIO, start: int, size: int, file_bytes: int) -> WavLayout:
    kind, bits, channels, rate_hz = layout
    frame_bytes = bits // 8 * channels
    there, note = max(0, file_bytes - start), ""
    found = size
    if size > there:
        found = there
        if size not in UNKNOWN_SIZES and size < 0xFFFFFF00:
            note = (
                f"truncated: the header promises {size / frame_bytes / rate_hz:.1f} s, "
                f"the file has {there / frame_bytes / rate_hz:.1f} s"
            )
    elif not any(_chunks_follow(file, start + size + pad, file_bytes) for pad in {size % 2, 0}):
        found = there
        if size:
            note = (
                f"the header promises {size / frame_bytes / rate_hz:.1f} s, "
                f"the file has {there / frame_bytes / rate_hz:.1f} s"
            )
    frames = found // frame_bytes
    if frames == 0:
        raise BadRecord("there is no audio in it")
    return WavLayout(kind, bits, channels, rate_hz, start, frames * frame_bytes, note)


def _chunks_follow(file: BinaryIO, position: int, file_bytes: int) -> bool:
    """Whether the rest of the file is a chain of chunks (or nothing), as behind samples whose size is true."""
    for _ in range(MAX_CHUNKS):
        if file_bytes - position < 8:
            return True
        file.seek(position)
        name, size = struct.unpack("<4sI", file.read(8))
        if not all(32 <= byte < 127 for byte in name) or size > file_bytes - position - 8:
            return not name.strip(b"\0") and _only_zeros(file, position, file_bytes)
        position += 8 + size + size % 2
    return False


def _only_zeros(file: BinaryIO, position: int, file_bytes: int) -> bool:
    """A short padding of zeros behind the samples, as some recorders write up to a block of the disk."""
    file.seek(position)
    rest = file_bytes - position
    return rest <= 65_536 and not file.read(rest).strip(b"\0")
