"""All operators of the rule language: one file and one class each, and this one table."""

from __future__ import annotations

from processors.inspect.operators.base import Operator

ALL: tuple[type[Operator], ...] = ()

OPERATORS: dict[str, type[Operator]] = {operator.word: operator for operator in ALL}
