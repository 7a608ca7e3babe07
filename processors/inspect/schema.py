"""The JSON Schema of the rule language, made from the operators, for editors that complete and check YAML.

It says what may stand where. What depends on several places at once (unknown rules, contradicting windows, regular
expressions) is checked by `language` only.
"""

from __future__ import annotations

from typing import Any, Final

from processors.inspect.alerts import KEYS as ALERT_KEYS
from processors.inspect.conditions import LOGIC, MODIFIERS, ROLES
from processors.inspect.examples import DIRECTIONS
from processors.inspect.examples import KEYS as EXAMPLE_KEYS
from processors.inspect.flow_files import FLOW_KEYS, STEP_KEYS
from processors.inspect.language import RULE_KEYS, SEVERITIES
from processors.inspect.operators import OPERATORS
from processors.inspect.scheme_files import DIMENSION_KEYS, ITEM_KEYS, SCHEME_KEYS

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def language_schema() -> Schema:
    """JSON Schema (draft 2020-12) of one document: a rule, a flow or a scheme."""
    return {
        "$schema": DRAFT,
        "title": "Tingjian rule",
        "$ref": "#/$defs/document",
        "$defs": {
            "document": {
                "oneOf": [
                    {"$ref": "#/$defs/rule"},
                    {"$ref": "#/$defs/flow"},
                    {"$ref": "#/$defs/scheme"},
                ]
            },
            "rule": _rule(),
            "flow": _flow(),
            "scheme": _scheme(),
            "scope": _scope(),
            "condition": _condition(),
            "conditions": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}},
            "words": {"oneOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]},
            "alert": _alert(),
        },
    }


