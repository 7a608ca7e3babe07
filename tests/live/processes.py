"""Processors as processes of their own, killed without mercy; and what they write, as it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from processors.records import AnyRecord
from processors.runtime.kafka import make_consumer
from processors.runtime.settings import Settings
from processors.runtime.wire import decode

PATIENCE_S = 240.0
"""For anything to happen; only a broken program needs it."""


@contextmanager
def processor(
    settings: Settings, name: str, log: Path, *options: str, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A processor as the supervisor would start it; ends by kill -9. `environment` are settings (asr_model="...")."""
    there = {
        "TINGJIAN_HOME": str(settings.home),
        "TINGJIAN_KAFKA": settings.kafka,
        "TINGJIAN_INSTANCE_ID": f"{name}-0",
        "TINGJIAN_SENTENCE_ENCODER": "",
        **{f"TINGJIAN_{key.upper()}": value for key, value in environment.items()},
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "processors.cli", "run", name, *options],
            env={**os.environ, **there},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


class Written:
    """Everything that was written to some topics, by call, in order."""

    def __init__(self, settings: Settings, *topics: str) -> None:
        self._consumer = make_consumer(settings, f"test-{uuid.uuid4().hex}", topics)
        self.records: dict[str, list[AnyRecord]] = {}

    def read(self, seconds: float) -> None:
        """Take in what comes within so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for message in self._consumer.consume(500, timeout=0.1):
                if message.error() is None:
                    record = decode(message.value())
                    self.records.setdefault(record.call_id, []).append(record)

    def wait(self, enough: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
        """Read until it is enough. AssertionError with the end of the log when it is never."""
        limit = time.monotonic() + PATIENCE_S
        while not enough():
            assert time.monotonic() < limit and process.poll() is None, log.read_text()[-3000:]
            self.read(0.25)

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()
