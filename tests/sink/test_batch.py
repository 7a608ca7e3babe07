"""What waits for an insert."""

from __future__ import annotations

from processors.sink.batch import Batch


def test_a_batch_is_due_when_full_or_old_but_never_when_nothing_was_read() -> None:
    batch: Batch[str] = Batch(most_rows=2, longest_ms=300)
    assert not batch.due(10_000)
    batch.read(("t", 0), 5, now_ms=10_000)
    assert not batch.due(10_299)
    assert batch.due(10_300)
    batch.clear()
    batch.read(("t", 0), 6, now_ms=20_000)
    batch.add([("a", (1,)), ("b", (2,))], "message", b"value")
    assert batch.due(20_000)


def test_a_message_without_rows_moves_the_offset_too() -> None:
    batch: Batch[str] = Batch(10, 300)
    batch.read(("t", 0), 5, 0)
    batch.read(("t", 1), 9, 0)
    batch.read(("t", 0), 6, 0)
    assert batch.next_offsets == {("t", 0): 7, ("t", 1): 10}
    assert batch.tables == {}


def test_the_token_names_the_messages_by_content_and_place() -> None:
    """Messages that are read again are the same ones; the same words further on are other messages."""

    def token(*values: bytes, first: int = 0, partition: int = 0) -> str:
        batch: Batch[str] = Batch(10, 300)
        for offset, value in enumerate(values, first):
            batch.add([("a", (value,))], "m", value)
            batch.read(("t", partition), offset, 0)
        return batch.token

    assert token(b"1", b"2") == token(b"1", b"2")
    assert token(b"1", b"2") != token(b"1", b"3")
    assert token(b"1", b"2") != token(b"1", b"2", first=2)
    assert token(b"1", b"2") != token(b"1", b"2", partition=1)


def test_after_clear_nothing_is_left() -> None:
    batch: Batch[str] = Batch(10, 300)
    batch.read(("t", 0), 5, 0)
    batch.add([("a", (1,))], "m", b"v")
    empty: Batch[str] = Batch(10, 300)
    batch.clear()
    assert (batch.tables, batch.next_offsets, batch.token) == (empty.tables, empty.next_offsets, empty.token)
