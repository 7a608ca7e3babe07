"""Reads scoring schemes (质检方案) from rule files.

    scheme: loan-sales
    name: 贷款销售质检方案
    scope: {scenario: [loan-sales]}
    start: 100
    dimensions:
      - id: compliance
        name: 合规
        least: -60
        items:
          - {id: promise, name: 承诺下款, rules: [guaranteed-approval], fatal: true}
          - {id: manners, name: 服务用语, rules: [impatient, blaming], points: -2, times: 3}
    examples:
      - {scenario: loan-sales, says: ["agent 12.0 我们保证下款"], points: 0, fatal: true}

It checks what is written; whether the rules exist is checked with those of all files (`mentions` of the reader).
"""

from __future__ import annotations

from typing import Final

import yaml

from processors.inspect.examples import read_calls
from processors.inspect.language import MAX_POINTS
from processors.inspect.operators.attribute import Attribute
from processors.inspect.reader import Node, Reader, clip, read_id
from processors.inspect.schemes import Dimension, Item, Scheme, SchemeExample
from processors.inspect.scopes import Scope, read_scope

SCHEME_KEYS: Final = (
    *("scheme", "name", "scope", "start", "least", "most", "fatal_points", "normalise_to"),
    *("dimensions", "items", "examples"),
)
DIMENSION_KEYS: Final = ("id", "name", "items", "least", "most")
ITEM_KEYS: Final = (
    *("id", "name", "rules", "points", "full", "times", "least", "most", "fatal", "applies", "only_after"),
)


def read_scheme(node: Node, reader: Reader) -> Scheme | None:
    """One scheme; None when it has no usable name. `items` without `dimensions` make one dimension without name."""
    found = reader.mapping(node, "a scheme", SCHEME_KEYS, ("scheme",))
    scheme_id = read_id(found["scheme"], reader, "'scheme'") if "scheme" in found else ""
    taken: set[str] = set()
    if ("dimensions" in found) == ("items" in found):
        reader.problem(node, "a scheme needs either 'dimensions' or 'items'")
    dimensions: list[Dimension] = []
    if "items" in found:
        dimensions.append(Dimension("", "", _items(found["items"], reader, taken)))
    for each in reader.items(found["dimensions"], "'dimensions'") if "dimensions" in found else []:
        dimensions.append(_dimension(each, reader, taken))
    shipped = Scheme("")
    least, most = _bounds(found, reader, shipped.least, shipped.most)
    start = _points(found, "start", reader, 0.0 if "normalise_to" in found else shipped.start)
    if "normalise_to" not in found and least is not None and least > start:
        reader.problem(found["least"], f"'least' is above 'start' ({start:g}), so no hit would cost anything")
    scope = read_scope(found["scope"], reader) if "scope" in found else Scope()
    if scope.role:
        reader.problem(found["scope"], "a scheme scores whole calls, so its scope has no 'role'", "remove 'role'")
    normalise_to = None
    if "normalise_to" in found:
        normalise_to = reader.number(found["normalise_to"], "'normalise_to'", above=0, most=MAX_POINTS, default=100)
        if not any(item.full for dimension in dimensions for item in dimension.items):
            reader.problem(found["normalise_to"], "'normalise_to' needs items with 'full' marks")
    if not scheme_id:
        return None
    return Scheme(
        scheme_id,
        name=reader.text(found["name"], "'name'") if "name" in found else scheme_id,
        scope=scope,
        start=start,
        least=least,
        most=most,
        fatal_points=_points(found, "fatal_points", reader, shipped.fatal_points),
        normalise_to=normalise_to,
        dimensions=tuple(dimensions),
        examples=_examples(found["examples"], reader) if "examples" in found else (),
        place=reader.place(found["scheme"]),
    )


def _examples(node: Node, reader: Reader) -> tuple[SchemeExample, ...]:
    """Examples are written as those of rules, with `points`, and `fatal` where the call fails, instead of `hit`."""
    return tuple(
        SchemeExample(
            call,
            _points(found, "points", reader, 0.0),
            reader.flag(found["fatal"], "'fatal'") if "fatal" in found else False,
        )
        for call, found in read_calls(node, reader, "scheme", ("points", "fatal"), ("points",))
    )


def _dimension(node: Node, reader: Reader, taken: set[str]) -> Dimension:
    found = reader.mapping(node, "a dimension", DIMENSION_KEYS, ("id", "items"))
    dimension_id = _own_id(found["id"], reader, taken) if "id" in found else ""
    least, most = _bounds(found, reader, None, None)
    return Dimension(
        dimension_id,
        name=reader.text(found["name"], "'name'") if "name" in found else dimension_id,
        items=_items(found["items"], reader, taken) if "items" in found else (),
        least=least,
        most=most,
    )


def _items(node: Node, reader: Reader, taken: set[str]) -> tuple[Item, ...]:
    return tuple(_item(each, reader, taken) for each in reader.items(node, "'items'"))


def _item(node: Node, reader: Reader, taken: set[str]) -> Item:
    found = reader.mapping(node, "an item", ITEM_KEYS, ("id", "rules"))
    item_id = _own_id(found["id"], reader, taken) if "id" in found else ""
    points = _points(found, "points", reader, 0.0) if "points" in found else None
    full = reader.number(found["full"], "'full'", least=0, most=MAX_POINTS) if "full" in found else 0.0
    fatal = reader.flag(found["fatal"], "'fatal'") if "fatal" in found else False
    applies = ""
    if "applies" in found:
        expression = Attribute.read(found["applies"], reader)
        applies = expression.expression if expression is not None else ""
    least, most = _bounds(found, reader, None, None)
    if full and points is not None and points > 0:
        reader.problem(found["points"], "an item with 'full' marks can only lose them", "write negative 'points'")
    return Item(
        item_id,
        name=reader.text(found["name"], "'name'") if "name" in found else item_id,
        rules=_rules(found["rules"], reader, "'rules'") if "rules" in found else (),
        points=points,
        full=full,
        times=reader.count(found["times"], "'times'") if "times" in found else 0,
        least=least,
        most=most,
        fatal=fatal,
        applies=applies,
        only_after=_rules(found["only_after"], reader, "'only_after'") if "only_after" in found else (),
    )


def _rules(node: Node, reader: Reader, what: str) -> tuple[str, ...]:
    """Names of rules, each noted so that it is looked up when all files are read."""
    names = reader.texts(node, what, longest=170)
    for item in node.value if isinstance(node, yaml.SequenceNode) else []:
        name = str(getattr(item, "value", "")).strip()
        if name in names:
            reader.mentions.append((name, reader.place(item)))
    return names


def _own_id(node: Node, reader: Reader, taken: set[str]) -> str:
    name = read_id(node, reader, "'id'")
    if name and name in taken:
        reader.problem(node, f"'{clip(name)}' stands twice in the scheme")
    taken.add(name)
    return name


def _points(found: dict[str, Node], key: str, reader: Reader, default: float) -> float:
    if key not in found:
        return default
    return reader.number(found[key], f"'{key}'", least=-MAX_POINTS, most=MAX_POINTS, default=default)


def _bounds(
    found: dict[str, Node], reader: Reader, least: float | None, most: float | None
) -> tuple[float | None, float | None]:
    """Caps as written, else those by default."""
    if "least" in found:
        least = _points(found, "least", reader, 0.0)
    if "most" in found:
        most = _points(found, "most", reader, 0.0)
    if least is not None and most is not None and least > most:
        reader.problem(found.get("most", found.get("least", next(iter(found.values())))), "'most' is below 'least'")
    return least, most
