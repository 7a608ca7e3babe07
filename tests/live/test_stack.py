"""The supervisor with a real Kafka and pretended processors: start, restart, join, give up, stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processors.runtime.errors import UserError
from processors.runtime.health import is_ready
from processors.runtime.settings import Settings, load_settings
from processors.runtime.slots import Slot
from processors.runtime.stack_file import StackFile, is_alive, read_stack
from processors.runtime.supervisor import Stack
from tests.live.records import HELD, STARTED, publish, read
from tests.live.waiting import until

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def pretend(*failing: str) -> Callable[[Slot], list[str]]:
    return lambda slot: [
        sys.executable, str(HERE / "pretend.py"), slot.name, *(["fail"] if slot.name in failing else [])
    ]  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Stack]]:
    settings = load_settings(home=tmp_path_factory.mktemp("stack"))
    with Stack(settings, ("sink", "inspect", "speech"), command=pretend()) as stack:
        yield settings, stack


def pid_of(settings: Settings, name: str) -> int:
    stack = read_stack(settings.home)
    return stack.processes[name].pid if stack and name in stack.processes else 0


def ready_again(settings: Settings, name: str, before: int) -> StackFile | None:
    stack = read_stack(settings.home)
    child = stack.processes.get(name) if stack else None
    return stack if child and child.pid != before and is_ready(child.health) else None


def test_stack_file_tells_addresses_and_processes(running: tuple[Settings, Stack]) -> None:
    file = running[1].file
    assert set(file.processes) == {"kafka", "sink", "inspect", "speech"}
    assert all(is_alive(child.pid) for child in file.processes.values())
    assert file.door.startswith("ws://127.0.0.1:") and file.query.startswith("http://127.0.0.1:")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may let a process come before others")
def test_live_speech_comes_before_the_others(running: tuple[Settings, Stack]) -> None:
    processes = running[1].file.processes
    assert os.getpriority(os.PRIO_PROCESS, processes["speech"].pid) == -10
    assert os.getpriority(os.PRIO_PROCESS, processes["sink"].pid) == 0


def test_killed_processor_comes_back_at_its_address_under_its_name(running: tuple[Settings, Stack]) -> None:
    settings, stack = running
    before = stack.file.processes["speech"]
    os.kill(before.pid, signal.SIGKILL)
    after = until(lambda: ready_again(settings, "speech", before.pid), "speech came back").processes["speech"]
    assert (after.health, after.restarts) == (before.health, 1)
    names = Path(after.log).read_text(encoding="utf-8").split("speech as ")[1:]
    assert len({name.strip() for name in names}) == 1 < len(names)


def test_other_command_joins_and_leases_what_is_missing(running: tuple[Settings, Stack]) -> None:
    settings, _ = running
    said: list[str] = []
    with Stack(settings, ("speech-recordings", "sink"), said.append, command=pretend()) as joined:
        lane = joined.file.processes["speech-recordings"].pid
        assert joined.file.pid == os.getpid()  # of the supervisor, which here is this process
        assert any("using the stack" in text for text in said)
    until(lambda: not is_alive(lane), "the lane ended with its lease")
    assert is_alive(pid_of(settings, "sink"))


def test_killed_broker_comes_back_at_its_address_with_records_and_offsets(running: tuple[Settings, Stack]) -> None:
    settings, stack = running
    before = stack.file
    publish(settings, "calls.timeline", STARTED, HELD)
    assert read(settings, "calls.timeline", 2, group="reader") == [STARTED, HELD]
    os.kill(before.processes["kafka"].pid, signal.SIGKILL)
    until(lambda: pid_of(settings, "kafka") not in (0, before.processes["kafka"].pid), "Kafka came back")
    assert stack.file.bootstrap == before.bootstrap
    publish(settings, "calls.timeline", HELD)
    assert read(settings, "calls.timeline", 1, group="reader") == [HELD]


def test_processor_that_keeps_failing_ends_the_stack_loudly(running: tuple[Settings, Stack], tmp_path: Path) -> None:
    own_kafka = load_settings(home=tmp_path, kafka=running[1].file.bootstrap, kafka_replication=1)
    with (
        pytest.raises(UserError, match=r"inspect failed 3 times .*exit status 1.*it can not work.*inspect\.log"),
        Stack(own_kafka, ("inspect", "ingest"), command=pretend("inspect")),
    ):
        pytest.fail("a stack without inspect must not come up")
    assert read_stack(tmp_path) is None


def start_program(home: Path) -> subprocess.Popen[str]:
    program = [sys.executable, str(HERE / "stack_program.py"), str(home)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def listening(program: subprocess.Popen[str]) -> None:
    assert program.stdout is not None
    for line in program.stdout:
        if line.startswith("listening"):
            return
    raise AssertionError("the stack did not come up")


def test_ctrl_c_stops_everything_in_order(tmp_path: Path) -> None:
    program = start_program(tmp_path)
    listening(program)
    stack = read_stack(tmp_path)
    assert stack is not None and set(stack.processes) == {"kafka", "sink", "inspect", "speech", "ingest"}
    stopped_by(signal.SIGINT, program, stack)
    assert (tmp_path / "logs" / "ingest.log").read_text(encoding="utf-8").splitlines()[-1] == "left in order"
    assert read_stack(tmp_path) is None and not (tmp_path / "stack.json").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(stack.bootstrap.rpartition(":")[2])), timeout=5)


def test_killed_supervisor_leaves_no_process_behind_and_its_home_can_be_used_again(tmp_path: Path) -> None:
    program = start_program(tmp_path)
    listening(program)
    stack = read_stack(tmp_path)
    assert stack is not None
    program.kill()
    program.wait()
    again = start_program(tmp_path)
    listening(again)
    for name, child in stack.processes.items():
        assert not is_alive(child.pid), f"{name} outlived its supervisor"
    second = read_stack(tmp_path)
    assert second is not None
    stopped_by(signal.SIGTERM, again, second)


def stopped_by(number: signal.Signals, program: subprocess.Popen[str], stack: StackFile) -> None:
    program.send_signal(number)
    output, _ = program.communicate(timeout=120)
    assert program.returncode == 0 and output.splitlines()[-1] == "stopped"
    assert not any(is_alive(child.pid) for child in stack.processes.values())
