"""How many phrases are found in what the speech model makes of them, and how many are found that nobody spoke.

The material is `heard.tsv`: sentences that were spoken by synthetic voices over telephone lines and heard by the speech
model (`hearing.py` makes it). Three ways to match are compared on the same transcripts, rule by rule: by character, by
sound, and by sound with the mistakes that the model is known to make (`processors.inspect.mishearing`, the default of
the rule language). A rule counts as spoken in a sentence when one of its phrases is in the words that were spoken.

The mistakes are counted over one half of the sentences (`--learn` writes them to the vocabulary of `inspect`), the
figures are taken from the other half. `--error` repeats the comparison with errors of that rate per character, drawn
from those counts: what the model would do to the same sentences if it heard better or worse than it does.

Run: `python -m benchmarks.homophones [--rules] [--learn] [--error 0.12]`.
"""

from __future__ import annotations

import argparse
import json
import random
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from benchmarks.hearing import HEARD, LATER
from processors.inspect.book import RuleBook, compile_book
from processors.inspect.language import parse
from processors.inspect.mishearing import sounding_otherwise
from processors.inspect.operators.base import Text
from processors.inspect.phrases import PhraseIndex, Wanted
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.sounds import normal, phrase_readings, readings, split_syllable
from processors.inspect.spoken import Spoken
from processors.records import Token, Utterance
from processors.tuning import text

BINS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Lower ends of the confidences for which accuracy is counted."""
RANKS = 6
"""Alternatives of a character that are looked at."""
LEAST_COUNT = 2
"""Confusions seen less often are left out of the vocabulary."""
FILLS = 30
"""Sentences made of each template to count what follows what."""
LEAST_COUPLE = 5


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was spoken and what was heard of it, with the confidence of each heard character."""

    group: str
    voice: str
    spoken: str
    heard: str
    confidences: tuple[float, ...]
    alternatives: tuple[str, ...]

    @property
    def learned(self) -> bool:
        """Whether mistakes are counted over it; the others are measured."""
        return zlib.crc32(self.spoken.encode()) % 2 == 1


def read_heard(path: Path = HEARD) -> list[Sentence]:
    """All sentences of the file."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        group, voice, spoken, heard, digits, instead = line.split("\t")
        confidences = tuple(int(digits[i : i + 2]) / 100 for i in range(0, len(digits), 2))
        found.append(Sentence(group, voice, spoken, heard, confidences, tuple(instead.split("|")) if heard else ()))
    return found


# -- counting mistakes -------------------------------------------------------------------------------------------------

Readings = tuple[str, ...]
Heard = tuple[str, float, str]
"""A character, its confidence, and what it may have been instead."""
NOTHING: Heard = ("", 0.0, "")


def aligned(spoken: Sequence[Readings], heard: Sequence[Readings]) -> list[tuple[int, int]]:
    """Pairs of places, -1 for none, at the least cost; a syllable that shares its final is the likelier partner."""
    costs = [[float(j) for j in range(len(heard) + 1)]]
    for i, one in enumerate(spoken):
        row = [i + 1.0]
        for j, other in enumerate(heard):
            row.append(min(costs[i][j] + _cost(one, other), costs[i][j + 1] + 1.0, row[j] + 1.0))
        costs.append(row)
    pairs, i, j = [], len(spoken), len(heard)
    while i or j:
        if i and j and costs[i][j] == costs[i - 1][j - 1] + _cost(spoken[i - 1], heard[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and costs[i][j] == costs[i - 1][j] + 1.0:
            i -= 1
            pairs.append((i, -1))
        else:
            j -= 1
            pairs.append((-1, j))
    return pairs[::-1]


def _cost(one: Readings, other: Readings) -> float:
    if not set(one).isdisjoint(other):
        return 0.0
    (initial, final), (other_initial, other_final) = split_syllable(one[0]), split_syllable(other[0])
    return 0.625 if final == other_final else 0.875 if initial == other_initial else 1.125


class Mistakes:
    """Counts over pairs of sentences."""

    def __init__(self, sentences: Iterable[Sentence]) -> None:
        self.syllables: Counter[str] = Counter()
        self.initials: dict[str, Counter[str]] = defaultdict(Counter)
        self.finals: dict[str, Counter[str]] = defaultdict(Counter)
        self.by_confidence: dict[float, list[int]] = {start: [0, 0] for start in BINS}
        self.spoken = self.wrong = self.missing = self.added = 0
        self.heard_for: dict[str, list[Heard]] = defaultdict(list)
        """By character spoken: what was heard."""
        self.extra: list[Heard] = []
        self.doubtful = 0
        self.by_rank = [0] * RANKS
        for sentence in sentences:
            self._add(sentence)

    def _add(self, sentence: Sentence) -> None:
        spoken = phrase_readings(normal(sentence.spoken))
        heard = [readings(character) or (character,) for character in sentence.heard]
        self.syllables.update(one[0] for one in spoken)
        for i, j in aligned(spoken, heard):
            if j < 0:
                self.missing += 1
                self.heard_for[sentence.spoken[i]].append(NOTHING)
                continue
            confidence = sentence.confidences[j]
            what = sentence.heard[j], confidence, sentence.alternatives[j]
            counted = self.by_confidence[max(start for start in BINS if start <= confidence)]
            counted[1] += 1
            if i < 0:
                self.added += 1
                self.extra.append(what)
                continue
            self.spoken += 1
            self.heard_for[sentence.spoken[i]].append(what)
            if not set(spoken[i]).isdisjoint(heard[j]):
                counted[0] += 1
                continue
            self.wrong += 1
            others = sounding_otherwise(sentence.heard[j], sentence.alternatives[j])
            if others:
                self.doubtful += 1
                for rank, other in enumerate(others[:RANKS]):
                    if not set(spoken[i]).isdisjoint(readings(other)):
                        self.by_rank[rank] += 1
                        break
            (initial, final), (other, end) = split_syllable(spoken[i][0]), split_syllable(heard[j][0])
            self.initials[initial][other] += 1
            self.finals[final][end] += 1

    def table(self) -> dict[str, object]:
        """What `processors.inspect.mishearing` reads."""
        accuracy = [
            [start, round((right + 2) / (total + 4), 4)]
            for start, (right, total) in self.by_confidence.items()
            if total
        ]
        for before, after in pairwise(accuracy):
            after[1] = max(before[1], after[1])
        return {
            "accuracy": accuracy,
            "alternatives": [round((count + 1) / (self.doubtful + 2 * RANKS), 4) for count in self.by_rank],
            "syllables": _sorted(self.syllables),
            "initials": {one: _sorted(counts) for one, counts in sorted(self.initials.items())},
            "finals": {one: _sorted(counts) for one, counts in sorted(self.finals.items())},
        }


def _sorted(counts: Counter[str], least: int = LEAST_COUNT) -> dict[str, int]:
    return {one: count for one, count in sorted(counts.items()) if count >= least}


def couples() -> dict[str, dict[str, int]]:
    """How often syllables follow each other in the talk that the recipe makes up, without what it holds out."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for clause in text.filled_clauses(FILLS):
        for first, second in pairwise(one[0] for one in phrase_readings(normal(clause))):
            counts[first][second] += 1
    return {first: after for first, counted in sorted(counts.items()) if (after := _sorted(counted, LEAST_COUPLE))}


