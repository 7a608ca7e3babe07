"""Each operator of SCA as a condition of this language, or the reason why there is none.

Types and parameters are those of its documents; of operators whose type is not documented the parameters tell what they
are. Whatever comes out a little different is noted by the caller's `note`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from processors.inspect.alibaba.export import Item
from processors.inspect.operators.base import Operator
from processors.inspect.operators.matches import MAX_REGEX_CHARS

Condition: TypeAlias = dict[str, Any]
"""As it is written in YAML."""
Note: TypeAlias = Callable[[str, str], None]
"""Path and message: the rule is imported, but not quite the same."""
MAX_TIMES: Final = 20
ENTITIES: Final = {
    "身份证": "id_card", "idcard": "id_card", "银行卡": "bank_card", "bankcard": "bank_card", "手机": "phone",
    "电话": "phone", "phone": "phone",
    "金额": "amount", "money": "amount", "利率": "rate", "日期": "date", "date": "date",
}  # fmt: skip
COMPARISONS: Final = {"=": "==", "==": "==", "eq": "==", "!=": "!=", "ne": "!=", "<>": "!="}
NUMERIC: Final = {">": ">", "gt": ">", ">=": ">=", "ge": ">=", "<": "<", "lt": "<", "<=": "<=", "le": "<="}
ASR_TEXTS: Final = "words are compared with what was recognised"


class NotImported(Exception):
    """There is no such condition here; the first argument is the path, the second the reason."""


def condition_of(operator: Item, role: str, note: Note) -> Condition:
    """The condition. `role` is agent, customer or '' for both. NotImported says why there is none."""
    kind, parameters = operator.text("type"), operator.item("param")
    if parameters is None:
        raise NotImported(operator.path, f"the operator {kind or 'without a type'} has no 'param'")
    made = _BY_TYPE.get(kind.upper())
    if made is None:
        made = _by_parameters(parameters)
    if made is None:
        raise NotImported(operator.at("type"), f"no operator here does what {kind or 'an operator without type'} does")
    return made(parameters, role, note)


def _by_parameters(parameters: Item) -> Callable[[Item, str, Note], Condition] | None:
    """Operators whose type is not documented, by the parameters that only they have."""
    for name, made in (
        ("delaytime", _overlap), ("velocityinmint", _rate), ("velocity", _rate), ("neardialogue", _response),
        ("begintype", _duration), ("similarlysentences", _similar), ("maxemotionchangevalue", _energy),
        ("dimensions", _model), ("antmodelinfo", _model), ("pvalues", _model), ("knowledgetargetid", _model),
        ("lgfsentences", _grammar), ("customerparam", _attribute),
    ):  # fmt: skip
        if parameters.get(name) is not None:
            return made
    return None


def _keywords(parameters: Item, size: float | None, note: Note) -> Condition:
    words = parameters.texts("keywords")
    if not words:
        raise NotImported(parameters.at("keywords"), "no keywords")
    if parameters.get("keywordextension"):
        note(parameters.at("keywordextension"), "what the extension of keywords does is not documented; left out")
    if parameters.flag("casesensitive"):
        note(parameters.at("casesensitive"), f"{ASR_TEXTS}; case is left out")
    synonyms = _synonyms(parameters, words)
    given = parameters.number("keywordmatchsize")
    count = given if given is not None else size
    single = parameters.flag("insentence")
    across = single is False or bool(parameters.flag("contextchatmatch"))
    times = parameters.number("threshold")
    if times is not None and times > 1:
        if count != 1:
            raise NotImported(parameters.at("threshold"), "a number of hits together with all or N keywords")
        if times > MAX_TIMES:
            raise NotImported(parameters.at("threshold"), f"more than {MAX_TIMES} hits")
        note(parameters.at("threshold"), "hits are counted by utterance, in the whole call")
        return {"repeated": {"times": int(times), "like": [one for group in synonyms for one in group]}}
    plain = all(len(group) == 1 for group in synonyms)
    everything = [one for group in synonyms for one in group]
    if count == 1 or (count is None and size is None):
        return {"said": {"any": everything}}
    if count == 0:
        return {"not": {"said": {"any": everything}}} if across else {"said": {"none": everything}}
    least = len(words) if count in (-1, None) else int(count or 0)
    if not 0 < least <= len(words):
        raise NotImported(parameters.at("keywordmatchsize"), f"{least} of {len(words)} keywords")
    if plain and not across:
        if single is None and len(words) > 1:
            note(parameters.path, "it is not said whether the words must be in one sentence; taken as in one")
        return {"said": {"all": words} if least == len(words) else {"at_least": least, "of": words}}
    if not plain and not across:
        note(parameters.at("synonyms"), "the words may be in different sentences, since they have synonyms")
    each: list[Condition] = [{"said": {"any": group}} for group in synonyms]
    if len(each) == 1:
        return each[0]
    return {"all": each} if least == len(each) else {"at_least": {"n": least, "of": each}}


def _synonyms(parameters: Item, words: list[str]) -> list[list[str]]:
    given = parameters.get("synonyms")
    known: Mapping[str, Any] = given if isinstance(given, dict) else {}
    return [
        [word, *(str(one) for one in known.get(word, []) if str(one) != word)]
        if isinstance(known.get(word, []), list) else [word]
        for word in words
    ]  # fmt: skip


def _any_keyword(parameters: Item, role: str, note: Note) -> Condition:
    return _keywords(parameters, 1, note)


def _all_keywords(parameters: Item, role: str, note: Note) -> Condition:
    return _keywords(parameters, -1, note)


def _similar(parameters: Item, role: str, note: Note) -> Condition:
    sentences = parameters.texts("similarlysentences")
    if not sentences:
        raise NotImported(parameters.at("similarlysentences"), "no sentences")
    note(parameters.path, "nearness is measured differently here: the default threshold is taken, look at its hits")
    return {"similar": {"to": sentences}}


def _regex(parameters: Item, role: str, note: Note) -> Condition:
    regex, without = parameters.text("regex"), parameters.text("notregex")
    if not regex:
        raise NotImported(parameters.at("regex"), "no expression")
    for name, one in (("regex", regex), ("notregex", without)):
        if len(one) > MAX_REGEX_CHARS:
            raise NotImported(parameters.at(name), f"longer than {MAX_REGEX_CHARS} characters")
    if parameters.flag("insentence") is False:
        note(parameters.at("insentence"), "expressions are searched in one utterance, not across several")
    stripped = regex.removeprefix(".*").removesuffix(".*") or regex
    return {"matches": {"regex": stripped, "without": without} if without else {"regex": stripped}}


def _repeat(parameters: Item, role: str, note: Note) -> Condition:
    times = int(parameters.number("hittime") or 1) + 1
    if times > MAX_TIMES:
        raise NotImported(parameters.at("hittime"), f"more than {MAX_TIMES} repetitions")
    similarity = parameters.number("similaritythreshold")
    if parameters.text("regex") or parameters.text("targetrole"):
        raise NotImported(parameters.path, "a repetition of what an expression has matched, or of another speaker")
    made: Condition = {"times": times}
    if similarity is not None:
        value = similarity / 100 if similarity > 1 else similarity
        if value < 0.5:
            note(parameters.at("similaritythreshold"), f"similarity {value:g} is taken as 0.5, the least there is here")
        made["similarity"] = max(0.5, min(1.0, value))
    least = parameters.number("threshold") or parameters.number("minwordsize")
    if least:
        made["min_chars"] = max(1, min(40, int(least)))
    if parameters.number("from"):
        note(parameters.at("from"), "sentences are compared with the latest 12 of the speaker, not with the last N")
    if parameters.texts("excludes"):
        note(parameters.at("excludes"), f"these repetitions count as well: {'、'.join(parameters.texts('excludes'))}")
    return {"repeated": made}


def _entity(parameters: Item, role: str, note: Note) -> Condition:
    inner = parameters.item("customerparam")
    named = [value for one in filter(None, [inner, parameters]) for value in map(str, one.values.values())]
    kinds = {kind for name, kind in ENTITIES.items() if any(name in value.replace("_", "").lower() for value in named)}
    if not kinds:
        raise NotImported(parameters.path, f"the kind of entity is not known; there are {', '.join(_kinds())}")
    return {"entity": {"kind": sorted(kinds)}}


def _kinds() -> list[str]:
    return sorted(set(ENTITIES.values()))


def _silence(parameters: Item, role: str, note: Note) -> Condition:
    interval = parameters.number("interval")
    if not interval or interval <= 0:
        raise NotImported(parameters.at("interval"), "no length in milliseconds")
    less = parameters.text("compareoperator") == "lt"
    target = parameters.number("target")
    if target == 0:
        raise NotImported(parameters.at("target"), "the length of a sentence is not asked for here")
    if target is not None and target > 1:
        raise NotImported(parameters.at("target"), "the time since a sentence further back")
    if parameters.flag("fromend"):
        note(parameters.at("fromend"), "time is measured from the end of one to the begin of the other sentence")
    seconds = _seconds(interval)
    if parameters.flag("differentrole"):
        return {"response_time": {"of": _party(role, parameters), "less_than_s" if less else "more_than_s": seconds}}
    if less:
        raise NotImported(parameters.at("compareoperator"), "a pause of one speaker that is too short")
    if role:
        note(parameters.path, "silence is that of the line, whoever spoke before")
    return {"silence": {"of": "line", "at_least_s": seconds}}


def _response(parameters: Item, role: str, note: Note) -> Condition:
    interval = parameters.number("interval")
    if not interval:
        raise NotImported(parameters.at("interval"), "no length in milliseconds")
    if not parameters.flag("neardialogue"):
        note(parameters.at("neardialogue"), "every answer is measured, not the first one alone")
    less = parameters.text("compareoperator") == "lt"
    of = _party(role, parameters)
    return {"response_time": {"of": of, "less_than_s" if less else "more_than_s": _seconds(interval)}}


def _overlap(parameters: Item, role: str, note: Note) -> Condition:
    delay = parameters.number("delaytime") or parameters.number("interval") or 0
    return {"overlap": {"by": _party(role, parameters), "at_least_ms": max(1, int(delay))}}


def _rate(parameters: Item, role: str, note: Note) -> Condition:
    limit = parameters.number("velocityinmint")
    if not limit or limit <= 0:
        raise NotImported(parameters.path, "no rate in characters a minute")
    if parameters.flag("average"):
        raise NotImported(parameters.at("average"), "the average of the whole call; write 'over_s' for a window")
    if parameters.number("minwordsize") not in (None, 8.0):
        note(parameters.at("minwordsize"), "utterances of fewer than 8 characters are left out here")
    word = "less_than" if parameters.text("compareoperator") == "lt" else "more_than"
    return {"rate": {"of": _party(role, parameters), word: _plain(limit)}}


def _duration(parameters: Item, role: str, note: Note) -> Condition:
    interval = parameters.number("interval")
    kinds = {parameters.text("begintype").upper(), parameters.text("endtype").upper()} - {""}
    if not interval or kinds - {"DIALOGUE"}:
        raise NotImported(
            parameters.path, "a time from or to a sentence; only the length of the call is asked for here"
        )
    less = parameters.text("compareoperator") == "lt"
    return {"duration": {"less_than_s" if less else "more_than_s": _seconds(interval)}}


def _attribute(parameters: Item, role: str, note: Note) -> Condition:
    asked = parameters.item("customerparam")
    assert asked is not None or parameters.get("customerparam") is not None
    if asked is None or not asked.text("field"):
        raise NotImported(parameters.at("customerparam"), "no field of the call's metadata")
    if asked.get("expressionmetadesc"):
        raise NotImported(asked.at("expressionmetadesc"), "arithmetic over metadata")
    symbol, value, field = asked.text("symbol").lower(), asked.text("value"), asked.text("field")
    name = f"attributes[{_quoted(field)}]"
    if symbol in COMPARISONS:
        return {"attribute": f"{name} {COMPARISONS[symbol]} {_quoted(value)}"}
    number = asked.number("value")
    if symbol in NUMERIC and number is not None:
        return {"attribute": f"double({name}) {NUMERIC[symbol]} {number:.6f}".rstrip("0") + "0"}
    raise NotImported(asked.at("symbol"), f"what the comparison {symbol or 'without a symbol'} means is not documented")


def _energy(parameters: Item, role: str, note: Note) -> Condition:
    raise NotImported(
        parameters.path, "energy from 1 to 10 has no fixed loudness; write level: {jump_db: ...} in decibel"
    )


def _model(parameters: Item, role: str, note: Note) -> Condition:
    raise NotImported(parameters.path, "the answer of a model there; write 'intent', 'similar' or 'emotion' instead")


def _grammar(parameters: Item, role: str, note: Note) -> Condition:
    raise NotImported(parameters.path, "sentences of a grammar (LGF); write 'matches' or 'near' instead")


def _party(role: str, parameters: Item) -> str:
    if not role:
        raise NotImported(parameters.path, "it is measured of one party, and the condition has no role")
    return role


def _seconds(interval_ms: float) -> float | int:
    return _plain(interval_ms / 1000)


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


_BY_TYPE: Final[dict[str, Callable[[Item, str, Note], Condition]]] = {
    "HIT_ANY_KEYWORDS": _any_keyword,
    "INCLUDE_KEYWORDS": _all_keywords,
    "SIMILAR_MATCH": _similar,
    "REGULAR_EXPRESSION": _regex,
    "ADVANCED_REPEAT_DETECT": _repeat,
    "NER_MODEL": _entity,
    "INTERVAL_GREATER": _silence,
    "SPEECH_SPEED_CHECK": _rate,
}


def speaker_named(condition: Condition, operators: Mapping[str, type[Operator]]) -> bool:
    """Whether the operator of a condition names its speaker itself, so that `role` beside it says nothing."""
    word = next(iter(condition))
    return word in operators and not operators[word].takes_role
