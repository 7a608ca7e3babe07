"""Which cache slots are taken. Pure; the caches themselves lie in `model`."""

from __future__ import annotations


class Slots:
    """A fixed number of slots. Taking the lowest free one keeps the used part of the caches small."""

    def __init__(self, slots: int) -> None:
        self.size = slots
        self._free = list(range(slots - 1, -1, -1))
        self._taken = [False] * slots

    @property
    def taken(self) -> int:
        """How many are in use."""
        return self.size - len(self._free)

    def take(self) -> int | None:
        """A free slot, None when there is none."""
        if not self._free:
            return None
        slot = self._free.pop()
        self._taken[slot] = True
        return slot

    def give_back(self, slot: int) -> None:
        """Free a slot. ValueError when it was free: two streams would share it from now on."""
        if not self._taken[slot]:
            raise ValueError(f"slot {slot} is free already")
        self._taken[slot] = False
        self._free.append(slot)
