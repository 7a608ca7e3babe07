"""Ends a process that is alive but no longer reads: records wait in its partitions, and nothing is committed any more.

A consumer can stay so for ever after a broker restart (aiokafka issue 1154), and no probe of its own shows it. This
looks from outside, with a client of its own, and asks nothing while the brokers do not answer: a broker that is down is
no fault of this process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping

from processors.runtime.errors import Unavailable
from processors.runtime.offsets import GroupOffsets, Place
from processors.runtime.settings import Settings

LOOK_EVERY_S = 10.0
STUCK_S = 90.0
"""Longer than a start with its recovery, and than anything that parks records."""


class Progress:
    """Decides from what is seen whether a partition is stuck. Pure."""

    def __init__(self, stuck_s: float = STUCK_S) -> None:
        self._stuck_s = stuck_s
        self._since: dict[Place, tuple[int, float]] = {}

    def look(self, committed: Mapping[Place, int], ends: Mapping[Place, int], now_s: float) -> list[Place]:
        """Partitions with waiting records whose commits have not moved for too long.

        `committed` and `ends` are of the partitions that this process has; others are forgotten.
        """
        waiting = {p: committed.get(p, -1) for p, end in ends.items() if end > max(0, committed.get(p, -1))}
        self._since = {p: (offset, self._begun(p, offset, now_s)) for p, offset in waiting.items()}
        return sorted(p for p, (_, since_s) in self._since.items() if now_s - since_s >= self._stuck_s)

    def _begun(self, partition: Place, offset: int, now_s: float) -> float:
        seen = self._since.get(partition)
        return seen[1] if seen and seen[0] == offset else now_s


def watch_progress(
    settings: Settings, group: str, topic: str, assigned: Callable[[], Collection[int]], end: Callable[[str], object]
) -> None:
    """Look every few seconds, in a thread of its own; call `end` with the reason when a partition is stuck."""
    threading.Thread(target=_watch, args=(settings, group, topic, assigned, end), name="watchdog", daemon=True).start()


def _watch(
    settings: Settings, group: str, topic: str, assigned: Callable[[], Collection[int]], end: Callable[[str], object]
) -> None:
    offsets = GroupOffsets(settings, group)
    progress = Progress()
    while True:
        time.sleep(LOOK_EVERY_S)
        places = [(topic, number) for number in sorted(assigned())]
        try:
            committed = offsets.committed(places)
            ends = {place: offsets.kept(place)[1] for place in places}
        except Unavailable:
            progress = Progress()
            continue
        stuck = [number for _, number in progress.look(committed, ends, time.monotonic())]
        if stuck:
            end(f"records wait in partitions {stuck} of {topic}, but nothing was committed for {STUCK_S:.0f} s")