def learn(sentences: Iterable[Sentence]) -> list[Path]:
    """Write the vocabularies."""
    folder = Path(str(resources.files("processors.inspect") / "vocabulary"))
    written = []
    for name, table in (
        ("confusions", Mistakes(sentences).table()),
        ("couples", couples()),
    ):
        lines = ",\n".join(
            f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()
        )
        written.append(folder / f"{name}.json")
        written[-1].write_text("{\n" + lines + "\n}\n", "utf-8")
    return written


# -- comparing ways to match -------------------------------------------------------------------------------------------

WAYS = ("by character", "by sound", "as misheard")


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule, or the phrases of one leaf of it."""

    rule_id: str
    phrases: tuple[str, ...]


def asked(book: RuleBook) -> list[Asked]:
    """All leaves with phrases of all rules; steps of flows are left out."""
    found = []
    for leaf in book.leaves:
        rules = [book.rules[rule] for rule in leaf.rules if not book.rules[rule].hidden]
        if isinstance(leaf.operator, Text) and rules and leaf.operator.phrases():
            found.append(Asked(rules[0].rule.rule_id, leaf.operator.phrases()))
    return found


def utterance(sentence: Sentence) -> Utterance:
    """The sentence as a final utterance."""
    tokens = tuple(
        Token(text=character, start_ms=200 * i, end_ms=200 * i + 200, confidence=confidence, alternatives=others)
        for i, (character, confidence, others) in enumerate(
            zip(sentence.heard, sentence.confidences, sentence.alternatives, strict=True)
        )
    )
    return Utterance(
        utterance_id="c/0/0", call_id="c", channel=0, role="agent", utterance_no=0, start_ms=0,
        end_ms=200 * len(tokens), text=sentence.heard, written=sentence.heard, tokens=tokens,
        confidence=0.0, at_ms=0,
    )  # fmt: skip


def matchers(rules: Sequence[Asked]) -> dict[str, Callable[[Sentence], set[int]]]:
    """By way of matching: the rules (their indices) that are found in what was heard."""

    def index(pairs: frozenset[str] | None, likely: bool) -> PhraseIndex:
        return PhraseIndex(
            (
                Wanted(number, slot, phrase, pairs, likely)
                for number, one in enumerate(rules)
                for slot, phrase in enumerate(one.phrases)
            )
        )

    def finder(phrases: PhraseIndex) -> Callable[[Sentence], set[int]]:
        return lambda sentence: set(phrases.find(Spoken(utterance(sentence), 0, None)))

    indices = (index(None, False), index(frozenset(), False), index(frozenset(), True))
    return {way: finder(one) for way, one in zip(WAYS, indices, strict=True)}


@dataclass(slots=True)
class Count:
    """Rules found and not found over sentences."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def recall(self) -> float:
        """Share of what was spoken that was found."""
        return self.right / max(1, self.right + self.missed)

    @property
    def precision(self) -> float:
        """Share of what was found that was spoken."""
        return self.right / max(1, self.right + self.wrong)

    def add(self, truth: set[int], found: set[int]) -> None:
        """One sentence."""
        self.right += len(truth & found)
        self.wrong += len(found - truth)
        self.missed += len(truth - found)


