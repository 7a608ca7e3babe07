"""What a keeper stores, and how far a partition is done, while outputs are delivered late or never."""

from __future__ import annotations

from collections.abc import Callable

from processors.records import AnyRecord, CallEnded, CallStarted, Partial, Tick
from processors.runtime.errors import BadRecord
from processors.runtime.keeper import MOST_UNSTORED, Incoming, Keeper
from processors.runtime.wire import encode

Done = Callable[[], None]
CALL = b"call"


class Kafka:
    """Takes outputs and states, and reports them as delivered when told to."""

    def __init__(self) -> None:
        self.outputs: list[Done] = []
        self.stored: list[tuple[bytes | None, Done]] = []

    def send(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]], done: Done) -> None:
        self.outputs.append(done)

    def store(self, key: bytes, value: bytes | None, partition: int, done: Done) -> None:
        self.stored.append((value, done))

    def reject(self, message: Incoming, error: BadRecord, done: Done) -> None:
        raise AssertionError(error)

    def deliver(self) -> None:
        """Everything sent so far arrives, and what is sent because of that, too."""
        while self.outputs:
            self.outputs.pop(0)()
        for _, done in self.stored:
            done()


class Count:
    """A core that counts the records of a call; each partial has an output."""

    def waits(self, state: int | None, record: AnyRecord) -> bool:
        return False

    def give_up(self, state: int | None, record: AnyRecord) -> None:
        raise AssertionError(record)

    def step(self, state: int | None, record: AnyRecord, position: int) -> tuple[int | None, list[AnyRecord]]:
        after = None if isinstance(record, CallEnded) else (state or 0) + 1
        return after, [record] if isinstance(record, Partial) else []

    def closes(self, record: AnyRecord) -> bool:
        return False

    def topic_of(self, output: AnyRecord) -> str:
        return "calls.timeline"

    def stamped(self, output: AnyRecord) -> AnyRecord:
        return output

    def dump(self, state: int) -> bytes:
        return str(state).encode()

    def load(self, data: bytes) -> int:
        return int(data)


def started() -> tuple[Kafka, Keeper[int], Callable[..., None]]:
    kafka, offset = Kafka(), iter(range(10_000))
    keeper = Keeper(Count(), kafka, {})

    def take(*records: AnyRecord, now_s: float = 0.0) -> None:
        for record in records:
            keeper.take(Incoming(0, next(offset), CALL, encode(record)), now_s)

    return kafka, keeper, take


START = CallStarted(call_id="call", at_ms=0, lane="live", channels=("agent", "customer"))
PARTIAL = Partial(call_id="call", channel=0, role="agent", utterance_no=0, start_ms=0, end_ms=1, text="喂", at_ms=1)
TICK = Tick(call_id="call", call_ms=1_000, channels=(), at_ms=1_000)
END = CallEnded(call_id="call", call_ms=2_000, at_ms=2_000)


def states(kafka: Kafka) -> list[bytes | None]:
    return [value for value, _ in kafka.stored]


def test_a_state_is_stored_after_the_outputs_that_led_to_it_are_delivered() -> None:
    kafka, keeper, take = started()
    take(START, PARTIAL)
    assert states(kafka) == [], "its output may still be lost"
    assert keeper.positions() == {}
    kafka.deliver()
    assert states(kafka) == [b"2"]
    assert keeper.positions() == {0: 2}


def test_the_state_of_a_call_is_stored_once_between_two_pulses_and_its_records_stay_open_until_then() -> None:
    kafka, keeper, take = started()
    take(START, PARTIAL)
    kafka.deliver()
    for _ in range(3):
        take(PARTIAL, TICK)
        kafka.deliver()
    assert states(kafka) == [b"2"]
    assert keeper.positions() == {0: 2}
    keeper.pulse(0.1)
    kafka.deliver()
    assert states(kafka) == [b"2", b"8"]
    assert keeper.positions() == {0: 8}


def test_after_a_pulse_a_state_still_waits_for_outputs_that_are_on_the_way() -> None:
    kafka, keeper, take = started()
    take(START, PARTIAL)
    kafka.deliver()
    take(PARTIAL)
    keeper.pulse(0.1)
    assert states(kafka) == [b"2"]
    kafka.deliver()
    assert states(kafka) == [b"2", b"3"]


def test_the_end_of_a_call_waits_for_no_pulse() -> None:
    kafka, keeper, take = started()
    take(START, PARTIAL)
    kafka.deliver()
    take(PARTIAL, END)
    kafka.deliver()
    assert states(kafka) == [b"2", None]
    assert keeper.positions() == {0: 4}


def test_a_call_with_too_many_open_records_stops_the_reading_until_its_state_is_stored() -> None:
    kafka, keeper, take = started()
    take(START, PARTIAL)
    kafka.deliver()
    take(*[TICK] * MOST_UNSTORED, PARTIAL)
    assert keeper.full
    kafka.deliver()
    assert not keeper.full
    assert keeper.positions() == {0: MOST_UNSTORED + 3}


def test_a_call_that_has_gone_quiet_is_stored() -> None:
    kafka, keeper, take = started()
    take(START)
    keeper.pulse(0.5)
    assert states(kafka) == []
    keeper.pulse(1.0)
    assert states(kafka) == [b"1"]


def test_what_is_revoked_is_not_stored_when_its_outputs_arrive() -> None:
    kafka, keeper, take = started()
    take(START, PARTIAL)
    keeper.revoke([0])
    kafka.deliver()
    keeper.pulse(0.1)
    assert states(kafka) == []
    assert keeper.positions() == {}
