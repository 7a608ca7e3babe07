"""Child processes that do not outlive their parent, and the ports they are given.

On Linux the kernel ends a child when its parent dies, even by kill -9 (`PR_SET_PDEATHSIG`). The signal follows the
*thread* that started the child, so children are started from threads that live as long as they do.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_BYTES = 16 * 1024 * 1024
"""A log that has grown beyond this is moved to `.1` when its process starts again."""

# A program that is not ours (java) can not ask for the signal itself: this line does it and becomes the program.
LAUNCHER = (
    "import ctypes,os,sys\n"
    "if sys.platform=='linux': ctypes.CDLL(None).prctl(1,15)\n"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1)\n"
    "os.execv(sys.argv[2],sys.argv[2:])"
)


def die_with_parent(parent: int, death: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent ends; exit at once when that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death))
    if os.getppid() != parent:
        sys.exit(1)


def spawn(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own (the terminal's Ctrl-C reaches only the parent), output into `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as out:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=None if environment is None else dict(environment),
        )


def rank(process: subprocess.Popen[bytes], nice: int) -> None:
    """Let a process come before (negative) or behind the others of this machine, as `nice` does.

    Linux shares its cores between sessions first (autogroup), in which `nice` of a process says nothing. Without the
    right to come before others, and on kernels without such groups, what is not possible is left out.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, nice)
    with contextlib.suppress(OSError):
        Path(f"/proc/{process.pid}/autogroup").write_text(str(nice), encoding="ascii")


def foreign(command: Sequence[str]) -> list[str]:
    """The command of a program that is not ours, so that it dies with its parent (by SIGTERM)."""
    return [sys.executable, "-S", "-E", "-c", LAUNCHER, str(os.getpid()), *command]


def stop(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """SIGTERM, and SIGKILL to it and all it started when it has not gone in time. Returns when it is gone."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_ports(count: int) -> list[int]:
    """Different free loopback ports. Another program may take one before it is used: whoever binds then says so."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def is_free(port: int) -> bool:
    """Whether a server could bind the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def last_line(log: Path, words: Sequence[str] = ()) -> str:
    """The last line of a log that says something (and holds one of the words, if there are any)."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 20_000))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    found = [line.strip() for line in lines if line.strip() and (not words or any(word in line for word in words))]
    return found[-1][:300] if found else ""
