"""Bad records keep their bytes and say where they come from and what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from processors.runtime.dead_letters import PREFIX, DeadLetters
from processors.runtime.errors import BadRecord, UserError

TEN = {
    "topic", "partition", "offset", "connector.name", "task.id", "stage", "class.name", "exception.class.name",
    "exception.message", "exception.stacktrace",
}  # fmt: skip


class Outbox:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def produce(self, topic: str, **parts: Any) -> None:
        self.sent.append({"topic": topic, **parts})


def send(letters: DeadLetters, headers: list[tuple[str, bytes | None]] | None = None, offset: int = 41) -> None:
    letters.send_raw(
        topic="calls.timeline", partition=3, offset=offset, key=b"c-1", value=b"\x00broken", headers=headers or [],
        at_ms=1_795_507_200_000, error=BadRecord("body of Tick is damaged"),
    )  # fmt: skip


def test_letter_keeps_key_value_time_and_headers() -> None:
    outbox = Outbox()
    send(DeadLetters(outbox, "inspect"), [("traceparent", b"00-1-2-01")])  # type: ignore[arg-type]
    (letter,) = outbox.sent
    assert letter["topic"] == "calls.timeline.dlq"
    assert (letter["key"], letter["value"], letter["timestamp"]) == (b"c-1", b"\x00broken", 1_795_507_200_000)
    assert letter["headers"][0] == ("traceparent", b"00-1-2-01")


def test_letter_has_the_ten_headers_of_kafka_connect() -> None:
    outbox = Outbox()
    send(DeadLetters(outbox, "inspect", "inspect-0"))  # type: ignore[arg-type]
    found = {name.removeprefix(PREFIX): value.decode() for name, value in outbox.sent[0]["headers"]}
    assert set(found) == TEN
    assert (found["topic"], found["partition"], found["offset"]) == ("calls.timeline", "3", "41")
    assert found["connector.name"] == "tingjian-inspect"
    assert found["task.id"] == "inspect-0"
    assert found["exception.class.name"] == "processors.runtime.errors.BadRecord"
    assert found["exception.message"] == "body of Tick is damaged"


def test_headers_of_an_earlier_failure_are_kept() -> None:
    outbox = Outbox()
    send(DeadLetters(outbox), [(PREFIX + "topic", b"first.topic")])  # type: ignore[arg-type]
    values = [value for name, value in outbox.sent[0]["headers"] if name == PREFIX + "topic"]
    assert values == [b"first.topic"]


def test_nothing_but_bad_records_stops_the_processor() -> None:
    letters = DeadLetters(Outbox(), "inspect", in_a_row=3)  # type: ignore[arg-type]
    send(letters)
    send(letters)
    with pytest.raises(UserError, match=r"3 bad records in a row on calls\.timeline"):
        send(letters)


def test_good_records_between_them_release_the_brake() -> None:
    letters = DeadLetters(Outbox(), "inspect", in_a_row=3)  # type: ignore[arg-type]
    for offset in range(20):
        send(letters, offset=offset)
        letters.good()
