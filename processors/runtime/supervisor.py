"""One machine's stack: the embedded broker, the topics and the processors as child processes, watched until the end.

`with Stack(settings, slots) as stack:` starts what is not running and stops what it started. When a stack runs in the
home already it is used and left running; a slot that it lacks is asked for by a lease. A child that dies is started
again; one that keeps failing ends the stack, loudly. Kubernetes does the same for a cluster, with `tingjian run` in
each container.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from processors.runtime.children import free_ports, last_line, rank, spawn, stop
from processors.runtime.embedded import Broker
from processors.runtime.errors import UserError
from processors.runtime.health import is_ready
from processors.runtime.jars import fetch_jars
from processors.runtime.kafka import group_members
from processors.runtime.leases import lease, leased, lock_home, terminable
from processors.runtime.settings import Settings
from processors.runtime.slots import (
    Ports,
    Slot,
    all_slots,
    choose,
    cores,
    default_slots,
    environment,
    group,
    instance_id,
)
from processors.runtime.stack_file import Child, StackFile, read_stack, remove_stack, write_stack
from processors.runtime.supervised import Supervised, describe
from processors.runtime.topics import apply_topics
from processors.topology import Topology, the_topology

READY_TIMEOUT_S = 240.0
"""A processor that is not ready by then has failed; two busy cores import the neural libraries in a minute."""
STOP_GRACE_S = 20.0
WATCH_EVERY_S = 0.1
BROKER = "kafka"
NICE = {"speech": -10, "speech-recordings": 10}
"""Live speech does most of the work, and all wait for it: among equals it waits two fifths of its time for a core when
two are shared by 20 calls, and a violation comes twice as late. Recordings have time."""

Progress = Callable[[str], None]
Command = Callable[[Slot], Sequence[str]]


class Stack:
    """The running stack of a home; a context manager. Without `slots` it is what `tingjian up` starts; with none of
    them, `()`, it is the broker with its topics alone."""

    def __init__(
        self,
        settings: Settings,
        slots: Sequence[str] | None = None,
        progress: Progress = lambda text: None,
        *,
        topology: Topology | None = None,
        command: Command = lambda slot: slot.command,
    ) -> None:
        self._settings = settings
        self._topology = topology or the_topology()
        self._slots = all_slots(self._topology)
        self._wanted = choose(self._topology, default_slots(self._topology) if slots is None else slots)
        self._progress = progress
        self._command = command
        self._broker: Broker | None = None
        self._history: dict[str, Supervised] = {}
        self._running: dict[str, Slot] = {}
        self._health: dict[str, int] = {}
        self._door, self._query = settings.door_port, settings.query_port
        self._started = threading.Event()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._exit = ExitStack()

    def __enter__(self) -> Stack:
        self._exit.enter_context(terminable())
        try:
            lock = lock_home(self._settings.home)
            if lock is None:
                self._join()
            else:
                self._exit.callback(lock.close)
                self._launch()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._exit.close()

    @property
    def file(self) -> StackFile:
        """Addresses of the running stack. UserError when it has ended."""
        self.check()
        stack = read_stack(self._settings.home)
        if stack is None:
            raise UserError(f"the stack of {self._settings.home} has ended; start it again with `tingjian up`")
        return stack

    def check(self) -> None:
        """Raise the error that ended the stack, if one did. Call it wherever you wait for results."""
        if self._failure is not None:
            raise self._failure

    def wait(self) -> None:
        """Block until the stack has failed, and raise why; KeyboardInterrupt ends the waiting."""
        while not self._stopping.wait(0.5):
            self.check()
        self.check()

    def _join(self) -> None:
        """Use the stack that another process runs in this home."""
        names = [slot.name for slot in self._wanted]
        self._progress(f"using the stack that runs in {self._settings.home}")
        self._exit.enter_context(lease(self._settings.home, names))
        self._await_ready(names, self._still_owned)

    def _launch(self) -> None:
        """Run the stack in a thread of its own, and wait until it is ready."""
        if self._settings.embedded_kafka:
            fetch_jars(self._settings, self._progress)  # here, where Ctrl-C is heard
        thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._exit.callback(remove_stack, self._settings.home)
        self._exit.callback(thread.join)
        self._exit.callback(self._stopping.set)
        thread.start()
        while not self._started.wait(WATCH_EVERY_S):
            self.check()
        self._await_ready(list(self._running), self.check)

    def _await_ready(self, names: Sequence[str], check: Callable[[], None]) -> None:
        """Until each of the slots answers that it is ready. UserError when one does not in time."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        waiting = list(names)
        while waiting:
            check()
            stack = read_stack(self._settings.home)
            processes = stack.processes if stack else {}
            for name in [n for n in waiting if n in processes and is_ready(processes[n].health)]:
                self._progress(f"{name} is ready")
                waiting.remove(name)
            if waiting and time.monotonic() > deadline:
                log = self._log(waiting[0])
                words = last_line(log) or "nothing in its log"
                raise UserError(f"{waiting[0]} was not ready within {READY_TIMEOUT_S:.0f} s: {words}; look at {log}")
            if waiting:
                time.sleep(WATCH_EVERY_S)

    def _still_owned(self) -> None:
        """Nobody holds the lock any more: the stack that was joined has ended."""
        lock = lock_home(self._settings.home)
        if lock is not None:
            lock.close()
            raise UserError(f"the stack of {self._settings.home} has ended meanwhile; run this command again")

    # What follows runs in the supervisor's thread. It starts every child and outlives them all: see `children`.

    def _run(self) -> None:
        try:
            self._start_all()
            self._started.set()
            while not self._stopping.wait(WATCH_EVERY_S):
                self._restart_dead()
                self._follow_leases()
        except BaseException as error:  # noqa: BLE001  handed to whoever waits in the main thread
            self._failure = error
        finally:
            self._stop_all()
            self._stopping.set()

    def _start_all(self) -> None:
        if self._settings.embedded_kafka:
            self._progress("starting Kafka")
            self._broker = Broker(self._settings, self._progress)
            self._start_broker(self._broker)
        free = free_ports(2)
        self._door, self._query = self._door or free[0], self._query or free[1]
        self._write()
        apply_topics(self._topology, self._settings)
        self._wanted = [slot for slot in self._wanted if not self._runs_elsewhere(slot)]
        for slot in self._wanted:
            self._start(slot)

    def _runs_elsewhere(self, slot: Slot) -> bool:
        """Whether others consume for this slot already: then a cluster does the work, and this machine only watches."""
        if self._settings.embedded_kafka or not self._topology.processors[slot.processor].reads:
            return False
        members = group_members(self._settings, group(slot)) - {instance_id(slot, self._settings)}
        if members:
            self._progress(f"{slot.name} runs elsewhere: {group(slot)} has {len(members)} members")
        return bool(members)

    def _start_broker(self, broker: Broker) -> None:
        broker.start(self._stopping)
        assert broker.process is not None
        self._history.setdefault(BROKER, Supervised()).started(broker.process, time.monotonic())

    def _start(self, slot: Slot) -> None:
        if self._stopping.is_set():
            return
        history = self._history.setdefault(slot.name, Supervised())
        health = self._health.setdefault(slot.name, 0) or free_ports(1)[0]
        self._health[slot.name] = health
        self._running[slot.name] = slot
        if not history.restarts:
            self._progress(f"starting {slot.name}")
        ports = Ports(self._door, self._query, health)
        values = environment(slot, self._settings, ports, os.getpid(), cores())
        process = spawn(self._command(slot), self._log(slot.name), values)
        if slot.name in NICE:
            rank(process, NICE[slot.name])
        history.started(process, time.monotonic())
        self._write()

    def _restart_dead(self) -> None:
        now = time.monotonic()
        for name, history in self._history.items():
            if history.process is not None and history.process.poll() is not None:
                status = int(history.process.returncode)
                if not history.died(status, now):
                    log = self._log(name)
                    raise UserError(
                        f"{name} failed {history.failures} times in a row, so the stack stops: it {describe(status)}; "
                        f"its last words: {last_line(log) or 'none'}; look at {log}"
                    )
                self._progress(f"{name} {describe(status)}, starting it again")
            if history.next_start_s is not None and now >= history.next_start_s:
                self._start_again(name)

    def _start_again(self, name: str) -> None:
        if name == BROKER and self._broker is not None:
            self._start_broker(self._broker)
            self._write()
        else:
            self._start(self._running[name])

    def _follow_leases(self) -> None:
        asked = leased(self._settings.home) & set(self._slots)
        for name in asked - set(self._running):
            self._start(self._slots[name])
        for name in set(self._running) - asked - {slot.name for slot in self._wanted}:
            process = self._history.pop(name).process
            del self._running[name]
            self._write()
            if process is not None:
                stop(process, STOP_GRACE_S)

    def _stop_all(self) -> None:
        """Sources first, so that what they have sent is still worked off by those behind them; the broker last."""
        order = list(self._slots)
        for name in sorted(self._running, key=order.index, reverse=True):
            process = self._history[name].process
            if process is not None:
                stop(process, STOP_GRACE_S)
        if self._broker is not None:
            self._broker.stop()

    def _log(self, name: str) -> Path:
        return self._settings.logs / f"{name}.log"

    def _write(self) -> None:
        processes: dict[str, Child] = {}
        for name, history in self._history.items():
            if history.process is not None:
                port = self._health.get(name)
                health = f"http://127.0.0.1:{port}" if port else ""
                processes[name] = Child(history.process.pid, health, str(self._log(name)), history.restarts)
        bootstrap = self._settings.kafka or (self._broker.bootstrap if self._broker else "")
        door = f"ws://{self._settings.door_host}:{self._door}"
        query = "" if self._settings.clickhouse else f"http://127.0.0.1:{self._query}"
        write_stack(self._settings.home, StackFile(os.getpid(), bootstrap, door, query, processes))


@contextmanager
def ephemeral(settings: Settings) -> Iterator[Settings]:
    """These settings with a home that is removed at the end."""
    home = Path(tempfile.mkdtemp(prefix="tingjian-"))
    try:
        yield settings.model_copy(update={"home": home})
    finally:
        shutil.rmtree(home, ignore_errors=True)


def up(
    settings: Settings,
    progress: Progress,
    slots: Sequence[str] | None = None,
    command: Command = lambda slot: slot.command,
) -> None:
    """Run the stack until Ctrl-C or SIGTERM (both return), or until it fails (UserError)."""
    try:
        with Stack(settings, slots, progress, command=command) as stack:
            progress(f"listening at {stack.file.door}, Kafka at {stack.file.bootstrap}; Ctrl-C stops everything")
            stack.wait()
    except KeyboardInterrupt:
        progress("stopped")
