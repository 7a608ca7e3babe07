"""Words that carry feeling: how much valence and tension a text shows.

Reads the vocabulary in `vocabulary/emotion-zh.yaml` and answers one question about one text, in one pass of an
automaton. It deliberately knows no speaker, no time and no acoustics: `emotion` joins those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import yaml
from ahocorasick_rs import AhoCorasick, MatchKind

from processors.records import Role

REACH_CHARS = 2
"""How many characters may stand between a negation and the word that it negates."""


@dataclass(frozen=True, slots=True)
class Feeling:
    """What the words of one utterance show: `valence` -1 to 1, `tension` in deviations of arousal."""

    valence: float
    tension: float


@dataclass(frozen=True, slots=True)
class _Group:
    valence: float
    tension: float
    roles: frozenset[str]
    negated: float | None


class FeelingWords:
    """A vocabulary of feeling, compiled once."""

    def __init__(self, text: str) -> None:
        """Compile the YAML `text` of a vocabulary."""
        content = yaml.safe_load(text)
        self._negations: tuple[str, ...] = tuple(content["negations"])
        self._groups: list[_Group] = []
        words: list[str] = []
        for group in content["groups"].values():
            compiled = _Group(
                float(group["valence"]), float(group["tension"]), frozenset(group["roles"]), group.get("negated")
            )
            words.extend(group["words"])
            self._groups.extend([compiled] * len(group["words"]))
        self._automaton = AhoCorasick(words, matchkind=MatchKind.LeftmostLongest)

    def feel(self, text: str, role: Role) -> Feeling:
        """What `text` shows when `role` says it; (0, 0) for words without feeling."""
        valence = tension = 0.0
        for index, start, _ in self._automaton.find_matches_as_indexes(text):
            group = self._groups[index]
            if role not in group.roles:
                continue
            if not self._negated(text, start):
                valence += group.valence
                tension = _stronger(tension, group.tension)
            elif group.negated is not None:
                valence += group.negated
        return Feeling(round(math.tanh(valence), 4), tension)

    def _negated(self, text: str, start: int) -> bool:
        before = text[max(0, start - REACH_CHARS - 2) : start]
        for negation in self._negations:
            at = before.rfind(negation)
            if at >= 0 and len(before) - at - len(negation) <= REACH_CHARS:
                return True
        return False


def _stronger(a: float, b: float) -> float:
    return b if abs(b) > abs(a) else a


@lru_cache(maxsize=1)
def shipped_words() -> FeelingWords:
    """The vocabulary that comes with the package."""
    return FeelingWords(resources.files(__package__).joinpath("vocabulary/emotion-zh.yaml").read_text("utf-8"))
