"""Child process that decodes other formats (FLAC, Ogg, MP3, ADPCM) with libsndfile: `python -m ...decoder FILE`.

It writes one line of JSON (`rate_hz`, `channels`, `frames`, or `error`) and then interleaved little-endian 16 bit
samples to stdout. A file that crashes or eats memory ends this process and nothing else; the pipe gives back-pressure.
Never import this module elsewhere: libsndfile must not meet untrusted files in a process that holds other calls.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import BinaryIO

import soundfile

from processors.ingest.samples import float_to_int16

MEMORY_BYTES = 2 << 30
CPU_S = 600
BLOCK_FRAMES = 65_536


class Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is only read forward: libsndfile cannot seek in GSM, and soundfile would try to."""

    def seekable(self) -> bool:
        """Never."""
        return False


def decode_to(path: str, out: BinaryIO) -> int:
    """Write the heading and the samples of a file; return the exit status."""
    try:
        sound = Forward(path)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        out.write(json.dumps({"error": str(error)}).encode() + b"\n")
        return 1
    heading = {"rate_hz": sound.samplerate, "channels": sound.channels, "frames": max(0, sound.frames)}
    out.write(json.dumps(heading).encode() + b"\n")
    try:
        while len(block := sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            out.write(float_to_int16(block).astype("<i2").tobytes())
    except (soundfile.SoundFileError, OSError, ValueError):
        return 2  # what could be decoded has been written
    return 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(decode_to(sys.argv[1], sys.stdout.buffer))
