"""Which of the characters that may have been heard people would say: a model of how characters follow each other.

A CTC network decides each character on its own, by its sound, and writes a common one for a rare one that sounds alike.
Where it was in doubt, the likeliest way through what it heard and what that may have been instead is taken, sound and
wording weighed together. The table lies beside the checkpoint (`NAME.wording.json` beside `NAME.nemo`; without it
nothing is changed) and is counted from text by `tingjian model wording`. Pure, but for reading and writing the table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from processors.runtime.errors import UserError

SUFFIX: Final = ".wording.json"
BEGIN: Final = "^"
"""Before the first character."""
WEIGHT: Final = 0.6
"""Of wording against sound."""
SHARES: Final = (0.5, 0.2, 0.12, 0.08, 0.06, 0.04)
"""How the alternatives share, by rank, what the confidence leaves; they come without figures of their own."""
LEAST_SHARE: Final = 1e-3
LEAST_SURE: Final = 0.02
MOST_SURE: Final = 0.995
"""What a confidence counts at least and at most: no sound is impossible, and none is beyond a doubt."""
BEHIND: Final = 0.98
"""An alternative was at most so likely as what was heard before it."""
NOT_SEEN: Final = 30.0
"""Weight of how frequent a character is anywhere, against what was counted behind the one before; half a count more
for each different one seen there (Witten and Bell's way)."""

Counts = Mapping[str, Mapping[str, int]]
"""How often the second character follows the first."""
Option = tuple[str, float]
"""A character, and the logarithm of how likely it is by its sound."""


class Wording:
    """Bigrams of characters, smoothed."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._totals = {before: sum(after.values()) for before, after in counts.items()}
        self._anywhere: dict[str, int] = {}
        for after in counts.values():
            for sign, count in after.items():
                self._anywhere[sign] = self._anywhere.get(sign, 0) + count
        self._all = sum(self._anywhere.values()) + len(self._anywhere) + 1.0

    def likelihood(self, before: str, sign: str) -> float:
        """Logarithm of how likely a character is behind another."""
        after = self._counts.get(before, {})
        anywhere = (self._anywhere.get(sign, 0) + 0.5) / self._all
        not_seen = NOT_SEEN + 0.5 * len(after)
        return math.log((after.get(sign, 0) + not_seen * anywhere) / (self._totals.get(before, 0) + not_seen))

    def choose(self, places: Sequence[Sequence[Option]]) -> list[int]:
        """For each place the number of the option that is on the likeliest way through all of them."""
        ways: list[Option] = [(BEGIN, 0.0)]
        came: list[list[int]] = []
        for options in places:
            steps = [
                self._best_way(ways, sign) if len(ways) > 1 or len(options) > 1 else (0.0, 0) for sign, _ in options
            ]
            ways = [(sign, sound + score) for (sign, sound), (score, _) in zip(options, steps, strict=True)]
            came.append([way for _, way in steps])
        chosen: list[int] = []
        at = max(range(len(ways)), key=lambda way: ways[way][1])
        for back in reversed(came):
            chosen.append(at)
            at = back[at]
        return chosen[::-1]

    def _best_way(self, ways: Sequence[Option], sign: str) -> tuple[float, int]:
        """Score and number of the way that a character best goes on with."""
        return max((score + WEIGHT * self.likelihood(before, sign), way) for way, (before, score) in enumerate(ways))


def options(sign: str, confidence: float, others: Sequence[str]) -> list[Option]:
    """What may stand at a place: what was heard with this confidence, then its alternatives, the likeliest first."""
    sure = min(max(confidence, LEAST_SURE), MOST_SURE)
    left = [min(BEHIND * sure, max(LEAST_SHARE, (1.0 - sure) * share)) for share in SHARES]
    shares = [left[min(rank, len(left) - 1)] for rank in range(len(others))]
    return [(sign, math.log(sure)), *((other, math.log(share)) for other, share in zip(others, shares, strict=True))]


def count(sentences: Iterable[str], least: int = 2) -> dict[str, dict[str, int]]:
    """How often characters follow each other in sentences without marks; seldom pairs are left out."""
    counts: dict[str, dict[str, int]] = {}
    for sentence in sentences:
        for before, sign in pairwise(BEGIN + sentence):
            after = counts.setdefault(before, {})
            after[sign] = after.get(sign, 0) + 1
    return {
        before: kept
        for before, after in sorted(counts.items())
        if (kept := {sign: times for sign, times in sorted(after.items()) if times >= least})
    }


def load_wording(checkpoint: Path | None) -> Wording | None:
    """The table beside a checkpoint, if there is one. UserError when it is none."""
    path = checkpoint.with_name(checkpoint.stem + SUFFIX) if checkpoint else None
    if path is None or not path.is_file():
        return None
    try:
        plain = json.loads(path.read_text("utf-8"))
        counts = {str(one): {str(sign): int(times) for sign, times in after.items()} for one, after in plain.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(
            f"{path} is no table of `tingjian model wording`: {error}; make it again or remove it"
        ) from None
    return Wording(counts)


def write_wording(counts: Counts, path: Path) -> None:
    """One line for each first character. UserError when the file can not be written."""
    lines = ",\n".join(
        f"{json.dumps(before, ensure_ascii=False)}: {json.dumps(after, ensure_ascii=False, separators=(',', ':'))}"
        for before, after in counts.items()
    )
    try:
        path.write_text("{\n" + lines + "\n}\n", "utf-8")
    except OSError as error:
        raise UserError(f"{path} can not be written: {error.strerror}; name a file in a folder that exists") from None
