"""Whole calls as scripts, judged by the shipped rule book: what must be found, when, who is told, and the score.

A story is a YAML document in tests/stories. Its call is written like an example of a rule (`says`, `scenario`,
`attributes`), and it tells everything that the rule book says about it:

    partials    ROLE START-HEARD TEXT: what the utterance that begins at START says as far as it is heard until HEARD
    violations  RULE START found SECOND: exactly those that stand at the end
    meanwhile   RULE STATE SECOND: what was provisional or retracted on the way
    alerts      RULE SECOND, with "retracted" behind it when it is taken back; an emotion has the rule "emotion"
    points      of the final scorecard, 100 when it tells none; `fatal` when it has failed
    emotion     labels of a role, each once, in the order in which they came
    missed      steps that the flow of the call misses
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby

import pytest

from processors.inspect.book import RuleBook, compile_book
from processors.inspect.engine import Output, dump_state, load_state, step
from processors.inspect.language import parse
from processors.inspect.operators.base import TimelineRecord
from processors.inspect.rule_files import read_rule_files, shipped_folder
from processors.inspect.state import CallState
from processors.inspect.trial import replay, standing
from processors.records import Alert, EmotionPoint, FlowProgress, Partial, Scorecard, Violation
from tests.story_calls import STORIES, Story, records

TOLERANCE_S = 0.5
"""As in the examples of rules."""
each_story = pytest.mark.parametrize("story", STORIES, ids=[story["story"] for story in STORIES])


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return compile_book(parse(read_rule_files(shipped_folder())), "default")


def same(found: list[tuple[str, float]], promised: list[tuple[str, float]]) -> bool:
    """Whether both lists have the same names, each at the same seconds."""
    return len(found) == len(promised) and all(
        one[0] == other[0] and abs(one[1] - other[1]) <= TOLERANCE_S
        for one, other in zip(sorted(found), sorted(promised), strict=True)
    )


def lines(story: Story, key: str, pattern: str) -> list[tuple[str, ...]]:
    matches = [(line, re.fullmatch(pattern, line)) for line in story.get(key, ())]
    assert all(match for _, match in matches), f"{key}: {[line for line, match in matches if not match]}"
    return [match.groups() for _, match in matches if match]


@each_story
def test_story_ends_with_what_it_tells(story: Story, book: RuleBook) -> None:
    outputs = replay(book, records(story))
    stands = standing(outputs)
    promised = lines(story, "violations", r"(\S+) ([\d.]+) found ([\d.]+)")

    begins = [(one.rule_id, one.start_ms / 1000) for one in stands]
    assert same(begins, [(rule, float(start)) for rule, start, _ in promised]), begins
    found = [(one.rule_id, one.call_ms / 1000) for one in stands]
    assert same(found, [(rule, float(second)) for rule, _, second in promised]), found
    assert {one.state for one in stands} <= {"confirmed"}

    card = [one for one in outputs if isinstance(one, Scorecard)][-1]
    assert (card.state, card.points, card.fatal) == ("final", story.get("points", 100), story.get("fatal", False))
    assert card.scheme == story["scenario"]
    proofs = {violation_id for item in card.items for violation_id in item.violation_ids}
    assert {one.violation_id for one in stands if one.points or one.fatal} <= proofs


@each_story
def test_story_tells_whom_it_must_on_the_way(story: Story, book: RuleBook) -> None:
    outputs = replay(book, records(story))

    meanwhile = [
        (f"{one.rule_id} {one.state}", one.call_ms / 1000)
        for one in outputs
        if isinstance(one, Violation) and one.state != "confirmed"
    ]
    promised = lines(story, "meanwhile", r"(\S+ (?:provisional|retracted)) ([\d.]+)")
    assert same(meanwhile, [(what, float(second)) for what, second in promised]), meanwhile

    raised = [
        (f"{one.rule_id or 'emotion'} {one.state}", one.call_ms / 1000) for one in outputs if isinstance(one, Alert)
    ]
    alerts = lines(story, "alerts", r"(\S+) ([\d.]+)( retracted)?")
    wanted = [(f"{rule} {'retracted' if back else 'raised'}", float(at)) for rule, at, back in alerts]
    assert same(raised, wanted), raised

    for role, labels in story.get("emotion", {}).items():
        points = [one.label for one in outputs if isinstance(one, EmotionPoint) and one.role == role]
        assert [label for label, _ in groupby(points)] == labels
    progress = {one.flow_id: one for one in outputs if isinstance(one, FlowProgress)}
    missed = [each.step_id for flow in progress.values() for each in flow.steps if each.state == "missed"]
    assert missed == story.get("missed", []) and ("attributes" in story) == bool(progress)


def crash(book: RuleBook, made: list[TimelineRecord]) -> list[Output]:
    """Outputs of a worker that dies behind every record: its state is stored, the record comes again."""
    state: CallState | None = None
    outputs: list[Output] = []
    for position, record in enumerate(made):
        state, more = step(book, state, record, position)
        outputs += more
        if state is not None:
            state = load_state(dump_state(state))
            state, again = step(book, state, record, position)
            assert not again
    return outputs


def without_partials(book: RuleBook, made: list[TimelineRecord]) -> list[Output]:
    """Outputs of a recording, which has no partials."""
    return replay(book, [record for record in made if not isinstance(record, Partial)])


@each_story
@pytest.mark.parametrize("other", [crash, without_partials])
def test_story_ends_alike_through_crashes_and_as_a_recording(
    story: Story, other: Callable[[RuleBook, list[TimelineRecord]], list[Output]], book: RuleBook
) -> None:
    made = records(story)
    ends = [{one.violation_id: one for one in standing(outputs)} for outputs in (replay(book, made), other(book, made))]
    assert ends[0] == ends[1]


def test_there_are_stories_of_every_kind_of_rule(book: RuleBook) -> None:
    """A rule of the shipped book that no story hits is not known to work in a call."""
    hit = {line.split()[0] for story in STORIES for line in story.get("violations", ())}
    rules = {compiled.rule.rule_id for compiled in book.rules if not compiled.hidden}
    assert rules - hit == set()
    assert len(STORIES) >= 20


def test_names_of_stories_differ() -> None:
    assert len({story["story"] for story in STORIES}) == len(STORIES)


def test_a_changed_call_id_changes_ids_and_nothing_else(book: RuleBook) -> None:
    """The same story told of two calls."""
    story = next(story for story in STORIES if "meanwhile" in story and "violations" in story)
    one, other = (standing(replay(book, records(story, call_id))) for call_id in ("a", "b"))
    assert one and [each.violation_id for each in one] != [each.violation_id for each in other]
    assert [(v.rule_id, v.start_ms, v.call_ms) for v in one] == [(v.rule_id, v.start_ms, v.call_ms) for v in other]
