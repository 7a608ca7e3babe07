"""`tingjian dlq`: look at the records that could not be processed, and send them to their topic again.

Sending again is remembered as the committed offset of a group of its own, so that a letter is not sent twice.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from rich.console import Console
from rich.table import Table

from processors.runtime.dead_letters import PREFIX
from processors.runtime.errors import Unavailable, UserError
from processors.runtime.history import messages
from processors.runtime.kafka import client_options, make_producer
from processors.runtime.offsets import GroupOffsets, Place, beginnings, ends
from processors.runtime.settings import Settings, load_settings
from processors.topology import DEAD_LETTER_SUFFIX, the_topology

REPLAY_GROUP = "tingjian-dlq-replay"
FLUSH_S = 60.0


def list_letters() -> None:
    """Print how many dead letters each topic has, and how many of them were sent again."""
    settings = load_settings()
    topics = the_topology().dead_letter_topics()
    begin, end = beginnings(settings, topics), ends(settings, topics)
    done = _sent(settings, end)
    kept: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for place, last in end.items():
        kept[place[0]] += last - begin[place]
        sent[place[0]] += max(0, done.get(place, 0) - begin[place])
    table = Table("topic", "dead letters", "sent again")
    for topic in topics:
        if kept[topic]:
            table.add_row(topic.removesuffix(DEAD_LETTER_SUFFIX), str(kept[topic]), str(sent[topic]))
    console = Console()
    console.print(table if table.row_count else "no dead letters")
    if table.row_count:
        console.print("look at them: tingjian dlq show TOPIC; send them again: tingjian dlq replay TOPIC")


def show_letters(topic: str, limit: int) -> None:
    """Print the newest dead letters of a topic with their place and reason."""
    settings = load_settings()
    begin, end = _places(settings, topic)
    starts = {place: max(begin[place], last - limit) for place, last in end.items()}
    letters = sorted(messages(settings, starts, end), key=_sent_at_ms, reverse=True)[:limit]
    table = Table("when (UTC)", "key", "from", "processor", "what is wrong")
    for letter in letters:
        why = error_headers(letter)
        table.add_row(
            time.strftime("%m-%d %H:%M:%S", time.gmtime(_sent_at_ms(letter) / 1000)),
            _text(letter.key()),
            f"{why.get('topic', '?')}[{why.get('partition', '?')}]@{why.get('offset', '?')}",
            why.get("connector.name", "?").removeprefix("tingjian-"),
            why.get("exception.message", "?"),
        )
    Console().print(table if letters else f"no dead letters of {topic}")


def replay_letters(topic: str, limit: int) -> None:
    """Send the dead letters that were not sent again yet to the topic they came from."""
    settings = load_settings()
    begin, end = _places(settings, topic)
    done = _sent(settings, end)
    starts = {place: max(begin[place], done.get(place, 0)) for place in end}
    producer = make_producer(settings)
    upto = dict(starts)
    sent = 0
    for letter in messages(settings, starts, end):
        if sent >= limit:
            break
        headers = [(name, value) for name, value in headers_of(letter) if not name.startswith(PREFIX)]
        producer.produce(topic, key=letter.key(), value=letter.value(), headers=headers)
        place = (str(letter.topic()), int(letter.partition() or 0))
        upto[place] = max(upto[place], int(letter.offset() or 0) + 1)
        sent += 1
    if producer.flush(FLUSH_S):
        raise Unavailable("Kafka did not take all letters; nothing is marked as sent, repeat the command")
    _remember(settings, upto)
    Console().print(f"{sent} dead letters sent to {topic} again")


def error_headers(letter: Message) -> dict[str, str]:
    """The reason and origin of a dead letter, by the name behind `__connect.errors.`."""
    return {name.removeprefix(PREFIX): _text(value) for name, value in headers_of(letter) if name.startswith(PREFIX)}


def headers_of(letter: Message) -> list[tuple[str, str | bytes | None]]:
    """All headers of a message."""
    return [(header[0], header[1]) for header in letter.headers() or []]


def _sent(settings: Settings, places: Iterable[Place]) -> dict[Place, int]:
    with GroupOffsets(settings, REPLAY_GROUP) as offsets:
        return offsets.committed(places)


def _remember(settings: Settings, upto: dict[Place, int]) -> None:
    consumer = Consumer({**client_options(settings), "group.id": REPLAY_GROUP, "enable.auto.commit": "false"})
    try:
        places = [TopicPartition(topic, number, offset) for (topic, number), offset in upto.items()]
        consumer.commit(offsets=places, asynchronous=False)
    except KafkaException as error:
        raise Unavailable(f"the letters are sent, but Kafka did not remember it: {error}") from error
    finally:
        consumer.close()


def _places(settings: Settings, topic: str) -> tuple[dict[Place, int], dict[Place, int]]:
    letters = topic.removesuffix(DEAD_LETTER_SUFFIX) + DEAD_LETTER_SUFFIX
    known = the_topology().dead_letter_topics()
    if letters not in known:
        names = ", ".join(name.removesuffix(DEAD_LETTER_SUFFIX) for name in known)
        raise UserError(f"{topic} is no topic with dead letters; there are {names}", 2)
    return beginnings(settings, [letters]), ends(settings, [letters])


def _sent_at_ms(letter: Message) -> int:
    return int(letter.timestamp()[1])


def _text(value: str | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
