"""Scorecards and scoring schemes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from processors.inspect.book import compile_book
from processors.inspect.engine import dump_state, load_state, step
from processors.inspect.language import parse
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.schemes import Scheme, scheme_for
from processors.inspect.scorecard import Moment, Standing, score, stand
from processors.inspect.trial import run_examples
from processors.records import CallMetrics, Coverage, Scorecard, Violation
from tests.inspect.measuring import start as begin
from tests.inspect.timeline import ended, heard, said, started, tick

CALL = begin(started(scenario="loan-sales", attributes={"vip": "1"}, team_id="t-1"))
MOMENT = Moment(CALL, "final", "default", "v1", CallMetrics(), Coverage())

RULES = "\n---\n".join(
    f"{{id: {name}, name: {name}, points: {points}, when: {{said: [{word}]}}, "
    f"examples: [{{says: [agent 1 {word}], hit: true}}]}}"
    for name, points, word in (("promise", -15, "包过"), ("rude", -5, "闭嘴"), ("thanks", 3, "感谢"))
)
SCHEME = """
scheme: sales
name: 销售
scope: {scenario: [loan-sales]}
dimensions:
  - id: law
    name: 合规
    least: -20
    items:
      - {id: promise, rules: [promise], points: -12}
      - {id: fatal, rules: [deadly], fatal: true}
  - id: manners
    items:
      - {id: rude, name: 用语, rules: [rude, impatient], points: -2, times: 2}
      - {id: thanks, rules: [thanks], only_after: [complaint]}
      - {id: vip, rules: [rude], points: -1, applies: attributes.vip == "0"}
"""


def scheme(text: str = SCHEME, **changes: Any) -> Scheme:
    more = "\n---\n".join(
        f"{{id: {name}, when: {{said: [甲]}}}}" for name in ("impatient", "deadly", "complaint", "x", "y")
    )
    parsed = parse({"a.yaml": RULES + "\n---\n" + more, "b.yaml": text})
    assert not parsed.errors, parsed.errors
    return replace(parsed.schemes[0], **changes)


def hits(**counts: int) -> list[Standing]:
    points = {"promise": -15.0, "rude": -5.0, "thanks": 3.0}
    return [
        Standing(f"{name}-{n}", name, points.get(name, 0.0), name=name)
        for name, count in counts.items()
        for n in range(count)
    ]


def lines(card: Scorecard) -> dict[str, tuple[float, int, bool]]:
    return {item.item_id: (item.points, item.hits, item.applicable) for item in card.items}


def test_without_a_scheme_the_score_is_the_sum_of_the_rules_points() -> None:
    card = score(None, hits(promise=1, rude=2), MOMENT)
    assert card.points == -25
    assert lines(card) == {"promise": (-15, 1, True), "rude": (-10, 2, True)}
    assert card.scheme == "" and card.team_id == "t-1" and card.scenario == "loan-sales"


def test_every_point_is_traceable_to_its_violations() -> None:
    card = score(None, hits(promise=1, rude=2), MOMENT)
    assert {item.item_id: item.violation_ids for item in card.items} == {
        "promise": ("promise-0",),
        "rude": ("rude-0", "rude-1"),
    }
    assert sum(item.points for item in card.items) == card.points


def test_a_fatal_rule_fails_the_call() -> None:
    card = score(None, [Standing("v", "r", 0.0, fatal=True)], MOMENT)
    assert card.fatal and card.items[0].fatal


def test_a_scheme_deducts_from_its_start_with_points_of_its_own() -> None:
    card = score(scheme(), hits(promise=1, rude=1), MOMENT)
    assert card.points == 100 - 12 - 2
    assert card.scheme == "sales"


def test_hits_beyond_the_times_of_an_item_cost_nothing_but_are_shown() -> None:
    card = score(scheme(), hits(rude=5), MOMENT)
    assert card.points == 96
    assert lines(card)["rude"] == (-4, 5, True)


def test_a_dimension_has_a_cap_and_says_what_it_gave_back() -> None:
    card = score(scheme(), hits(promise=3), MOMENT)
    assert card.points == 80
    assert lines(card)["law:cap"][0] == 16
    assert 100 + sum(item.points for item in card.items) == card.points


def test_the_score_itself_has_caps() -> None:
    assert score(scheme(least=95.0), hits(promise=3), MOMENT).points == 95
    assert score(scheme(most=90.0), [], MOMENT).points == 90


def test_a_fatal_item_sets_the_score() -> None:
    card = score(scheme(), hits(deadly=1), MOMENT)
    assert card.fatal and card.points == 0
    assert score(scheme(fatal_points=40.0), hits(deadly=1), MOMENT).points == 40
    assert not score(scheme(), [], MOMENT).fatal


def test_an_item_that_does_not_apply_counts_nothing() -> None:
    assert lines(score(scheme(), hits(rude=1), MOMENT))["vip"] == (0, 0, False)
    other = replace(MOMENT, call=CALL._replace(attributes={"vip": "0"}))
    assert lines(score(scheme(), hits(rude=1), other))["vip"] == (-1, 1, True)


def test_an_item_that_needs_another_hit_applies_only_after_it() -> None:
    assert lines(score(scheme(), hits(thanks=1), MOMENT))["thanks"] == (0, 0, False)
    assert lines(score(scheme(), hits(thanks=1, complaint=1), MOMENT))["thanks"] == (3, 1, True)


FULL = """
scheme: full
normalise_to: 100
items:
  - {id: x, rules: [x], full: 10, points: -4}
  - {id: y, rules: [y], full: 30, points: -100}
  - {id: z, rules: [rude], full: 60, applies: attributes.vip == "0"}
