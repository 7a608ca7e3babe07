import pytest

from processors.commands.dead_letters import list_letters, replay_letters, show_letters
from processors.commands.following import Following
from processors.records import Tick
from processors.runtime import wire
from processors.runtime.dead_letters import DeadLetters
from processors.runtime.errors import BadRecord, UserError
from processors.runtime.history import messages
from processors.runtime.kafka import make_producer
from processors.runtime.offsets import ends
from processors.runtime.settings import Settings

TOPIC = "calls.timeline"
TICK = Tick(call_id="c", call_ms=1000, channels=(), at_ms=0)


@pytest.fixture(autouse=True)
def environment(kafka: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINGJIAN_KAFKA", kafka.kafka)
    monkeypatch.setenv("TINGJIAN_HOME", str(kafka.home))
    monkeypatch.setenv("COLUMNS", "200")


def test_a_dead_letter_is_counted_shown_and_sent_again_only_once(
    kafka: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    producer = make_producer(kafka)
    DeadLetters(producer, "inspect").send_raw(
        topic=TOPIC, partition=1, offset=7, key=b"c", value=wire.encode(TICK), headers=[("own", b"1")], at_ms=1,
        error=BadRecord("call c never began"),
    )  # fmt: skip
    producer.flush(30)

    list_letters()
    assert f"{TOPIC} " in capsys.readouterr().out
    show_letters(TOPIC, limit=5)
    shown = capsys.readouterr().out
    assert "call c never began" in shown and f"{TOPIC}[1]@7" in shown and "inspect" in shown

    before = ends(kafka, [TOPIC])
    replay_letters(TOPIC, limit=10)
    replay_letters(TOPIC, limit=10)
    came = list(messages(kafka, before, ends(kafka, [TOPIC])))

    assert [(letter.key(), wire.decode(letter.value()), letter.headers()) for letter in came] == [
        (b"c", TICK, [("own", b"1")])
    ]


def test_a_topic_without_dead_letters_is_named_with_those_that_have(kafka: Settings) -> None:
    with pytest.raises(UserError, match=r"there are .*calls\.timeline"):
        show_letters("nothing", limit=1)


def test_a_bystander_sees_only_what_comes_after_it(kafka: Settings) -> None:
    producer = make_producer(kafka)
    producer.produce(TOPIC, wire.encode(TICK), b"early")
    producer.flush(30)
    with Following(kafka, [TOPIC]) as following:
        producer.produce(TOPIC, wire.encode(TICK), b"late")
        producer.produce(TOPIC, b"no record", b"late")
        producer.flush(30)
        seen = [record for _ in range(20) for record in following.read(0.2)]

    assert seen == [TICK]
