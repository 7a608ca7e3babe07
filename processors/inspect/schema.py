"""The JSON Schema of the rule language, made from the operators, for editors that complete and check YAML.

It says what may stand where. What depends on several places at once (unknown rules, contradicting windows, regular
expressions) is checked by `language` only.
"""

from __future__ import annotations

from typing import Any, Final

from processors.inspect.conditions import LOGIC, MODIFIERS, ROLES
from processors.inspect.examples import DIRECTIONS
from processors.inspect.language import SEVERITIES
from processors.inspect.operators import OPERATORS

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def language_schema() -> Schema:
    """JSON Schema (draft 2020-12) of one rule document."""
    return {
        "$schema": DRAFT,
        "title": "Tingjian rule",
        "$ref": "#/$defs/document",
        "$defs": {
            "document": {
                "oneOf": [
                    {"$ref": "#/$defs/rule"},
                    {"type": "object", "required": ["flow"]},
                    {"type": "object", "required": ["scheme"]},
                ]
            },
            "rule": _rule(),
            "scope": _scope(),
            "condition": _condition(),
            "conditions": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}},
            "example": _example(),
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


def _rule() -> Schema:
    rule = _object(
        {
            "id": {"type": "string", "pattern": r"^[\w][\w.\-]{0,79}$"},
            "name": {"type": "string"},
            "severity": {"enum": list(SEVERITIES)},
            "points": {"type": "number"},
            "fatal": {"type": "boolean"},
            "scope": {"$ref": "#/$defs/scope"},
            "when": {"$ref": "#/$defs/condition"},
            "alert": {"$ref": "#/$defs/alert"},
            "explain": {"type": "string"},
            "examples": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/example"}},
        },
        ("id", "when"),
    )
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
    positive = {"type": "number", "exclusiveMinimum": 0}
    moment = {"type": "number", "minimum": 0}
    position = {"oneOf": [positive, {"type": "array", "minItems": 2, "maxItems": 2, "items": moment}]}
    modifiers: Schema = {
        "role": {"enum": list(ROLES)},
        "first_s": position,
        "last_s": position,
        "after": {"$ref": "#/$defs/condition"},
        "before": {"$ref": "#/$defs/condition"},
        "within_s": positive,
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


def _example() -> Schema:
    return _object(
        {
            "says": {"type": "array", "minItems": 1, "items": {"type": "string"}},
            "hit": {"oneOf": [{"type": "boolean"}, {"type": "number"}, {"type": "array", "items": {"type": "number"}}]},
            "name": {"type": "string"},
            "scenario": {"type": "string"},
            "queue": {"type": "string"},
            "team": {"type": "string"},
            "direction": {"enum": list(DIRECTIONS)},
            "attributes": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
        },
        ("says", "hit"),
    )


def _alert() -> Schema:
    return {"type": "object", "properties": {"min_hits": {"type": "integer", "minimum": 1}}}
