"""Fixtures with a real Apache Kafka."""

from collections.abc import Iterator

import pytest

from processors.runtime.embedded import Broker
from processors.runtime.settings import Settings, load_settings
from processors.runtime.topics import apply_topics
from processors.topology import the_topology


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a broker with all topics, without processors. A file's own: what one leaves behind is no other's."""
    settings = load_settings(home=tmp_path_factory.mktemp("broker"))
    with Broker(settings) as broker:
        there = settings.model_copy(update={"kafka": broker.bootstrap, "kafka_replication": 1})
        apply_topics(the_topology(), there)
        yield there