def _object(properties: Schema, required: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


ID: Final[Schema] = {"type": "string", "pattern": r"^[\w][\w.\-]{0,79}$"}
TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
FLAG: Final[Schema] = {"type": "boolean"}
POSITIVE: Final[Schema] = {"type": "number", "exclusiveMinimum": 0}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _list(items: Schema, least: int = 1) -> Schema:
    return {"type": "array", "minItems": least, "items": items}


def _flow() -> Schema:
    step = _object(
        {
            "id": {**ID, "not": {"const": "end"}},
            "name": TEXT,
            "when": _ref("condition"),
            "branches": _list(_object({"when": _ref("condition"), "go": TEXT}, ("go",))),
            "next": TEXT,
            "on_missed": TEXT,
            "within_s": POSITIVE,
            "first_s": POSITIVE,
            "skip": _ref("condition"),
            "skip_when_missed": _list(TEXT),
            "optional": FLAG,
            "points": NUMBER,
            "fatal": FLAG,
            "severity": {"enum": list(SEVERITIES)},
            "explain": TEXT,
        },
        ("id",),
    )
    step["oneOf"] = [{"required": ["when"]}, {"required": ["branches"]}]
    assert set(step["properties"]) == set(STEP_KEYS)
    flow = _object(
        {
            "flow": ID,
            "name": TEXT,
            "scope": _ref("scope"),
            "applies": TEXT,
            "severity": {"enum": list(SEVERITIES)},
            "ordered": FLAG,
            "alert": _ref("alert"),
            "steps": _list(step),
            "examples": _list(_example({"done": _list(TEXT, 0), "missed": _list(TEXT, 0)})),
        },
        ("flow", "steps"),
    )
    assert set(flow["properties"]) == set(FLOW_KEYS)
    return flow


def _scheme() -> Schema:
    caps = {"least": NUMBER, "most": NUMBER}
    item = _object(
        {
            "id": ID,
            "name": TEXT,
            "rules": _list(TEXT),
            "points": NUMBER,
            "full": {"type": "number", "minimum": 0},
            "times": {"type": "integer", "minimum": 1},
            **caps,
            "fatal": FLAG,
            "applies": TEXT,
            "only_after": _list(TEXT),
        },
        ("id", "rules"),
    )
    assert set(item["properties"]) == set(ITEM_KEYS)
    dimension = _object({"id": ID, "name": TEXT, "items": _list(item), **caps}, ("id", "items"))
    assert set(dimension["properties"]) == set(DIMENSION_KEYS)
    scheme = _object(
        {
            "scheme": ID,
            "name": TEXT,
            "scope": _ref("scope"),
            "start": NUMBER,
            **caps,
            "fatal_points": NUMBER,
            "normalise_to": POSITIVE,
            "dimensions": _list(dimension),
            "items": _list(item),
            "examples": _list(_example({"points": NUMBER, "fatal": FLAG}, ("points",))),
        },
        ("scheme",),
    )
    assert set(scheme["properties"]) == set(SCHEME_KEYS)
    return {**scheme, "oneOf": [{"required": ["dimensions"]}, {"required": ["items"]}]}


def _rule() -> Schema:
    second = {"type": "number", "minimum": 0}
    hit = {"hit": {"oneOf": [FLAG, second, _list(second)]}}
    rule = _object(
        {
            "id": ID,
            "name": TEXT,
            "severity": {"enum": list(SEVERITIES)},
            "points": NUMBER,
            "fatal": FLAG,
            "scope": _ref("scope"),
            "when": _ref("condition"),
            "alert": _ref("alert"),
            "explain": TEXT,
            "examples": _list(_example(hit, ("hit",))),
        },
        ("id", "when"),
    )
    assert set(rule["properties"]) == set(RULE_KEYS)
    return {**rule, "not": {"required": ["points", "fatal"], "properties": {"fatal": {"const": True}}}}


def _scope() -> Schema:
    words = {"$ref": "#/$defs/words"}
    return _object(
        {
            "role": {"enum": list(ROLES)},
            "scenario": words,
            "queue": words,
            "team": words,
            "direction": {
                "oneOf": [{"enum": list(DIRECTIONS)}, {"type": "array", "items": {"enum": list(DIRECTIONS)}}]
            },
            "from": {"type": "string", "description": "Date or time from which the rule applies."},
            "until": {"type": "string", "description": "Date or time before which the rule applies."},
        }
    )


def _condition() -> Schema:
    moment = {"type": "number", "minimum": 0}
    position = {"oneOf": [POSITIVE, {"type": "array", "minItems": 2, "maxItems": 2, "items": moment}]}
    modifiers: Schema = {
        "role": {"enum": list(ROLES)},
        "first_s": position,
        "last_s": position,
        "after": {"$ref": "#/$defs/condition"},
        "before": {"$ref": "#/$defs/condition"},
        "within_s": POSITIVE,
        "within_turns": {"type": "integer", "minimum": 0},
    }
    assert set(modifiers) == set(MODIFIERS)
    heads: Schema = {
        "all": {"$ref": "#/$defs/conditions"},
        "any": {"$ref": "#/$defs/conditions"},
        "not": {"$ref": "#/$defs/condition"},
        "at_least": _object(
            {"n": {"type": "integer", "minimum": 1}, "of": {"$ref": "#/$defs/conditions"}}, ("n", "of")
        ),
    }
    assert set(heads) == set(LOGIC)
    heads.update({word: operator.schema for word, operator in sorted(OPERATORS.items())})
    return {**_object({**heads, **modifiers}), "oneOf": [{"required": [word]} for word in heads]}


def _example(promises: Schema, needed: tuple[str, ...] = ()) -> Schema:
    """A small call, and what is promised of it."""
    call: Schema = {
        "says": _list(TEXT),
        "name": TEXT,
        "scenario": TEXT,
        "queue": TEXT,
        "team": TEXT,
        "direction": {"enum": list(DIRECTIONS)},
        "attributes": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
    }
    assert set(call) == set(EXAMPLE_KEYS)
    return _object({**call, **promises}, ("says", *needed))


def _alert() -> Schema:
    count = {"type": "integer", "minimum": 1}
    words = _ref("words")
    alert = _object(
        {
            "min_hits": count,
            "within_s": POSITIVE,
            "every_s": POSITIVE,
            "max": count,
            "quiet": words,
            "utc_offset": {"type": "string", "pattern": r"^[+-]\d\d:\d\d$"},
            "to": {"oneOf": [words, {"type": "object", "required": ["*"], "additionalProperties": _list(TEXT)}]},
        }
    )
    assert set(alert["properties"]) == set(ALERT_KEYS)
    return alert
