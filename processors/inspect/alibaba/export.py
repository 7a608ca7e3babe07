"""Reads what the rule APIs of SCA give and take: one shape out of many spellings, and where each value stood.

UploadRule takes `check_range`, GetRule gives `checkRange` or `CheckRange`, older answers wrap lists into objects and
JSON into strings. Names are compared without case and underscores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from processors.runtime.errors import UserError

ALIASES: Final = {
    "operlambda": "lambda", "rulelambda": "lambda", "conditioninfocid": "cid", "opername": "name",
    "operkeywords": "keywords", "jsonstr": "", "jsonstrforrule": "", "data": "", "rulesinfo": "", "body": "",
}  # fmt: skip
"""Other names of the same; '' are wrappings around everything."""
MAX_BYTES: Final = 32_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """A JSON object, its values by normal name, and its path in the file."""

    path: str
    values: Mapping[str, Any]
    names: Mapping[str, str]
    """The names as they were written."""

    def get(self, name: str) -> Any:
        """The value, None when it is missing or empty."""
        value = self.values.get(name)
        return None if value in ("", [], {}) else value

    def at(self, name: str) -> str:
        """Path of a value."""
        return f"{self.path}.{self.names.get(name, name)}"

    def item(self, name: str) -> Item | None:
        """An object inside."""
        value = self.get(name)
        return item(value, self.at(name)) if isinstance(value, dict) else None

    def items(self, name: str) -> list[Item]:
        """A list of objects inside, wrapped or not."""
        value = unwrapped(self.get(name))
        if not isinstance(value, list):
            return []
        return [item(one, f"{self.at(name)}[{index}]") for index, one in enumerate(value) if isinstance(one, dict)]

    def texts(self, name: str) -> list[str]:
        """A list of texts inside, wrapped or not."""
        value = unwrapped(self.get(name))
        found = value if isinstance(value, list) else [] if value is None else [value]
        return [str(one).strip() for one in found if str(one).strip()]

    def text(self, name: str) -> str:
        """A text or number as text; '' when missing."""
        value = self.get(name)
        return "" if value is None or isinstance(value, dict | list) else str(value).strip()

    def number(self, name: str) -> float | None:
        """A number, also when it is written as text; None for anything else."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            number = float(value)
        except ValueError:
            return None
        return number if abs(number) < 1e12 else None

    def flag(self, name: str) -> bool | None:
        """true or false, also as 1 and 0; None when missing."""
        value = self.get(name)
        if isinstance(value, str):
            return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
        return bool(value) if isinstance(value, bool | int) else None


def item(value: Mapping[str, Any], path: str) -> Item:
    """An object with normal names."""
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for written, one in value.items():
        normal = written.replace("_", "").lower()
        normal = ALIASES.get(normal) or normal
        values[normal], names[normal] = one, written
    return Item(path, values, names)


def unwrapped(value: Any) -> Any:
    """A list that is wrapped into an object of one entry, as in {"RuleBasicInfo": [...]}; JSON written as text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    if isinstance(value, dict) and len(value) == 1:
        inner = next(iter(value.values()))
        if isinstance(inner, list):
            return inner
    return value


@dataclass(frozen=True, slots=True)
class Export:
    """Everything of a file: the rules, and the conditions of all of them."""

    rules: tuple[Item, ...]
    conditions: tuple[Item, ...]


def read_export(text: str, name: str) -> Export:
    """UserError when the text is no JSON, or holds no rules."""
    if len(text) > MAX_BYTES:
        raise UserError(f"{name} has {len(text)} characters, at most {MAX_BYTES} are read", 2)
    try:
        plain = json.loads(text)
    except ValueError as error:
        raise UserError(f"{name} is no JSON: {error}", 2) from error
    except RecursionError as error:
        raise UserError(f"{name} is nested too deeply", 2) from error
    rules: list[Item] = []
    conditions: list[Item] = []
    for found in _places(plain, "$"):
        rules += found.items("rules")
        conditions += found.items("conditions")
    if not rules:
        raise UserError(f"{name}: no 'rules' in it; export them with GetRule, GetRuleDetail or ListRules", 2)
    return Export(tuple(rules), tuple(conditions))


def _places(value: Any, path: str) -> Iterator[Item]:
    """Objects that hold rules or conditions, inside whatever wraps them."""
    value = unwrapped(value)
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _places(one, f"{path}[{index}]")
    elif isinstance(value, dict):
        here = item({written: unwrapped(one) for written, one in value.items()}, path)
        if "rules" in here.values or "conditions" in here.values:
            yield here
        elif "rid" in here.values and "lambda" in here.values:
            yield item({"rules": [value]}, path)
        else:
            for written, one in value.items():
                if written.replace("_", "").lower() in WRAPPINGS:
                    yield from _places(one, f"{path}.{written}")


WRAPPINGS: Final = frozenset(name for name, meant in ALIASES.items() if meant == "")
