"""Order of the tests: what needs a real Kafka, ClickHouse and NeMo (tests/live) comes last."""

from pathlib import Path

import pytest
from hypothesis import settings

# Tests share their machine: how long an example takes says nothing.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

LIVE = Path(__file__).parent / "live"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LIVE in item.path.parents)
