"""The embedded engine for tests: one folder for the whole run, since a process can open only one, a database each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest

from processors.sink.store import QUERY_SETTINGS, Store, Target

_numbers = itertools.count()


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of the engine; a connection stays open until the end, so that it is opened once."""
    folder = tmp_path_factory.mktemp("clickhouse")
    with clickhouse_connect.get_client(interface="chdb", path=str(folder)):
        yield folder


@pytest.fixture
def store(engine: Path) -> Iterator[Store]:
    """A connection to an empty database of its own."""
    name = f"test_{next(_numbers)}"
    with clickhouse_connect.get_client(interface="chdb", path=str(engine)) as first:
        first.command(f"CREATE DATABASE {name}")
        client = clickhouse_connect.get_client(interface="chdb", path=str(engine), database=name)
        for setting, value in QUERY_SETTINGS.items():
            client.command(f"SET {setting} = '{value}'")
        store = Store(client, Target(name))
        yield store
        store.close()
        first.command(f"DROP DATABASE {name}")
