"""Bad records go to `<topic>.dlq`, byte for byte, with the ten headers that Kafka Connect's tools read.

The others of the topic go on. When nothing but bad records comes, something else is wrong (a writer of another version,
a wrong topic), and the brake stops the processor instead of moving the whole topic aside.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, Message, Producer

from processors.runtime.errors import UserError
from processors.runtime.logs import get_logger
from processors.runtime.metrics import DEAD_LETTERS
from processors.topology import DEAD_LETTER_SUFFIX

PREFIX = "__connect.errors."
IN_A_ROW = 10_000
"""So many bad records without a good one between them stop the processor."""
STACK_TRACE_CHARS = 4_000

Header = tuple[str, bytes | None]
Delivered = Callable[[KafkaError | None, Message], None]


class DeadLetters:
    """Sends the bad records of one processor aside. Flush the producer before committing past them."""

    def __init__(
        self, producer: Producer, processor: str = "runtime", task: str = "0", in_a_row: int = IN_A_ROW
    ) -> None:
        self._producer = producer
        self._processor = processor
        self._task = task
        self._limit = in_a_row
        self._run = 0

    def send(self, message: Message, error: BaseException, stage: str = "VALUE_CONVERTER") -> None:
        """Send a message of confluent-kafka aside. UserError when the brake is on."""
        pairs: list[Header] = [(header[0], _bytes(header[1])) for header in message.headers() or []]
        _, at_ms = message.timestamp()
        self.send_raw(
            topic=str(message.topic()),
            partition=int(message.partition() or 0),
            offset=int(message.offset() or 0),
            key=_bytes(message.key()),
            value=_bytes(message.value()),
            headers=pairs,
            at_ms=int(at_ms),
            error=error,
            stage=stage,
        )

    def send_raw(
        self,
        *,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[Header],
        at_ms: int,
        error: BaseException,
        stage: str = "VALUE_CONVERTER",
        on_delivery: Delivered | None = None,
    ) -> None:
        """Send the parts of a message aside, for other clients. UserError when the brake is on."""
        kind = type(error)
        context = {
            "topic": topic,
            "partition": str(partition),
            "offset": str(offset),
            "connector.name": f"tingjian-{self._processor}",
            "task.id": self._task,
            "stage": stage,
            "class.name": f"processors.{self._processor}",
            "exception.class.name": f"{kind.__module__}.{kind.__qualname__}",
            "exception.message": str(error),
            "exception.stacktrace": "".join(traceback.format_exception(error))[-STACK_TRACE_CHARS:],
        }
        present = {name for name, _ in headers}
        added = [(PREFIX + name, text.encode()) for name, text in context.items() if PREFIX + name not in present]
        self._producer.produce(
            topic + DEAD_LETTER_SUFFIX,
            key=key,
            value=value,
            headers=[*headers, *added],
            timestamp=max(0, at_ms),
            on_delivery=on_delivery,
        )
        DEAD_LETTERS.labels(topic, kind.__name__).inc()
        get_logger(self._processor).warning(
            "dead letter", topic=topic, partition=partition, offset=offset, reason=str(error)
        )
        self._run += 1
        if self._run >= self._limit:
            raise UserError(
                f"{self._run} bad records in a row on {topic}, the last one: {error}; "
                "look who writes this topic (`tingjian dlq list`), then restart"
            )

    def good(self) -> None:
        """Tell the brake that good records come, too; once for each batch is enough."""
        self._run = 0


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
