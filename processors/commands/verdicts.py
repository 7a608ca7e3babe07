"""What the demo calls must give against what came. Pure; deliberately knows neither Kafka nor the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Expectation:
    """Rules that a call must break, and those that it may break besides."""

    call_id: str
    must: frozenset[str]
    may: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Comparison for one call; rule ids in alphabetical order."""

    call_id: str
    found: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the call came out as expected."""
        return not self.missing and not self.unexpected


def read_expectations(entries: Iterable[Mapping[str, Any]]) -> list[Expectation]:
    """From the entries of `expected.yaml`: call_id, expect and may."""
    return [Expectation(entry["call_id"], frozenset(entry["expect"]), frozenset(entry["may"])) for entry in entries]


def compare(expectations: Iterable[Expectation], found: Mapping[str, Collection[str]]) -> list[Verdict]:
    """Hold the confirmed rule ids of each call against the expectation."""
    verdicts = []
    for expected in expectations:
        came = frozenset(found.get(expected.call_id, ()))
        verdicts.append(
            Verdict(
                call_id=expected.call_id,
                found=tuple(sorted(came)),
                missing=tuple(sorted(expected.must - came)),
                unexpected=tuple(sorted(came - expected.must - expected.may)),
            )
        )
    return verdicts
