"""One supervised process: when to start it again, and when to stop trying (pure; the supervisor acts).

A process that somebody killed (SIGKILL, the kernel's out-of-memory killer) comes back at once, and later and later when
it is killed again and again. A process that fails by itself comes back a bounded number of times.
"""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass, field

QUICK_S = 30.0
"""A process that lived longer than this has worked: its earlier failures are forgotten."""
FAILURES = 3
"""So many failures in a row, each within QUICK_S, end the stack."""
BACK_OFF_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(slots=True)
class Supervised:
    """History of one slot's process."""

    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    failures: int = 0  # in a row
    deaths: int = 0  # in a row, killed ones included
    restarts: int = 0  # in all
    next_start_s: float | None = None  # when it is to be started again
    last_status: int = field(default=0)

    def started(self, process: subprocess.Popen[bytes], now_s: float) -> None:
        """It runs."""
        self.process, self.started_s, self.next_start_s = process, now_s, None

    def died(self, status: int, now_s: float) -> bool:
        """It ended with this status; plan the next start. False: it has failed too often, give up."""
        if now_s - self.started_s >= QUICK_S:
            self.failures = self.deaths = 0
        self.last_status = status
        self.process = None
        self.failures = self.failures if killed(status) else self.failures + 1
        if self.failures >= FAILURES:
            return False
        self.next_start_s = now_s + BACK_OFF_S[min(self.deaths, len(BACK_OFF_S) - 1)]
        self.deaths += 1
        self.restarts += 1
        return True


def killed(status: int) -> bool:
    """Whether the process did not end by itself."""
    return status in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT)


def describe(status: int) -> str:
    """The status in words."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"
