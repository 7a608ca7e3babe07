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
from processors.runtime.agents import CRASHED
from processors.runtime.kafka import make_consumer
from processors.runtime.settings import Settings
from processors.runtime.wire import decode

PATIENCE_S = 240.0
"""For anything to happen; only a broken program needs it."""
MOST_RESTARTS = 3


class Process:
    """A processor as the supervisor keeps it: one that ends itself, to begin again from what it stored, is started."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self._arguments, self._environment, self._log = arguments, environment, log
        self._restarts = 0
        self._child = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(self._arguments, env=self._environment, stdout=output, stderr=output)

    def goes_on(self) -> bool:
        """Whether it runs; again, when it had crashed on purpose, but not for ever."""
        if self._child.poll() == CRASHED and self._restarts < MOST_RESTARTS:
            self._restarts += 1
            self._child = self._start()
        return self._child.poll() is None

    def leave(self) -> int:
        """SIGTERM, as Kubernetes does when there are to be fewer; the exit status."""
        self._child.send_signal(signal.SIGTERM)
        return self._child.wait(PATIENCE_S)

    def kill(self) -> None:
        """Kill -9."""
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()


@contextmanager
def processor(settings: Settings, name: str, log: Path, *options: str, **environment: str) -> Iterator[Process]:
    """A processor as the supervisor would start it; ends by kill -9. `environment` are settings (asr_model="...")."""
    there = {
        "TINGJIAN_HOME": str(settings.home),
        "TINGJIAN_KAFKA": settings.kafka,
        "TINGJIAN_INSTANCE_ID": f"{name}-0",
        "TINGJIAN_SENTENCE_ENCODER": "",
        **{f"TINGJIAN_{key.upper()}": value for key, value in environment.items()},
    }
    process = Process([sys.executable, "-m", "processors.cli", "run", name, *options], {**os.environ, **there}, log)
    try:
        yield process
    finally:
        process.kill()


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

    def wait(self, enough: Callable[[], bool], process: Process, log: Path) -> None:
        """Read until it is enough. AssertionError with the end of the log when it is never."""
        limit = time.monotonic() + PATIENCE_S
        while not enough():
            assert time.monotonic() < limit and process.goes_on(), log.read_text()[-3000:]
            self.read(0.25)

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()
