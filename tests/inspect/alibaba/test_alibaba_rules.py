"""Rules of Alibaba's 智能对话分析: what they become here, what is noted, what is refused and why."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from processors.inspect.alibaba.rules import Imported, import_rules
from processors.inspect.book import compile_book
from processors.inspect.language import parse
from processors.inspect.trial import replay, standing
from processors.runtime.errors import UserError
from tests.inspect.rules import call

Plain = dict[str, Any]


def operator(kind: str, oid: str = "1", **param: Any) -> Plain:
    return {"oid": oid, "name": f"算子{oid}", "type": kind, "param": param}


def condition(cid: str, *operators: Plain, logic: str = "1", role: str = "客服", **reach: Any) -> Plain:
    return {"cid": cid, "check_range": {"role": role, **reach}, "operators": list(operators), "lambda": logic}


def export(*conditions: Plain, logic: str = "1", **rule: Any) -> str:
    """What UploadRule takes."""
    one = {"rid": "1", "name": "规则", "lambda": logic, "triggers": ["1"], **rule}
    return json.dumps({"appKey": "k", "conditions": list(conditions), "rules": [one]}, ensure_ascii=False)


def imported(text: str) -> Imported:
    """The import, checked: whatever comes out is accepted by the language."""
    made = import_rules(text, "rules.json")
    assert not parse(made.files).errors
    return made


def when(*conditions: Plain, logic: str = "1") -> Plain:
    made = imported(export(*conditions, logic=logic))
    assert made.rules == 1, made.notes
    written: Plain = yaml.safe_load(next(iter(made.files.values())))["when"]
    return written


def refused(*conditions: Plain, logic: str = "1", **rule: Any) -> tuple[str, str]:
    """Place and reason."""
    made = imported(export(*conditions, logic=logic, **rule))
    assert made.rules == 0 and made.refused == 1
    (note,) = [one for one in made.notes if one.refused]
    return note.path, note.message


def hits(text: str, says: list[str]) -> int:
    book = compile_book(parse(imported(text).files), "t")
    return len(standing(replay(book, call(says))))


KEYWORDS = {"keywords": ["保证下款", "包过"]}


@pytest.mark.parametrize(
    ("kind", "param", "expected"),
    [
        ("HIT_ANY_KEYWORDS", KEYWORDS, {"said": {"any": ["保证下款", "包过"]}}),
        ("INCLUDE_KEYWORDS", {**KEYWORDS, "in_sentence": True}, {"said": {"all": ["保证下款", "包过"]}}),
        (
            "INCLUDE_KEYWORDS",
            {"keywords": ["甲方", "乙方", "丙方"], "keywordMatchSize": 2, "in_sentence": True},
            {"said": {"at_least": 2, "of": ["甲方", "乙方", "丙方"]}},
        ),
        (
            "INCLUDE_KEYWORDS",
            {"keywords": ["甲方", "乙方", "丙方"], "keywordMatchSize": 2, "in_sentence": False},
            {"at_least": {"n": 2, "of": [{"said": {"any": [one]}} for one in ("甲方", "乙方", "丙方")]}},
        ),
        (
            "INCLUDE_KEYWORDS",
            {**KEYWORDS, "keywordMatchSize": 0, "in_sentence": True},
            {"said": {"none": ["保证下款", "包过"]}},
        ),
        (
            "INCLUDE_KEYWORDS",
            {**KEYWORDS, "keywordMatchSize": 0, "in_sentence": False},
            {"not": {"said": {"any": ["保证下款", "包过"]}}},
        ),
        (
            "HIT_ANY_KEYWORDS",
            {"keywords": ["贷款"], "synonyms": {"贷款": ["借款", "借钱"]}},
            {"said": {"any": ["贷款", "借款", "借钱"]}},
        ),
        ("HIT_ANY_KEYWORDS", {"keywords": ["还不还"], "threshold": 3}, {"repeated": {"times": 3, "like": ["还不还"]}}),
        ("SIMILAR_MATCH", {"similarlySentences": ["我要投诉你们"], "score": 80}, {"similar": {"to": ["我要投诉你们"]}}),
        (
            "REGULAR_EXPRESSION",
            {"regex": ".*修改密码.*", "notRegex": "发一下|告诉我", "in_sentence": True},
            {"matches": {"regex": "修改密码", "without": "发一下|告诉我"}},
        ),
        (
            "ADVANCED_REPEAT_DETECT",
            {"hit_time": 2, "similarity_threshold": 0.7, "threshold": 5},
            {"repeated": {"times": 3, "similarity": 0.7, "min_chars": 5}},
        ),
        ("NER_MODEL", {"customerParam": {"dataType": 1, "field": "身份证号"}}, {"entity": {"kind": ["id_card"]}}),
        ("INTERVAL_GREATER", {"interval": 8000, "compareOperator": "gt"}, {"silence": {"of": "line", "at_least_s": 8}}),
        (
            "INTERVAL_GREATER",
            {"interval": 4500, "different_role": True, "target": 1},
            {"response_time": {"of": "agent", "more_than_s": 4.5}},
        ),
        ("SPEECH_SPEED_CHECK", {"velocityInMint": 330, "average": False}, {"rate": {"of": "agent", "more_than": 330}}),
        ("ANY_NAME", {"delayTime": 1000}, {"overlap": {"by": "agent", "at_least_ms": 1000}}),
        ("ANY_NAME", {"beginType": "DIALOGUE", "interval": 900_000}, {"duration": {"more_than_s": 900}}),
        (
            "ANY_NAME",
            {"customerParam": {"field": "vip", "symbol": "=", "value": "1"}},
            {"attribute": 'attributes["vip"] == "1"'},
        ),
        (
            "ANY_NAME",
            {"customerParam": {"field": "金额", "symbol": ">", "value": "10000"}},
            {"attribute": 'double(attributes["金额"]) > 10000.0'},
        ),
    ],
)  # fmt: skip
def test_an_operator_becomes_ours(kind: str, param: Plain, expected: Plain) -> None:
    found = when(condition("1", operator(kind, **param)))
    assert {key: value for key, value in found.items() if key != "role"} == expected


@pytest.mark.parametrize(
    ("param", "reason"),
    [
        (operator("REGULAR_EXPRESSION", regex="贷款(?!利率)"), "look-around"),
        (operator("SPEECH_SPEED_CHECK", velocityInMint=300, average=True), "average of the whole call"),
        (operator("INTERVAL_GREATER", interval=3000, target=0), "length of a sentence"),
        (operator("LLM", dimensions=[{"name": "态度"}]), "answer of a model"),
        (operator("ENERGY", maxEmotionChangeValue=3), "decibel"),
        (operator("NER_MODEL", customerParam={"dataType": 77}), "kind of entity is not known"),
        (operator("NEW_THING", anything=1), "no operator here does what NEW_THING does"),
        (operator("X", customerParam={"field": "vip", "symbol": 3, "value": "1"}), "comparison 3"),
        (operator("HIT_ANY_KEYWORDS", keywords=[]), "no keywords"),
    ],
)
def test_what_can_not_be_written_is_refused_with_its_reason_and_place(param: Plain, reason: str) -> None:
    path, message = refused(condition("1", param))
    assert reason in message
    assert path.startswith(("$.conditions[0].operators[0]", "$.rules[0]"))


def test_the_logic_of_a_rule_puts_presence_before_absence() -> None:
    yes, no = operator("HIT_ANY_KEYWORDS", keywords=["下款"]), operator("HIT_ANY_KEYWORDS", keywords=["审批"])
    said = {"said": {"any": ["下款"]}, "role": "agent"}
    assert when(condition("1", yes), condition("2", no), logic="!2&&1") == {
        "all": [said, {"not": {"said": {"any": ["审批"]}, "role": "agent"}}]
    }


def test_or_binds_weaker_than_and_and_brackets_bind_strongest() -> None:
    conditions = [condition(str(n), operator("HIT_ANY_KEYWORDS", keywords=[f"词语{n}"])) for n in (1, 2, 3)]
    a, b, c = ({"said": {"any": [f"词语{n}"]}, "role": "agent"} for n in (1, 2, 3))
    assert when(*conditions, logic="1||2&&3") == {"any": [a, {"all": [b, c]}]}
    assert when(*conditions, logic="(1||2)&&3") == {"all": [{"any": [a, b]}, c]}


def test_operators_of_one_condition_mean_the_same_sentence() -> None:
    made = when(condition(
        "1", operator("HIT_ANY_KEYWORDS", "1", keywords=["利率"]), operator("REGULAR_EXPRESSION", "2", regex="[0-9]%"),
        logic="1&&!2",
    ))  # fmt: skip
    assert made == {
        "all": [{"said": {"any": ["利率"]}}, {"not": {"matches": {"regex": "[0-9]%"}}, "within_turns": 0}],
        "role": "agent",
    }


@pytest.mark.parametrize(
    ("reach", "window"),
    [
        ({"range": {"from": 1, "to": 3}}, {"first_s": 30}),
        ({"range": {"from": -2, "to": -1}}, {"last_s": 20}),
        ({"range": {"from": 1, "to": -1}}, {}),
        ({}, {}),
    ],
)
def test_a_range_of_sentences_becomes_a_window(reach: Plain, window: Plain) -> None:
    found = when(condition("1", operator("HIT_ANY_KEYWORDS", keywords=["您好"]), **reach))
    assert found == {"said": {"any": ["您好"]}, "role": "agent", **window}


def test_an_approximation_is_noted_in_the_file_and_in_the_list() -> None:
    made = imported(export(condition("1", operator("HIT_ANY_KEYWORDS", keywords=["您好"]), range={"from": 1, "to": 3})))
    (note,) = made.notes
    assert (note.path, note.refused) == ("$.conditions[0].check_range.range", False)
    assert "first 3 sentences are taken as the first 30 s" in note.message
    assert made.files["sca-1.yaml"].startswith(f"# {note.message}\n")


def test_an_anchor_becomes_after_with_a_number_of_turns() -> None:
    asked = condition("1", operator("HIT_ANY_KEYWORDS", keywords=["多少钱"]), role="客户")
    answered = condition(
        "2", operator("HIT_ANY_KEYWORDS", keywords=["利率"]),
        anchor={"cid": "1", "location": "AFTER", "hit_time": 0}, range={"from": 1, "to": 2},
    )  # fmt: skip
    text = export(asked, answered, logic="1&&!2")
    customer = {"said": {"any": ["多少钱"]}, "role": "customer"}
    assert when(asked, answered, logic="1&&2") == {
        "all": [customer, {"said": {"any": ["利率"]}, "role": "agent", "after": customer, "within_turns": 4}]
    }
    assert hits(text, ["customer 5 多少钱", "agent 8 不知道", "end 60"]) == 1
    assert hits(text, ["customer 5 多少钱", "agent 8 利率百分之五", "end 60"]) == 0


@pytest.mark.parametrize(
    ("reach", "reason"),
    [
        ({"anchor": {"cid": "9", "location": "AFTER", "hit_time": 1}}, "no condition 9"),
        ({"anchor": {"cid": "1", "location": "AFTER", "hit_time": 1}}, "wait for each other"),
        ({"anchor": {"cid": "2", "location": "AFTER", "hit_time": 3}}, "3. hit"),
        ({"all_sentences_satisfy": True, "range": {"from": 1, "to": 3}}, "every sentence"),
        ({"range": {"from": 4, "to": 2}}, "range of sentences"),
    ],
)
def test_a_range_that_has_no_like_is_refused(reach: Plain, reason: str) -> None:
    one = condition("1", operator("HIT_ANY_KEYWORDS", keywords=["您好"]), **reach)
    other = condition("2", operator("HIT_ANY_KEYWORDS", keywords=["再见"]))
    assert reason in refused(one, other)[1]


def test_the_head_of_a_rule_is_taken_over() -> None:
    made = imported(export(
        condition("1", operator("HIT_ANY_KEYWORDS", **KEYWORDS)), rid="5012", name="承诺下款", comments="不许承诺",
        level=0, ruleScoreType=3, scoreNum=5.0, effectiveStartTime="2026-01-01 00:00:00", effectiveEndTime="2026-12-31",
    ))  # fmt: skip
    rule = parse(made.files).rules[0]
    assert (rule.rule_id, rule.name, rule.severity, rule.points) == ("sca-5012", "承诺下款", "high", -5)
    assert rule.explain == "不许承诺" and rule.scope.from_ms == 1_767_196_800_000 and rule.scope.until_ms is not None
    assert any("taken as a deduction" in note.message for note in made.notes)


def test_answers_of_the_api_are_read_in_all_their_spellings() -> None:
    answer = {
        "Code": "200", "Success": True,
        "Data": {
            "Rules": {"RuleBasicInfo": [{"Rid": "7", "RuleLambda": "11", "Triggers": {"Trigger": ["11"]}}]},
            "Conditions": {"ConditionBasicInfo": [{
                "ConditionInfoCid": "11", "OperLambda": "8", "CheckRange": {"Role": "客户", "Absolute": True},
                "Operators": {"OperatorBasicInfo": [{
                    "Oid": "8", "Type": "INCLUDE_KEYWORDS",
                    "Param": {"OperKeyWords": {"OperKeyWord": ["投诉", "举报"]}, "KeywordMatchSize": 1},
                }]},
            }]},
        },
    }  # fmt: skip
    made = imported(json.dumps(answer))
    assert yaml.safe_load(made.files["sca-7.yaml"])["when"] == {"said": {"any": ["投诉", "举报"]}, "role": "customer"}


def test_json_within_json_is_read() -> None:
    inner = json.loads(export(condition("1", operator("HIT_ANY_KEYWORDS", **KEYWORDS))))
    wrapped = {"JsonStr": json.dumps({**inner, "rules": json.dumps(inner["rules"])})}
    assert imported(json.dumps(wrapped)).rules == 1


def test_a_rule_that_needs_another_speaks_of_it_and_falls_with_it() -> None:
    both = json.loads(export(condition("1", operator("HIT_ANY_KEYWORDS", **KEYWORDS))))
    both["rules"].append({"rid": "2", "name": "后续", "lambda": "1", "preqRule": {"rid": "1"}})
    made = imported(json.dumps(both))
    assert yaml.safe_load(made.files["sca-2.yaml"])["when"]["all"][1] == {"rule": {"hit": "sca-1"}}
    both["rules"][0]["lambda"] = "99"
    fallen = imported(json.dumps(both))
    assert fallen.rules == 0 and {note.rule for note in fallen.notes if note.refused} == {"sca-1", "sca-2"}


def test_process_rules_and_deleted_ones_are_named() -> None:
    one = condition("1", operator("HIT_ANY_KEYWORDS", **KEYWORDS))
    assert "flow" in refused(one, graphFlow={"nodes": [{"id": 1}]})[1]
    assert "deleted" in refused(one, isDelete=1)[1]


@pytest.mark.parametrize(
    ("logic", "reason"),
    [
        ("1&&", "ends too early"), ("(1", "')' is missing"), ("1 2", "too much"), ("1&2", "not understood"),
        ("!" * 20 + "1", "nested"), ("1||!1", "an absence beside"), ("&&1", "should be"),
    ],
)  # fmt: skip
def test_a_lambda_that_can_not_be_read_is_refused(logic: str, reason: str) -> None:
    assert reason in refused(condition("1", operator("HIT_ANY_KEYWORDS", **KEYWORDS)), logic=logic)[1]


@pytest.mark.parametrize(
    "text", ["", "[", "{}", '{"rules": []}', '"x"', "null", "[1, 2]", '{"rules": {"a": 1}}', "[" * 5000]
)
def test_a_file_without_rules_is_one_clear_line(text: str) -> None:
    with pytest.raises(UserError, match=r"rules\.json") as caught:
        import_rules(text, "rules.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [None], {"a": [1]}, True, -1e300])
@pytest.mark.parametrize("place", ["conditions", "rules", "lambda", "operators", "param", "check_range", "keywords"])
def test_nothing_in_the_file_makes_it_fall_over(place: str, value: Any) -> None:
    plain = json.loads(export(condition("1", operator("HIT_ANY_KEYWORDS", **KEYWORDS), range={"from": 1, "to": 2})))
    spots = [plain, plain["rules"][0], plain["conditions"][0], plain["conditions"][0]["operators"][0]]
    spots.append(plain["conditions"][0]["operators"][0]["param"])
    for spot in spots:
        if place in spot:
            spot[place] = value
    try:
        made = imported(json.dumps(plain))
    except UserError:
        return
    assert made.rules + made.refused == 1