def compare(rules: Sequence[Asked], sentences: Sequence[Sentence]) -> tuple[dict[str, Count], dict[str, list[Count]]]:
    """By way of matching: all rules together, and each of them."""
    phrases = [[normal(phrase) for phrase in one.phrases] for one in rules]
    ways = matchers(rules)
    total = {way: Count() for way in ways}
    each = {way: [Count() for _ in rules] for way in ways}
    for sentence in sentences:
        truth = {number for number, ones in enumerate(phrases) if any(one in sentence.spoken for one in ones)}
        for way, find in ways.items():
            found = find(sentence)
            total[way].add(truth, found)
            for number in truth | found:
                each[way][number].add(truth & {number}, found & {number})
    return total, each


def corrupted(sentences: Sequence[Sentence], mistakes: Mistakes, rate: float, draw: random.Random) -> list[Sentence]:
    """The same sentences as a model with this character error rate would hear them: the counted mistakes, drawn."""
    wrong = {one: [what for what in drawn if what[0] != one] for one, drawn in mistakes.heard_for.items()}
    right = {one: [what for what in drawn if what[0] == one] for one, drawn in mistakes.heard_for.items()}
    sure = [what for drawn in right.values() for what in drawn]
    errors = sum(map(len, wrong.values())) + len(mistakes.extra)
    share = rate / (errors / max(1, sum(map(len, mistakes.heard_for.values()))))
    found = []
    for sentence in sentences:
        heard: list[Heard] = []
        for character in sentence.spoken:
            mine = wrong.get(character, [])
            total = len(mine) + len(right.get(character, []))
            if mine and draw.random() < share * len(mine) / total:
                heard.append(draw.choice(mine))
            else:
                heard.append((character, *draw.choice(right.get(character) or sure)[1:]))
            if draw.random() < share * len(mistakes.extra) / max(1, mistakes.spoken):
                heard.append(draw.choice(mistakes.extra))
        words, confidences, others = zip(*(one for one in heard if one[0]), strict=True)
        found.append(Sentence(sentence.group, sentence.voice, sentence.spoken, "".join(words), confidences, others))
    return found


def character_errors(sentences: Sequence[Sentence]) -> float:
    """Error rate over all of them together."""
    wrong = sum(Levenshtein.distance(one.spoken, one.heard) for one in sentences)
    return wrong / sum(len(one.spoken) for one in sentences)


def report(title: str, rules: Sequence[Asked], sentences: Sequence[Sentence], rule_by_rule: bool) -> None:
    """Print the comparison."""
    total, each = compare(rules, sentences)
    print(f"\n{title}: {len(sentences)} sentences, {character_errors(sentences):.3f} of the characters wrong")
    for way, count in total.items():
        print(
            f"  {way:12}  recall {count.recall:.3f}  precision {count.precision:.3f}"
            f"  ({count.right} right, {count.missed} missed, {count.wrong} wrong)"
        )
    if rule_by_rule:
        print(f"  {'rule':32} {'spoken':>6}" + "".join(f"  {way:>14}" for way in WAYS) + "   recall / precision")
        for number, one in enumerate(rules):
            counts = [each[way][number] for way in WAYS]
            spoken = counts[0].right + counts[0].missed
            if spoken:
                cells = "".join(f"  {count.recall:6.2f} / {count.precision:5.2f}" for count in counts)
                print(f"  {one.rule_id:32} {spoken:6}{cells}")


def main() -> None:
    """Count mistakes, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learn", action="store_true", help="write the counted mistakes to the vocabulary first")
    parser.add_argument("--rules", action="store_true", help="also rule by rule")
    parser.add_argument("--error", type=float, nargs="*", default=[0.1, 0.15], help="character error rates to draw")
    args = parser.parse_args()
    sentences = read_heard()
    measured = [one for one in sentences if not one.learned]
    learned = [one for one in sentences if one.learned]
    if args.learn:
        print("wrote", *learn(learned))
    mistakes = Mistakes(learned)
    for name, folder in (("shipped rule book", shipped_folder()), ("rules for other trades", LATER)):
        rules = asked(compile_book(parse(read_rule_files(folder)), name))
        report(f"{name}, as heard", rules, measured, args.rules)
        for rate in args.error:
            drawn = corrupted(measured, mistakes, rate, random.Random(5))
            report(f"{name}, errors drawn at {rate:g}", rules, drawn, args.rules)


if __name__ == "__main__":
    main()
