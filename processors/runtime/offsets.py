"""Where partitions begin and end, and how far a consumer group has come.

A group is asked about by a client that never joins it, not by the admin client: an error in what that asks of a group's
coordinator (a broker that answers late or goes away) may end the whole process (librdkafka issue 4605, confluent-kafka
2.16).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from processors.runtime.kafka import REQUEST_TIMEOUT_S, answer, client_options
from processors.runtime.settings import Settings

Place = tuple[str, int]
"""Topic and partition."""


def ends(settings: Settings, topics: Sequence[str]) -> dict[Place, int]:
    """Offset behind the last record of each partition; topics that do not exist are left out."""
    return _offsets(settings, topics, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # theirs has no types


def beginnings(settings: Settings, topics: Sequence[str]) -> dict[Place, int]:
    """Offset of the oldest record that is still kept, of each partition."""
    return _offsets(settings, topics, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # nor this


def since(settings: Settings, topics: Sequence[str], at_ms: int) -> dict[Place, int]:
    """Offset of the first record of each partition that was written at `at_ms` (UTC) or later; where there is none,
    the end."""
    found = _offsets(settings, topics, OffsetSpec.for_timestamp(at_ms))
    last = ends(settings, [topic for topic in topics if any(place[0] == topic for place in found)])
    return {place: offset if offset >= 0 else last[place] for place, offset in found.items()}


class GroupOffsets:
    """What a consumer group has committed. Each question blocks; Unavailable when nobody answers it in time."""

    def __init__(self, settings: Settings, group: str) -> None:
        self._group = group
        self._client = Consumer({**client_options(settings), "group.id": group, "enable.auto.commit": "false"})

    def __enter__(self) -> GroupOffsets:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def committed(self, places: Iterable[Place]) -> dict[Place, int]:
        """Offsets of the records that the group reads next; partitions in which it never committed are left out."""
        asked = [TopicPartition(*place) for place in places]
        if not asked:
            return {}
        found = answer(
            lambda: self._client.committed(asked, timeout=REQUEST_TIMEOUT_S), f"the offsets of the group {self._group}"
        )
        return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}

    def kept(self, place: Place) -> tuple[int, int]:
        """Offset of the oldest record of a partition, and the one behind its last."""
        low, end = answer(
            lambda: self._client.get_watermark_offsets(TopicPartition(*place), timeout=REQUEST_TIMEOUT_S),
            f"the records of {place[0]}/{place[1]}",
        )
        return int(low), int(end)


def _offsets(settings: Settings, topics: Sequence[str], spec: OffsetSpec) -> dict[Place, int]:
    admin = AdminClient({**client_options(settings)})

    def ask() -> dict[Place, int]:
        known = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        places = [TopicPartition(name, part) for name in topics if name in known for part in known[name].partitions]
        if not places:
            return {}
        answers = admin.list_offsets(dict.fromkeys(places, spec), request_timeout=REQUEST_TIMEOUT_S)
        return {(place.topic, place.partition): answer.result().offset for place, answer in answers.items()}

    return answer(ask, "its topics")
