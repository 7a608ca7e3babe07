"""`stack.json` in the home: what a running stack tells other commands (addresses, processes, ports).

It is written by the supervisor only, whole and by rename, and is stale as soon as the supervisor's process is gone.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

NAME = "stack.json"


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the stack."""

    pid: int
    health: str = ""  # base URL of /livez, /readyz and /metrics
    log: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class StackFile:
    """A running stack."""

    pid: int  # of the supervisor
    bootstrap: str
    door: str = ""  # ws://host:port of ingest's WebSocket door
    query: str = ""  # http://host:port of sink's read-only SQL (POST /query)
    processes: dict[str, Child] = field(default_factory=dict)  # "kafka", "ingest", "speech", "speech-recordings", ...


def write_stack(home: Path, stack: StackFile) -> None:
    """Replace the file in one step, so that a reader sees the old or the new one."""
    home.mkdir(parents=True, exist_ok=True)
    fresh = home / f"{NAME}.{os.getpid()}"
    fresh.write_text(json.dumps(dataclasses.asdict(stack), indent=2) + "\n", encoding="utf-8")
    fresh.replace(home / NAME)


def read_stack(home: Path) -> StackFile | None:
    """The stack that runs in this home, or None."""
    try:
        raw = json.loads((home / NAME).read_text(encoding="utf-8"))
        processes = {name: Child(**child) for name, child in raw.pop("processes").items()}
        stack = StackFile(**raw, processes=processes)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # of another version, or damaged: as good as none
    return stack if is_alive(stack.pid) else None


def remove_stack(home: Path) -> None:
    """Forget the stack of this process; that of another one stays."""
    stack = read_stack(home)
    if stack is None or stack.pid == os.getpid():
        (home / NAME).unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return Path("/proc").exists() is False  # no /proc (macOS): the signal was the answer
