"""Finds the checkpoint that the settings name and looks at it before NeMo opens it.

A .nemo file is a tar archive; one with two members of a name (the last one wins) or with links is refused, and one that
is pinned must have its SHA-256. Hub names are left to NeMo, which verifies nothing: pin a file where that matters.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path, PurePosixPath

from processors.runtime.errors import UserError

SHIPPED = Path(__file__).parent / "checkpoints" / "mandarin-telephone.nemo"
PIN_SUFFIX = ".sha256"
MOST_MEMBERS = 1_000


def find_checkpoint(name: str, pin: str = "") -> Path | None:
    """The file of a setting ("" is the shipped model), checked; None when `name` is a hub name.

    `pin` is the SHA-256 that it must have; without one a file beside it (`NAME.nemo.sha256`) is asked, if there is one.
    """
    path = Path(name).expanduser() if name else SHIPPED
    if name and path.suffix != ".nemo" and not path.exists():
        if pin:
            raise UserError("TINGJIAN_ASR_MODEL_SHA256 pins a file, but TINGJIAN_ASR_MODEL is a hub name: name a file")
        return None
    if not path.is_file():
        hint = "set TINGJIAN_ASR_MODEL to a .nemo file" if not name else "correct TINGJIAN_ASR_MODEL"
        raise UserError(f"there is no model file {path}: {hint}")
    beside = path.with_name(path.name + PIN_SUFFIX)
    wanted = pin or (beside.read_text().split()[0] if beside.is_file() else "")
    if wanted and (found := sha256(path)) != wanted.lower():
        raise UserError(f"{path} is not the file that was pinned: SHA-256 is {found}, not {wanted}")
    check_members(path)
    return path


def sha256(path: Path) -> str:
    """Hexadecimal digest of the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_members(path: Path) -> None:
    """UserError when the archive holds anything but plain files with a name each, within its own folder."""
    seen: set[PurePosixPath] = set()
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                if not (member.isfile() or member.isdir()):
                    raise UserError(f"{path} holds a link or a device ({member.name}); it is not loaded")
                if place.is_absolute() or ".." in place.parts:
                    raise UserError(f"{path} holds a path that leads out of it ({member.name}); it is not loaded")
                if place in seen:
                    raise UserError(f"{path} holds {member.name} twice; it is not loaded")
                seen.add(place)
                if len(seen) > MOST_MEMBERS:
                    raise UserError(f"{path} holds more than {MOST_MEMBERS} files; it is not loaded")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UserError(f"{path} is no NeMo checkpoint: {error}") from None