"""


def test_full_marks_are_lost_down_to_nothing_and_rescaled_over_what_applies() -> None:
    assert score(scheme(FULL), [], MOMENT).points == 100
    assert score(scheme(FULL), hits(x=1), MOMENT).points == 90
    card = score(scheme(FULL), hits(y=1), MOMENT)
    assert card.points == 25
    assert lines(card)["y"] == (0, 1, True) and lines(card)["z"] == (0, 0, False)


def test_the_first_scheme_whose_scope_covers_the_call() -> None:
    sales, service = scheme(), scheme(SCHEME.replace("loan-sales", "service").replace("sales\n", "other\n"))
    assert scheme_for([service, sales], CALL) == sales
    assert scheme_for([service], CALL) is None


def test_the_scheme_that_says_most_about_a_call_scores_it_wherever_it_is_written() -> None:
    every = scheme("scheme: every\nitems: [{id: i, rules: [rude]}]\n")
    sales, queue = scheme(), scheme(SCHEME.replace("[loan-sales]", "[loan-sales], queue: [vip]"))
    assert scheme_for([every, sales, queue], CALL._replace(queue="vip")) == queue
    assert scheme_for([every, queue, sales], CALL._replace(queue="other")) == sales
    assert scheme_for([sales, every], CALL._replace(scenario="")) == every
    assert scheme_for([sales], CALL._replace(scenario="")) == sales


def violation(name: str, state: str) -> Violation:
    return Violation(
        violation_id=name, call_id="c", rule_id="r", rule_version="", ruleset_version="", state=state, severity="low",  # type: ignore[arg-type]
        points=-5, fatal=False, role="agent", start_ms=0, end_ms=0, audio_at_ms=0, detected_at_ms=0,
    )  # fmt: skip


def test_retraction_gives_the_points_back() -> None:
    standings = stand({}, [violation("a", "provisional"), violation("b", "confirmed")])
    assert score(None, standings.values(), MOMENT).points == -10
    standings = stand(standings, [violation("a", "retracted")])
    assert score(None, standings.values(), MOMENT).points == -5


def test_a_confirmation_moves_no_point() -> None:
    standings = stand({}, [violation("a", "provisional")])
    assert stand(standings, [violation("a", "confirmed")]) is standings


def run(records: list[Any]) -> list[Scorecard]:
    book = compile_book(parse({"a.yaml": RULES}), "test")
    state, cards = None, []
    for position, record in enumerate(records):
        state, out = step(book, state, record, position)
        state = load_state(dump_state(state)) if state is not None else None
        cards += [one for one in out if isinstance(one, Scorecard)]
    return cards


def test_a_card_runs_when_points_change_and_is_final_at_the_end() -> None:
    cards = run(
        [started(), tick(1000), said(0, 1000, 2000, "我们包过"), tick(3000), said(0, 4000, 5000, "好"), ended(6000)]
    )
    assert [(card.state, card.points, card.call_ms) for card in cards] == [("running", -15, 2000), ("final", -15, 6000)]
    assert cards[-1].metrics.talk_ms == {"agent": 2000} and cards[-1].metrics.silence_ms == 4000
    assert cards[-1].coverage.audio_ms == 12_000


def test_a_retracted_partial_runs_a_card_with_the_points_back() -> None:
    cards = run([started(), heard(0, 1000, 1800, "我们包过"), said(0, 1000, 2000, "我们包装", no=1000), ended(3000)])
    assert [card.points for card in cards] == [-15, 0, 0]


def test_a_call_without_any_hit_has_a_final_card() -> None:
    (card,) = run([started(), ended(3000)])
    assert (card.state, card.points, card.items) == ("final", 0, ())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rules: [promise]", "rules: [promis]", "did you mean 'promise'"),
        ("id: rude,", "id: promise,", "stands twice"),
        ("least: -20", "least: low", "must be a number"),
        ("points: -12", "point: -12", "did you mean 'points'"),
        ("times: 2", "times: 0", "at least 1"),
        ("scope: {scenario: [loan-sales]}", "scope: {scene: [x]}", "no key 'scene'"),
        ('attributes.vip == "0"', 'attribute.vip == "0"', "did you mean 'attributes'"),
        ("least: -20", "least: 5\n    most: 3", "'most' is below 'least'"),
        ("name: 销售", "normalise_to: 100", "needs items with 'full' marks"),
        ("dimensions:", "items: [{id: q, rules: [rude]}]\ndimensions:", "either 'dimensions' or 'items'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, message: str) -> None:
    parsed = parse({"a.yaml": RULES, "b.yaml": SCHEME.replace(old, new, 1)})
    assert any(message in str(problem) and problem.file == "b.yaml" for problem in parsed.errors), parsed.errors


COSTLY = """id: new
points: -3
scope: {scenario: [SCENARIO]}
when: {said: [甲]}
examples: [{says: [agent 1 甲], hit: true}]
"""


def test_a_rule_that_costs_points_and_is_counted_by_no_scheme_is_warned_of() -> None:
    """Only where a scheme scores its calls; a warning, since somebody may mean it."""
    counted = {"a.yaml": RULES, "b.yaml": SCHEME.replace("impatient", "thanks").replace("deadly", "rude")}
    counted["b.yaml"] = counted["b.yaml"].replace("[complaint]", "[promise]")
    for scenario, warned in (("loan-sales", ["new"]), ("service", [])):
        problems = parse({**counted, "c.yaml": COSTLY.replace("SCENARIO", scenario)}).problems
        assert [p.message.split("'")[1] for p in problems] == warned
        assert all(p.warning and (p.file, p.line) == ("c.yaml", 1) for p in problems)


def test_the_shipped_schemes_count_each_rule_that_costs_points_in_their_calls() -> None:
    parsed = parse(read_rule_files(shipped_folder()))
    costly = [rule for rule in parsed.rules if rule.points or rule.fatal]
    for one in parsed.schemes:
        counted = {rule for dimension in one.dimensions for item in dimension.items for rule in item.rules}
        missing = [rule.rule_id for rule in costly if rule.scope.meets(one.scope) and rule.rule_id not in counted]
        assert missing == [], one.scheme_id
        assert len(one.examples) >= 4 and any(each.fatal for each in one.examples)


EXAMPLES = """examples:
  - {scenario: loan-sales, says: [agent 1 包过], points: POINTS}
  - {scenario: loan-sales, says: [agent 1 好], points: 100}
  - {scenario: other, says: [agent 1 好], points: 100}
