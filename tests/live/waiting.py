"""Waiting in tests: until something is so, with a bound that only a broken program reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
BOUND_S = 120.0


def until(probe: Callable[[], T | None], what: str) -> T:
    """What the probe finds as soon as it finds something true."""
    deadline = time.monotonic() + BOUND_S
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {BOUND_S:.0f} s in vain until {what}")
