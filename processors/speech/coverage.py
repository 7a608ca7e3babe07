"""What was left out of a call, and why, so that its coverage can be proved. Pure."""

from __future__ import annotations

from typing import Any

from processors.records import Coverage, Skipped


class Skips:
    """Counts by reason."""

    def __init__(self) -> None:
        self._amounts: dict[str, list[int]] = {}

    def add(self, reason: str, amount_ms: int) -> None:
        """Something that concerns so much audio was left out."""
        count_and_ms = self._amounts.setdefault(reason, [0, 0])
        count_and_ms[0] += 1
        count_and_ms[1] += amount_ms

    def coverage(self, heard_ms: int, channels: int, call_ms: int) -> Coverage:
        """For the end of a call: `heard_ms` of audio came, summed over its channels."""
        skipped = [Skipped(reason=reason, amount_ms=ms, count=n) for reason, (n, ms) in sorted(self._amounts.items())]
        missing_ms = channels * call_ms - heard_ms
        if missing_ms > channels:  # what is less is rounding
            skipped.append(Skipped(reason="media_gap", amount_ms=missing_ms, count=1))
        return Coverage(audio_ms=heard_ms, transcribed_ms=heard_ms, skipped=tuple(skipped))

    def dump(self) -> dict[str, Any]:
        """Plain values."""
        return {reason: list(amount) for reason, amount in self._amounts.items()}

    @classmethod
    def load(cls, plain: dict[str, Any]) -> Skips:
        """From the plain values of `dump`."""
        skips = cls()
        skips._amounts = {reason: list(amount) for reason, amount in plain.items()}
        return skips
