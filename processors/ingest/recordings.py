"""Opens recordings and reads them in bounded blocks, one payload per channel.

WAV files of PCM, float and G.711 are read here, however wrong their headers (see `wav`); everything else is decoded by
a child process. A file is opened anew for each block, so that hundreds of calls at real time hold no files open.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processors.ingest.samples import payload_encoding, split_channels
from processors.ingest.wav import Compressed, NotWav, WavLayout, check_shape, read_layout
from processors.records import Encoding
from processors.runtime.errors import BadRecord

BLOCK_MS = 10_000
"""Audio in memory per call."""
HEADING_BYTES = 10_000
DECODER_END_S = 30
"""From the last sample to the end of the child process."""

WAV_SUFFIXES = frozenset({".wav", ".wave"})
OTHER_SUFFIXES = frozenset(
    {
        ".mp3",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".aif",
        ".aiff",
        ".au",
        ".caf",
        ".w64",
        ".rf64",
        ".m4a",
        ".aac",
        ".amr",
        ".wma",
        ".webm",
        ".mp4",
        ".3gp",
        ".gsm",
        ".vox",
        ".pcm",
        ".raw",
        ".ulaw",
        ".alaw",
        ".g729",
    }
)
"""Looked at when they lie in a folder; those that libsndfile cannot read are listed as skipped."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that can be inspected."""

    path: Path
    encoding: Encoding
    rate_hz: int
    channels: int
    duration_ms: int  # as far as the file has audio; for a decoded file as its header says
    modified_ms: int
    note: str = ""  # what is wrong with it, for people
    layout: WavLayout | None = None  # None: the child process decodes it

    def blocks(self) -> Iterator[list[bytes]]:
        """Payloads of each channel, in order. BadRecord when the file can no longer be read."""
        return self._wav_blocks(self.layout) if self.layout else _decoded_blocks(self)

    def _wav_blocks(self, layout: WavLayout) -> Iterator[list[bytes]]:
        size = BLOCK_MS * self.rate_hz // 1000 * layout.frame_bytes
        position, end = layout.data_start, layout.data_start + layout.data_bytes
        while position < end:
            try:
                with self.path.open("rb") as file:
                    file.seek(position)
                    block = file.read(min(size, end - position))
            except OSError as error:
                raise BadRecord(f"reading failed: {error.strerror or error}") from error
            block = block[: len(block) - len(block) % layout.frame_bytes]
            if not block:
                raise BadRecord("the file became shorter while it was read")
            position += len(block)
            yield split_channels(block, layout.kind, layout.bits, layout.channels, self.encoding)


def open_recording(path: Path) -> Recording:
    """Look at a file without reading its audio. Raises BadRecord with the reason why it cannot be inspected."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            folder = stat.S_ISDIR(status.st_mode)
            raise BadRecord("it is a folder, not a file" if folder else "it is not a regular file")
        with path.open("rb") as file:
            layout = read_layout(file, status.st_size)
    except (Compressed, NotWav) as error:
        return _open_other(path, error, status.st_mtime_ns // 1_000_000)
    except BadRecord:
        raise
    except FileNotFoundError:
        raise BadRecord("there is no such file") from None
    except PermissionError:
        raise BadRecord("it may not be read (permission denied)") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadRecord(f"it cannot be read: {getattr(error, 'strerror', None) or error}") from error
    encoding = payload_encoding(layout.kind, layout.rate_hz)
    return Recording(
        path,
        encoding,
        layout.rate_hz,
        layout.channels,
        layout.duration_ms,
        status.st_mtime_ns // 1_000_000,
        layout.note,
        layout,
    )


def _open_other(path: Path, first: BadRecord, modified_ms: int) -> Recording:
    with _decoder(path) as child:
        heading = _heading(child)
        child.kill()
    if "error" in heading:
        wav = path.suffix.lower() in WAV_SUFFIXES
        raise BadRecord(str(first) if wav else f"the format {path.suffix.lower()} cannot be read; convert it to WAV")
    channels, rate_hz = int(heading["channels"]), int(heading["rate_hz"])
    check_shape(channels, rate_hz)
    if not heading["frames"]:
        raise BadRecord("there is no audio in it")
    duration_ms = int(heading["frames"]) * 1000 // rate_hz
    return Recording(path, "pcm_s16le", rate_hz, channels, duration_ms, modified_ms)


def _decoded_blocks(recording: Recording) -> Iterator[list[bytes]]:
    frame_bytes = 2 * recording.channels
    size = BLOCK_MS * recording.rate_hz // 1000 * frame_bytes
    with _decoder(recording.path) as child:
        try:
            if "error" in _heading(child) or child.stdout is None:
                raise BadRecord("the file changed while it was read")
            while block := child.stdout.read(size):
                whole = block[: len(block) - len(block) % frame_bytes]
                yield split_channels(whole, "pcm", 16, recording.channels, "pcm_s16le")
            if child.wait(DECODER_END_S) != 0:
                raise BadRecord("the decoder gave up within the file")
        finally:
            child.kill()


def _decoder(path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "processors.ingest.decoder", str(path.absolute())]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _heading(child: subprocess.Popen[bytes]) -> dict[str, int | str]:
    line = child.stdout.readline(HEADING_BYTES) if child.stdout else b""
    try:
        heading: dict[str, int | str] = json.loads(line)
    except ValueError:
        return {"error": "the decoder died"}
    return heading
