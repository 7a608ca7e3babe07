"""Past calls through two rule sets: what is newly hit, no longer hit, worth other points; what reviews say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pytest

from processors.inspect import backtest as module
from processors.inspect import backtest_page
from processors.inspect.backtest import Backtest, LiveVerdicts
from processors.inspect.backtest_page import page
from processors.inspect.backtest_report import precision, report, rule_rows, scheme_rows
from processors.inspect.book import compile_book
from processors.inspect.language import parse
from processors.inspect.operators.base import TimelineRecord
from processors.inspect.reviews import read_reviews
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.rule_pairs import split
from processors.inspect.tally import Finding, SchemeTally, Tally, difference
from processors.inspect.trial import replay, standing
from processors.records import Scorecard
from processors.runtime.errors import UserError
from tests.inspect.rules import call

PROMISE = "id: promise\nname: 承诺下款\npoints: -5\nwhen:\n  said: [{words}]\n"
RUDE = "id: rude\nname: 辱骂\npoints: -9\nwhen:\n  said: [笨蛋]\n"


def named(call_id: str, says: Sequence[str], **beside: str) -> list[TimelineRecord]:
    """A call with an id of its own."""
    return [
        dataclasses.replace(record, call_id=call_id)
        if not hasattr(record, "utterance_id")
        else dataclasses.replace(record, call_id=call_id, utterance_id=record.utterance_id.replace("example", call_id))
        for record in call(says, **beside)
    ]


CALLS = {
    "a": named("a", ["agent 5 保证下款"]),
    "b": named("b", ["agent 5 包过", "customer 9 笨蛋"]),
    "c": named("c", ["agent 5 您好"]),
    "d": named("d", ["agent 5 保证下款", "agent 20 包过"]),
}


def tally(
    old: str, new: str, calls: Mapping[str, Sequence[TimelineRecord]] = CALLS, live: LiveVerdicts | None = None
) -> Tally:
    pair = split(parse({"rules.yaml": old}), parse({"rules.yaml": new}), "default")
    test = Backtest(pair, live)
    for records in calls.values():
        for record in records:
            test.apply(record)
    return test.finish()


def promise(*words: str) -> str:
    return PROMISE.format(words=", ".join(words))


def test_calls_newly_hit_and_no_longer_hit_are_told_with_their_quotes() -> None:
    found = tally(promise("保证下款"), promise("包过"))
    assert {one.call_id: ([f.quote for f in one.gained], [f.quote for f in one.lost]) for one in found.changes} == {
        "a": ([], ["保证下款"]),
        "b": (["包过"], []),
        "d": (["包过"], ["保证下款"]),
    }
    assert (found.calls, found.changed_calls, found.gained_calls, found.lost_calls) == (4, 3, 1, 1)
    counts = found.rules["promise"]
    assert (counts.old, counts.new, counts.gained_calls, counts.lost_calls) == (2, 2, 1, 1)


def test_the_same_rules_in_other_files_change_nothing() -> None:
    found = tally(promise("保证下款") + "---\n" + RUDE, RUDE + "---\n" + promise("保证下款"))
    assert not found.changes and found.rules["rude"].old == found.rules["rude"].new == 1


def test_other_points_of_the_same_hit_are_a_change_of_the_call_and_no_new_hit() -> None:
    found = tally(promise("保证下款"), promise("保证下款").replace("-5", "-8"))
    assert [(one.call_id, one.gained, one.lost, one.points_old, one.points_new) for one in found.changes] == [
        ("a", (), (), -5, -8), ("d", (), (), -5, -8),
    ]  # fmt: skip
    assert (found.points_old, found.points_new, found.rules["promise"].gained_calls) == (-10, -16, 0)


SCHEME = (
    "scheme: sales\nstart: 100\ndimensions:\n  - {{id: d, items: [{{id: i, rules: [promise], points: {points}}}]}}\n"
)


def test_another_scheme_changes_scores_and_no_hit() -> None:
    rules = promise("保证下款") + "---\n"
    found = tally(rules + SCHEME.format(points=-10), rules + SCHEME.format(points=-30))
    assert [(one.call_id, one.gained, one.lost, one.score_old, one.score_new) for one in found.changes] == [
        ("a", (), (), 90, 70), ("d", (), (), 90, 70),
    ]  # fmt: skip
    assert (found.scored_otherwise, found.points_old, found.points_new) == (2, -10, -10)
    made = report(found, "1", "2", "", "x")
    assert scheme_rows(made) == [("sales", "4", "95 → 85", "0")]
    assert "a (得分 score 90 → 70)" in page(made)


def test_scores_are_those_of_the_scorecard_points_given_by_flows_included() -> None:
    shipped = read_rule_files(shipped_folder())
    says = ["agent 2 您好", "agent 9 您的欠款是五千元", "customer 14 我没钱", "agent 17 不还我就打到你单位", "end 90"]
    flow = "flow: opening\nsteps:\n  - {id: greet, when: {said: [您好]}, points: 4}\n"
    for scenario in ("collection", "service", "loan-sales", ""):
        records = named("x", says, scenario=scenario)
        for files in (shipped, {"flow.yaml": flow.encode()}):
            book = compile_book(parse(files), "default")
            card = [one for one in replay(book, records) if isinstance(one, Scorecard)][-1]
            test = Backtest(split(parse(files), parse(files), "default"))
            for record in records:
                test.apply(record)
            (scores,) = test.finish().schemes.items()
            assert scores == (
                card.scheme, SchemeTally(1, 1, card.points, card.points, int(card.fatal), int(card.fatal)),
            )  # fmt: skip


def test_a_call_that_another_scheme_takes_is_counted_under_both() -> None:
    rules = promise("保证下款") + "---\n"
    found = tally(rules, rules + SCHEME.format(points=-10))
    assert scheme_rows(report(found, "1", "2", "", "x")) == [
        ("", "4 → 0", "-2.5 → –", "0"), ("sales", "0 → 4", "– → 95", "0"),
    ]  # fmt: skip
    assert found.scored_otherwise == 4


def test_a_rule_that_comes_or_goes_is_counted_on_one_side() -> None:
    came = tally(promise("保证下款"), promise("保证下款") + "---\n" + RUDE)
    went = tally(promise("保证下款") + "---\n" + RUDE, promise("保证下款"))
    assert (came.rules["rude"].old, came.rules["rude"].new) == (0, 1)
    assert (went.rules["rude"].old, went.rules["rude"].new) == (1, 0)


def test_a_rule_that_speaks_of_a_changed_one_is_judged_anew() -> None:
    both = "---\nid: both\nwhen:\n  all:\n    - rule: {hit: promise}\n    - said: [笨蛋]\n"
    found = tally(promise("保证下款") + both, promise("包过") + both)
    assert (found.rules["both"].old, found.rules["both"].new) == (0, 1)


def test_a_changed_flow_is_judged_by_both_versions() -> None:
    flow = "flow: opening\nsteps:\n  - {{id: greet, when: {{said: [{word}]}}, points: -3}}\n"
    found = tally(flow.format(word="您好"), flow.format(word="保证下款"))
    counts = found.rules["opening/greet"]
    assert (counts.old, counts.new, counts.gained_calls, counts.lost_calls) == (3, 2, 1, 2)


@pytest.mark.parametrize("order", ["forwards", "interleaved"])
def test_verdicts_are_those_of_the_engine_ids_included(order: str) -> None:
    shipped = read_rule_files(shipped_folder())
    changed = {name: text.decode().replace("points: -20", "points: -21").encode() for name, text in shipped.items()}
    says = ["agent 2 您好", "agent 9 您的欠款是五千元", "customer 14 我没钱", "agent 17 不还我就打到你单位", "end 90"]
    calls = {name: named(name, says, scenario="collection") for name in ("x", "y")}
    records = [one for records in calls.values() for one in records]
    if order == "interleaved":
        records = [one for both in zip(*calls.values(), strict=True) for one in both]
    test = Backtest(split(parse(shipped), parse(changed), "default"))
    for record in records:
        test.apply(record)
    found = test.finish()
    for files, side in ((shipped, "lost"), (changed, "gained")):
        alone = standing(replay(compile_book(parse(files), "default"), calls["x"]))
        assert alone
        counted = {rule.rule_id: rule.old if side == "lost" else rule.new for rule in found.rules.values()}
        assert {one.rule_id: 2 * sum(o.rule_id == one.rule_id for o in alone) for one in alone} == {
            rule_id: count for rule_id, count in counted.items() if count
        }
    assert found.rules["contact-relatives"].points_new == -42


def live(
    records: Mapping[str, Sequence[TimelineRecord]], rules: str, reviews: Mapping[str, str] | None = None
) -> LiveVerdicts:
    """What inspect would have put on its topics."""
    parsed = parse({"rules.yaml": rules})
    known = LiveVerdicts("default", parsed.version, reviews or {})
    for one in records.values():
        for output in replay(compile_book(parsed, "default"), one):
            known.apply(output)
    return known


def test_the_old_set_finds_what_was_found_live() -> None:
    found = tally(promise("保证下款"), promise("包过"), live=live(CALLS, promise("保证下款")))
    assert (found.live_calls, found.live_equal, found.live_differ) == (4, 4, [])


def test_a_difference_to_the_live_verdicts_is_told() -> None:
    known = live(CALLS, promise("保证下款"))
    known.found["a"].clear()
    found = tally(promise("保证下款"), promise("包过"), live=known)
    assert (found.live_calls, found.live_equal, found.live_differ) == (4, 3, ["a"])


def test_calls_judged_live_by_another_version_are_not_compared() -> None:
    found = tally(promise("保证下款"), promise("包过"), live=live(CALLS, promise("您好")))
    assert found.live_calls == 0


def test_precision_follows_the_reviewed_place_into_the_changed_rule() -> None:
    old, new = promise("保证下款", "包过"), promise("包过")
    ids = {
        (one.call_id, one.start_ms): one.violation_id
        for records in CALLS.values()
        for one in standing(replay(compile_book(parse({"rules.yaml": old}), "default"), records))
    }
    reviews = {ids["a", 5000]: "overturned", ids["b", 5000]: "confirmed", ids["d", 5000]: "overturned"}
    found = tally(old, new, live=live(CALLS, old, reviews))
    counts = found.rules["promise"]
    assert (counts.confirmed_old, counts.overturned_old) == (1, 2)
    assert (counts.confirmed_new, counts.overturned_new) == (1, 0)
    assert found.verdicts == 3
    made = report(found, "1", "2", "", "published")
    assert made["rules"][0]["precision"] == {"old": pytest.approx(1 / 3), "new": 1.0}


def test_precision_is_unknown_without_reviews() -> None:
    assert precision(0, 0) is None and precision(3, 1) == 0.75


def test_calls_without_a_beginning_or_an_end_are_told_apart() -> None:
    found = tally(promise("保证下款"), promise("包过"), {"a": CALLS["a"][:-1], "b": CALLS["b"][1:]})
    assert (found.calls, found.unfinished, found.headless) == (1, 1, 1)
    assert found.rules["promise"].old == 1


def test_a_call_that_is_stored_again_counts_once() -> None:
    found = tally(promise("保证下款"), promise("包过"), {"a": CALLS["a"], "again": CALLS["a"]})
    assert (found.calls, found.repeated, found.rules["promise"].old) == (1, 1, 1)


def test_more_open_calls_than_memory_allows_are_judged_as_far_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OPEN", 2)
    begun = {name: records[:-1] for name, records in CALLS.items()}
    found = tally(promise("保证下款"), promise("包过"), begun)
    assert (found.calls, found.unfinished) == (4, 4)


def test_only_the_first_changes_are_kept_but_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHANGES", 1)
    found = tally(promise("保证下款"), promise("包过"))
    assert len(found.changes) == 1 and found.changed_calls == 3


def test_parts_of_the_calls_add_up_to_all_of_them() -> None:
    old, new = promise("保证下款"), promise("包过") + "---\n" + RUDE
    parts = Tally()
    for name, records in CALLS.items():
        parts.add(tally(old, new, {name: records}))
    assert parts == tally(old, new)


def test_rules_with_mistakes_are_refused() -> None:
    with pytest.raises(UserError, match="has mistakes"):
        split(parse({"a.yaml": promise("下款")}), parse({"a.yaml": "id: x\nwhen: {sayd: [a]}\n"}), "default")


def test_the_difference_pairs_what_stands_at_the_same_place() -> None:
    def finding(number: int, start_ms: int, end_ms: int) -> Finding:
        return Finding(str(number), "c", "r", "r", "low", 0, False, start_ms, end_ms, "")

    one, moved, other = finding(1, 100, 200), finding(2, 150, 260), finding(3, 200, 300)
    assert difference([one], [moved]) == ([], [])
    assert difference([one], [other]) == ([other], [one])
    assert difference([one, other], [one]) == ([], [other])


def test_the_page_needs_nothing_else_and_escapes_what_people_said() -> None:
    nasty = "<script>alert(1)</script>&\"'"
    calls = {nasty: [dataclasses.replace(one, call_id=nasty) for one in CALLS["b"]]}
    rules = promise("包过").replace("承诺下款", "'<b>x</b>'")
    html = page(report(tally(promise("保证下款"), rules, calls), "1", "2", "7d", nasty))
    assert "<script" not in html and "<b>x" not in html and "&lt;script&gt;" in html
    assert not [word for word in ("http://", "https://", "src=", "@import", "url(") if word in html]
    assert "规则回测 Backtest" in html and "newly hit" in html


def test_the_page_tells_changes_by_rule_and_folds_what_is_the_same() -> None:
    made = report(tally(promise("保证下款") + "---\n" + RUDE, promise("包过") + "---\n" + RUDE), "1", "2", "", "x")
    html = page(made)
    changes, same = (
        html.partition("命中的变化")[2],
        html.partition("rules without a change")[2].partition("</details>")[0],
    )
    assert "rude" in same and "promise" not in same
    assert changes.count("promise") == 1 and "rude" not in changes
    assert "<span class=gain>+2</span> <span class=loss>−2</span>" in changes
    assert [changes.count(f"<td class=q>{quote}</td>") for quote in ("保证下款", "包过")] == [2, 2]
    assert "without an end" not in html and "differ from the live" not in html


def test_the_page_says_so_when_nothing_changes_or_only_points_do() -> None:
    same = page(report(tally(promise("包过"), promise("包过")), "1", "1", "", "x"))
    assert same.count("没有变化 no change") == 2
    points = page(report(tally(promise("包过"), promise("包过").replace("-5", "-8")), "1", "2", "", "x"))
    assert "2 通只有分数变化" in points and "b (-5 → -8)" in points


def test_the_page_keeps_lists_within_bounds_and_counts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest_page, "SHOWN", 1)
    monkeypatch.setattr(module, "MOST_CHANGES", 2)
    html = page(report(tally(promise("保证下款"), promise("包过")), "1", "2", "", "x"))
    assert html.count("<td class=q>") == 1 and "另有 and 1 more" in html
    assert "1 通没有逐一列出" in html


def test_the_page_warns_of_calls_whose_live_verdicts_were_others() -> None:
    made = report(tally(promise("保证下款"), promise("包过")), "1", "2", "", "x")
    made["live"] = {"calls": 4, "equal": 3, "differ": ["d"]}
    assert "class=warn>3 / 4" in page(made) and "1 通与实时判定不同" in page(made)


def test_rows_name_what_has_changed_only_when_asked_to() -> None:
    made = report(tally(promise("保证下款") + "---\n" + RUDE, promise("包过") + "---\n" + RUDE), "1", "2", "", "x")
    assert [row[0] for row in rule_rows(made)] == ["promise", "rude"]
    assert [row[0] for row in rule_rows(made, changed_only=True)] == ["promise"]


def test_reviews_are_read_from_a_csv() -> None:
    text = "\ufeffviolation_id,verdict,by\nv1,confirmed,x\nv2,overturned,y\nv1,overturned,z\n"
    assert read_reviews(text, "r.csv") == {"v1": "overturned", "v2": "overturned"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "r.csv:1: no column violation_id and no column verdict"),
        ("violation_id\nx\n", "r.csv:1: no column verdict"),
        ("violation_id,verdict\nv1,maybe\n", "r.csv:2: verdict 'maybe', not confirmed or overturned"),
        ("violation_id,verdict\n,confirmed\n", "r.csv:2: no violation_id"),
    ],
)
def test_a_wrong_line_of_the_reviews_is_named(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read_reviews(text, "r.csv")
    assert str(caught.value).startswith(message)


def test_a_retracted_violation_was_not_found_live() -> None:
    known = LiveVerdicts("default", "1")
    (found,) = standing(replay(compile_book(parse({"a.yaml": promise("保证下款")}), "default", "1"), CALLS["a"]))
    known.apply(dataclasses.replace(found, state="provisional"))
    assert known.found["a"] == set()
    known.apply(found)
    assert known.found["a"] == {found.violation_id}
    known.apply(dataclasses.replace(found, state="retracted"))
    assert known.found["a"] == set()