"""


def test_examples_of_a_scheme_promise_the_final_score() -> None:
    text = SCHEME.replace("impatient", "thanks").replace("deadly", "rude").replace("[complaint]", "[promise]")
    for points, message in (("88", ""), ("90", "scores 88, should be 90: promise -12")):
        parsed = parse({"a.yaml": RULES, "b.yaml": text + EXAMPLES.replace("POINTS", points)})
        assert not parsed.errors, parsed.errors
        outcomes = [one for one in run_examples(compile_book(parsed, "test")) if one.rule_id == "sales"]
        assert [one.message for one in outcomes] == [message, "", "no scheme scores this call"]


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ("{says: [agent 1 x]}", "an example of a scheme needs 'points'"),
        ("{says: [agent 1 x], points: full}", "'points' must be a number"),
        ("{says: [agent 1 x], hit: true, points: 3}", "an example of a scheme has no key 'hit'"),
        ("{says: [agent 1 x], points: 3, fatal: 1}", "'fatal' must be true or false"),
    ],
)
def test_what_is_wrong_in_an_example_of_a_scheme_is_said(example: str, message: str) -> None:
    parsed = parse(
        {"a.yaml": RULES, "b.yaml": f"scheme: s\nitems: [{{id: i, rules: [rude]}}]\nexamples: [{example}]\n"}
    )
    assert [problem.message for problem in parsed.errors if message in problem.message], parsed.errors
