"""Finds the recordings behind a path: a folder, a manifest, or one file. Looks at every file, reads no audio."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processors.ingest.manifest import Entry, Skipped, call_id_of, parse_manifest
from processors.ingest.media import roles_of
from processors.ingest.recordings import OTHER_SUFFIXES, WAV_SUFFIXES, Recording, open_recording
from processors.records import Role
from processors.runtime.errors import BadRecord, UserError

AUDIO_SUFFIXES = WAV_SUFFIXES | OTHER_SUFFIXES
MANIFEST_SUFFIXES = frozenset({".csv", ".tsv"})
MAX_MANIFEST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Planned:
    """A recording that will be inspected."""

    entry: Entry
    recording: Recording
    roles: tuple[Role, ...]
    note: str = ""  # what is wrong with it, for people

    @property
    def at_ms(self) -> int:
        """Start of the call, UTC: as the manifest says, else the time of the file."""
        return self.recording.modified_ms if self.entry.started_at_ms is None else self.entry.started_at_ms


def find_recordings(path: Path, default_roles: tuple[Role, ...]) -> tuple[list[Planned], list[Skipped]]:
    """What will be inspected and what not. UserError when there is nothing to look at."""
    try:
        entries, skipped, base = _listed(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}", 2) from None
    planned: list[Planned] = []
    for entry in entries:
        try:
            recording = open_recording(base / entry.path)
            roles, note = roles_of(entry, recording.channels, default_roles)
        except BadRecord as error:
            skipped.append(Skipped(entry.path, f"{entry.place}: {error}" if entry.place else str(error)))
            continue
        planned.append(Planned(entry, recording, roles, "; ".join(filter(None, (recording.note, note)))))
    return planned, skipped


def _listed(path: Path) -> tuple[list[Entry], list[Skipped], Path]:
    """Entries with unique call ids, refused ones, and the folder that their paths are relative to."""
    skipped: list[Skipped] = []
    if path.is_dir():
        base = path
        entries = [Entry(call_id="", path=str(file.relative_to(path))) for file in sorted(_audio_files(path))]
        if not entries:
            raise UserError(f"there are no audio files in {path}", 2)
    elif path.suffix.lower() in MANIFEST_SUFFIXES:
        base = path.parent
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise UserError(f"{path} is larger than {MAX_MANIFEST_BYTES >> 20} MiB: split the manifest", 2)
        entries, skipped = parse_manifest(path.read_bytes(), path.name)
        if not entries and not skipped:
            raise UserError(f"{path} names no recordings", 2)
    elif path.exists():
        base = path.parent
        entries = [Entry(call_id="", path=path.name)]
    else:
        raise UserError(f"{path} does not exist: name a folder of recordings, a manifest (.csv) or a recording", 2)
    return list(_with_call_ids(entries)), skipped, base


def _audio_files(folder: Path) -> Iterator[Path]:
    """Files and folders with the name of an audio file. Links to folders are not followed, so that there is no loop."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        named = [name for name in folders if Path(name).suffix.lower() in WAV_SUFFIXES]
        for name in files + named:
            if Path(name).suffix.lower() in AUDIO_SUFFIXES and not name.startswith("._"):
                yield Path(place, name)


def _with_call_ids(entries: list[Entry]) -> Iterator[Entry]:
    """Entries without a call id are named after their files; a name that is taken gets a digest of the path."""
    taken = {entry.call_id for entry in entries if entry.call_id}
    for entry in entries:
        if entry.call_id:
            yield entry
            continue
        path = Path(entry.path)
        call_id = call_id_of(Path(path.name) if path.is_absolute() else path)
        if call_id in taken:
            call_id = f"{call_id}-{hashlib.sha256(entry.path.encode()).hexdigest()[:8]}"
        taken.add(call_id)
        yield dataclasses.replace(entry, call_id=call_id)
