"""Rule sets on disk: a folder of YAML files, or one file. What they mean is the business of `language`.

File names are relative to the folder, so that a rule set has the same version wherever it lies.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

from processors.runtime.errors import UserError

SUFFIXES: Final = (".yaml", ".yml")
MAX_FILES: Final = 5_000
MAX_BYTES: Final = 8_000_000
"""Of a whole rule set: it travels as one record."""
SHIPPED: Final = "consumer-finance"


def shipped_folder() -> Path:
    """The rule book that comes with the package."""
    return Path(str(resources.files("processors.inspect") / "rulebooks" / SHIPPED))


def read_rule_files(path: Path) -> dict[str, bytes]:
    """Content by name, sorted. UserError when there is nothing to read."""
    if path.is_file():
        return {path.name: _content(path)}
    if not path.is_dir():
        raise UserError(f"no rule set at {path}: give a folder of .yaml files or one such file", exit_code=2)
    names = sorted(
        one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES and _is_file(one) and not _hidden(one, path)
    )
    if not names:
        raise UserError(f"no .yaml files in {path}: write a rule (id, when) into one", exit_code=2)
    if len(names) > MAX_FILES:
        raise UserError(f"{len(names)} files in {path}, at most {MAX_FILES} are allowed", exit_code=2)
    files = {one.relative_to(path).as_posix(): _content(one) for one in names}
    total = sum(len(content) for content in files.values())
    if total > MAX_BYTES:
        raise UserError(f"the rule set {path} has {total} bytes, at most {MAX_BYTES} are allowed", exit_code=2)
    return files


def shown(path: Path, name: str) -> str:
    """A file of a rule set as people call it: with the folder that they gave."""
    return str(path if path.is_file() else path / name)


def _is_file(path: Path) -> bool:
    """A link that leads nowhere was meant as a file, too: it must not be passed over."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _content(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise UserError(f"{file} has {size} bytes, at most {MAX_BYTES} are allowed", exit_code=2)
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"can not read {file}: {error.strerror}", exit_code=2) from error
