"""Other commands ask a running stack for a process that it does not run yet (the lane of recordings) with a lease.

A lease is an empty file `leases/<slot>.<pid>` in the home. The supervisor runs the slot while the process of a lease
lives, so nobody has to tell it when a command ends or is killed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from processors.runtime.stack_file import is_alive

FOLDER = "leases"


@contextmanager
def lease(home: Path, slots: list[str]) -> Iterator[None]:
    """Ask for these slots while the block runs."""
    files = [home / FOLDER / f"{slot}.{os.getpid()}" for slot in slots]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    try:
        yield
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def leased(home: Path) -> set[str]:
    """Slots that a living process asks for; leases of dead ones are removed."""
    slots: set[str] = set()
    for file in (home / FOLDER).glob("*.*"):
        slot, _, pid = file.name.rpartition(".")
        if pid.isdigit() and is_alive(int(pid)):
            slots.add(slot)
        else:
            file.unlink(missing_ok=True)
    return slots


def lock_home(home: Path) -> IO[str] | None:
    """Become the owner of the home until the file is closed; None when another process is."""
    home.mkdir(parents=True, exist_ok=True)
    lock = (home / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


@contextmanager
def terminable() -> Iterator[None]:
    """Treat SIGTERM and a closed terminal like Ctrl-C, so that children are stopped in order.

    Ctrl-C is heard even where a shell told this process to ignore it (a command in the background of a script); a
    closed terminal is not where `nohup` did.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
