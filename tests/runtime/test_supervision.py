"""Restarts, stack file, leases and slots: the supervisor's decisions without processes of weight."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from processors.runtime.children import free_ports, is_free, last_line, spawn, stop
from processors.runtime.errors import UserError
from processors.runtime.health import is_ready, serve_health
from processors.runtime.leases import lease, leased, lock_home
from processors.runtime.run import run_processor
from processors.runtime.settings import Settings, child_environment, load_settings
from processors.runtime.slots import Ports, all_slots, environment, instance_id
from processors.runtime.stack_file import Child, StackFile, read_stack, remove_stack, write_stack
from processors.runtime.supervised import BACK_OFF_S, FAILURES, QUICK_S, Supervised
from processors.topology import the_topology

FAILED = 1
PROCESS: Any = object()


def deaths(*at: tuple[float, int]) -> tuple[list[bool], Supervised]:
    """Let a process start at 0 and end at these times with these statuses, each time started when planned."""
    history = Supervised()
    history.started(PROCESS, 0.0)
    verdicts = []
    for now_s, status in at:
        verdicts.append(history.died(status, now_s))
        if history.next_start_s is not None:
            history.started(PROCESS, history.next_start_s)
    return verdicts, history


def test_killed_process_is_started_at_once() -> None:
    history = Supervised()
    history.started(PROCESS, 0.0)
    assert history.died(-signal.SIGKILL, 100.0)
    assert history.next_start_s == 100.0


def test_process_that_is_killed_again_and_again_comes_back_later_and_later_but_always() -> None:
    history = Supervised()
    waits = []
    for now_s in range(10):
        history.started(PROCESS, float(now_s))
        assert history.died(-signal.SIGKILL, float(now_s))
        waits.append((history.next_start_s or 0) - now_s)
    assert waits == [*BACK_OFF_S, *[BACK_OFF_S[-1]] * (10 - len(BACK_OFF_S))]


def test_process_that_fails_at_once_is_given_up_after_a_few_times() -> None:
    verdicts, history = deaths(*[(1.0, FAILED)] * FAILURES)
    assert verdicts == [True] * (FAILURES - 1) + [False]
    assert history.restarts == FAILURES - 1


def test_process_that_has_worked_is_forgiven_earlier_failures() -> None:
    verdicts, _ = deaths((1.0, FAILED), (2.0, FAILED), (2.0 + 2 * QUICK_S, FAILED), (3.0 + 2 * QUICK_S, FAILED))
    assert verdicts == [True] * 4


def test_stack_file_is_read_back_while_its_supervisor_lives(tmp_path: Path) -> None:
    stack = StackFile(os.getpid(), "127.0.0.1:9", "ws://127.0.0.1:8", "", {"speech": Child(1, "http://x", "log", 2)})
    write_stack(tmp_path, stack)
    assert read_stack(tmp_path) == stack
    remove_stack(tmp_path)
    assert read_stack(tmp_path) is None


def test_stack_file_of_a_dead_supervisor_is_stale(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    write_stack(tmp_path, StackFile(gone.pid, "127.0.0.1:9"))
    assert read_stack(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"processes": {"a": {"wrong": 1}}}'])
def test_damaged_stack_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "stack.json").write_text(text, encoding="utf-8")
    assert read_stack(tmp_path) is None


def test_lease_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    with lease(tmp_path, ["speech-recordings", "sink"]):
        assert leased(tmp_path) == {"speech-recordings", "sink"}
    assert leased(tmp_path) == set()


def test_lease_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path = tmp_path / "leases" / f"sink.{gone.pid}"
    path.parent.mkdir()
    path.touch()
    assert leased(tmp_path) == set()
    assert not path.exists()


def test_home_has_one_owner(tmp_path: Path) -> None:
    first = lock_home(tmp_path)
    assert first is not None
    assert lock_home(tmp_path) is None
    first.close()
    second = lock_home(tmp_path)
    assert second is not None
    second.close()


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert all(is_free(port) for port in ports)


def test_child_writes_into_its_log_and_stops(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "child.log"
    code = "import time; print('here', flush=True); time.sleep(60)"
    child = spawn([sys.executable, "-c", code], log)
    while "here" not in log.read_text(encoding="utf-8"):
        assert child.poll() is None
    stop(child, grace_s=10)
    assert child.poll() == -signal.SIGTERM
    assert last_line(log) == "here"


def test_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    code = (
        "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    )
    child = spawn([sys.executable, "-c", code], log)
    while "here" not in log.read_text(encoding="utf-8"):
        assert child.poll() is None
    stop(child, grace_s=0.2)
    assert child.poll() == -signal.SIGKILL


def test_health_answers_ready_and_not_ready() -> None:
    state = {"ready": False}
    port = serve_health(0, lambda: (state["ready"], "loading the model"))
    assert not is_ready(f"http://127.0.0.1:{port}")
    state["ready"] = True
    assert is_ready(f"http://127.0.0.1:{port}")
    assert not is_ready(f"http://127.0.0.1:{free_ports(1)[0]}")


def test_taken_health_port_is_named() -> None:
    port = serve_health(0, lambda: (True, ""))
    with pytest.raises(UserError, match=rf"127\.0\.0\.1:{port}.*TINGJIAN_METRICS_PORT"):
        serve_health(port, lambda: (True, ""))


def test_child_gets_home_ports_and_static_name() -> None:
    settings = load_settings(home="/some/home", asr_model="other.nemo")
    slot = all_slots(the_topology())["speech-recordings"]
    values = environment(slot, settings, Ports(door=1, query=2, health=3), supervisor=4, cores=2)
    assert values["TINGJIAN_HOME"] == "/some/home"
    assert values["TINGJIAN_ASR_MODEL"] == "other.nemo"
    assert values["TINGJIAN_INSTANCE_ID"] == instance_id(slot, settings)
    assert values["TINGJIAN_METRICS_PORT"] == "3"
    assert values["OMP_NUM_THREADS"] == "1"
    assert slot.command[-4:] == ["run", "speech", "--lane", "recordings"]


def test_two_homes_have_members_of_different_names() -> None:
    slot = all_slots(the_topology())["sink"]
    assert instance_id(slot, load_settings(home="/one")) != instance_id(slot, load_settings(home="/two"))


def test_child_environment_round_trips(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(kafka="broker:9092", door_idle_s=5.5, kafka_password="secret")
    for name, value in child_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_wrong_setting_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINGJIAN_METRICS_PORT", "many")
    with pytest.raises(UserError, match=r"TINGJIAN_METRICS_PORT.*correct or unset it"):
        load_settings()


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(Settings(kafka_password="secret"))


def test_unknown_processor_and_lane_name_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'speech'"):
        run_processor("speach", load_settings())
    with pytest.raises(UserError, match="did you mean 'recordings'"):
        run_processor("speech", load_settings(), lane="recording")
