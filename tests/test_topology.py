"""The map: what it says, what is wrong with a wrong one and where, its picture, and the topics made from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from processors.runtime.errors import UserError
from processors.runtime.settings import load_settings
from processors.runtime.slots import all_slots, choose, default_slots
from processors.runtime.topics import Change, Shape, plan, wanted
from processors.topology import FILE, duration_ms, load, parse
from processors.topology_check import Facts, check, check_file, facts_of
from processors.topology_commands import app
from processors.topology_draw import mermaid, text

FACTS = Facts(frozenset({"Ping", "Pong"}), frozenset({"Ping", "Pong"}), frozenset({"source", "work"}))
GOOD = """\
topics:
  pings: {key: call_id, partitions: 4, keep: 6h, records: [Ping]}
  pongs: {key: call_id, partitions: 4, keep: 7d, records: [Pong], public: true}
  rules: {key: name, partitions: 1, cleanup: compact, records: [Pong], from: people, broadcast: true}
processors:
  source: {writes: [pings], runtime: server}
  work: {reads: [pings, rules], writes: [pongs], runtime: loop, replicas: [1, 4]}
"""


def problems(old: str = "", new: str = "") -> list[str]:
    """Problems of the good map after one replacement."""
    assert old in GOOD
    return [str(problem) for problem in check(parse(GOOD.replace(old, new) if old else GOOD), FACTS)]


def test_shipped_map_is_right() -> None:
    assert check_file(FILE) == []


def test_good_map_has_no_problem() -> None:
    assert problems() == []


CASES = [
    ("a topic without writer", "writes: [pings]", "reads: [pongs]", "topology.yaml:2: topic pings: nobody writes it"),
    (
        "unequal partitions of the inputs of one processor",
        "partitions: 1, cleanup: compact, records: [Pong], from: people, broadcast: true",
        "partitions: 2, keep: 1d, records: [Pong], from: people",
        "processor work: pings is keyed by call_id, rules by name",
    ),
    (
        "unequal partitions",
        "{key: name, partitions: 1, cleanup: compact, records: [Pong], from: people, broadcast: true}",
        "{key: call_id, partitions: 2, keep: 1d, records: [Pong], from: people}",
        "topology.yaml:7: processor work: pings has 4 partitions, rules has 2",
    ),
    (
        "an unknown record",
        "records: [Ping]",
        "records: [Pingg]",
        "topology.yaml:2: topic pings: unknown record Pingg; did you mean 'Ping'?",
    ),
    (
        "an unknown topic that is read",
        "reads: [pings,",
        "reads: [ping,",
        "topology.yaml:7: processor work: reads unknown topic ping; did you mean 'pings'?",
    ),
    (
        "an unknown topic that is written",
        "writes: [pongs]",
        "writes: [pongs, pangs]",
        "topology.yaml:7: processor work: writes unknown topic pangs",
    ),
    (
        "a processor without folder",
        "  source: {",
        "  sauce: {",
        "topology.yaml:6: processor sauce: no folder processors/sauce; did you mean 'source'?",
    ),
    (
        "a folder without processor",
        "  source: {writes: [pings], runtime: server}\n",
        "",
        "topology.yaml:5: folder processors/source has no block",
    ),
    ("two writers", "writes: [pongs]", "writes: [pongs, pings]", "topic pings: 2 processors write it: source, work"),
    (
        "a topic from people with a writer",
        "writes: [pongs]",
        "writes: [pongs, rules]",
        "topology.yaml:4: topic rules: written from people, and by work",
    ),
    ("no retention", "keep: 6h, ", "", "topic pings: no retention; say how long, like `keep: 7d`"),
    ("a retention that is none", "keep: 6h", "keep: 6 hours", "topology.yaml:2: topics.pings.keep: '6 hours' is no"),
    ("a compacted topic with retention", "cleanup: compact", "cleanup: compact, keep: 7d", "compacted and kept for 7d"),
    (
        "a word that is none",
        "partitions: 4, keep: 6h",
        "partitons: 4, keep: 6h",
        "topics.pings has no 'partitons'; did you mean 'partitions'?",
    ),
    (
        "a word that lacks",
        "key: call_id, partitions: 4, keep: 6h",
        "key: call_id, keep: 6h",
        "topology.yaml:2: topics.pings lacks 'partitions'; add it",
    ),
    ("a kind of runtime that is none", "runtime: loop", "runtime: lop", "processors.work.runtime"),
    ("more replicas than partitions", "replicas: [1, 4]", "replicas: [1, 8]", "8 replicas for 4 partitions"),
    ("replicas the wrong way round", "replicas: [1, 4]", "replicas: [4, 1]", "replicas from 4 to 1"),
    (
        "a topic declared twice",
        "  rules: {key: name",
        "  pongs: {key: name",
        "topology.yaml:4: pongs is declared twice, first in line 3",
    ),
    (
        "a dead-letter topic",
        "  pongs: {",
        "  pongs.dlq: {",
        "topic pongs.dlq: dead-letter topics are made by themselves",
    ),
    ("no YAML", "topics:", "topics: [", "topology.yaml:"),
]


@pytest.mark.parametrize(("old", "new", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_check_names(old: str, new: str, message: str) -> None:
    found = problems(old, new)
    assert any(message in problem for problem in found), found


def test_record_without_example_is_named() -> None:
    facts = Facts(FACTS.records, frozenset({"Pong"}), FACTS.folders)
    assert [str(p) for p in check(parse(GOOD), facts)] == [
        "topology.yaml:2: topic pings: Ping has no example; add schemas/examples/Ping/<name>.json"
    ]


def test_audio_must_outlive_the_longest_call() -> None:
    facts = Facts(FACTS.records | {"AudioChunk"}, FACTS.examples | {"AudioChunk"}, FACTS.folders)
    short = GOOD.replace("keep: 6h, records: [Ping]", "keep: 1h, records: [AudioChunk]")
    assert any("audio is kept for 1h only" in str(p) for p in check(parse(short), facts))


def test_changelog_lies_beside_its_input() -> None:
    state = "  state: {key: call_id, partitions: 3, cleanup: compact, state_of: work}\nprocessors:"
    assert any("3 partitions, the inputs of work have 4" in p for p in problems("processors:", state))
    assert problems("processors:", state.replace("3", "4")) == []


def test_facts_leave_out_the_folders_that_are_no_processors() -> None:
    assert facts_of(FILE.parent).folders == set(load().processors)


def test_load_raises_the_first_problem_of_form(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(GOOD.replace("loop", "lop"), encoding="utf-8")
    with pytest.raises(UserError, match=r"map.yaml:7: processors.work.runtime"):
        load(path)
    with pytest.raises(UserError, match="No such file"):
        load(tmp_path / "none.yaml")


def test_check_exits_1_with_problems_and_0_without(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(
        FILE.read_text(encoding="utf-8").replace("records: [Violation]", "records: [Violatoin]"), encoding="utf-8"
    )
    wrong = CliRunner().invoke(app, ["check", str(path)])
    assert wrong.exit_code == 1 and "did you mean 'Violation'?" in wrong.stdout
    assert CliRunner().invoke(app, ["check"]).exit_code == 0


def test_map_is_plain_values_for_the_chart() -> None:
    values = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    assert set(values) == {"topics", "processors"}
    assert values["processors"]["speech"]["replicas"] == [1, 24]


@pytest.mark.parametrize(("written", "ms"), [("90s", 90_000), ("5m", 300_000), ("6h", 21_600_000), ("7d", 604_800_000)])
def test_duration(written: str, ms: int) -> None:
    assert duration_ms(written) == ms


def test_mermaid_shows_every_way_through_the_map() -> None:
    picture = mermaid(load())
    for arrow in (
        "ingest --> t_calls_media\n",
        "t_calls_media --> speech\n",
        "t_calls_timeline --> inspect\n",
        "t_rulebook -.-> inspect\n",
        "inspect --> t_violations\n",
        "t_violations --> sink\n",
    ):
        assert arrow in picture
    assert "changelog" not in picture


def test_text_names_every_topic_and_processor() -> None:
    shown = text(load())
    assert all(name in shown for name in [*load().topics, *load().processors])


def test_embedded_topics_have_few_partitions_and_all_call_topics_the_same() -> None:
    shapes = wanted(load(), load_settings(kafka="", kafka_partitions=4))
    call_topics = {name: shapes[name].partitions for name, topic in load().topics.items() if topic.key == "call_id"}
    assert set(call_topics.values()) == {4}
    assert shapes["rulebook"].partitions == 1


def test_every_topic_that_is_read_has_a_dead_letter_topic() -> None:
    shapes = wanted(load(), load_settings(kafka="broker:9092"))
    assert {"calls.media.dlq", "calls.timeline.dlq", "violations.dlq"} <= set(shapes)
    assert shapes["calls.media"].partitions == 24
    assert shapes["calls.media"].config["retention.ms"] == "21600000"


WANT = Shape(4, {"cleanup.policy": "delete", "retention.ms": "1000"})


def test_plan_creates_what_is_not_there() -> None:
    assert [(c.topic, c.what) for c in plan({"t": WANT}, {})] == [("t", "create")]


def test_plan_is_empty_when_all_is_right() -> None:
    assert plan({"t": WANT}, {"t": Shape(4, {**WANT.config, "other": "x"}), "foreign": Shape(1)}) == []


def test_plan_changes_only_what_differs() -> None:
    found = {"t": Shape(4, {"cleanup.policy": "delete", "retention.ms": "5"})}
    (change,) = plan({"t": WANT}, found)
    assert change == Change("t", "configure", "retention.ms 5 to 1000", Shape(4, {"retention.ms": "1000"}))


def test_plan_leaves_partitions_to_a_person() -> None:
    found = {"t": Shape(2, WANT.config)}
    assert [c.what for c in plan({"t": WANT}, found)] == ["differs"]
    assert [c.what for c in plan({"t": WANT}, found, repartition=True)] == ["add partitions"]
    assert [c.what for c in plan({"t": WANT}, {"t": Shape(8, WANT.config)}, repartition=True)] == ["differs"]


def test_slots_come_from_the_map_readers_before_writers() -> None:
    assert list(all_slots(load())) == ["sink", "inspect", "speech", "speech-recordings", "ingest"]
    assert default_slots(load()) == ("sink", "inspect", "speech", "ingest")


def test_unknown_slot_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'speech'"):
        choose(load(), ["speach"])
