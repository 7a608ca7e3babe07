"""What a stack consists of: one slot for each process, derived from the map.

A slot has the same name, ports and group instance through all restarts of its process, which is what makes a restart
quick: the group knows the newcomer, and clients know the address.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processors.runtime.errors import UserError
from processors.runtime.settings import Settings, child_environment, numeric_threads
from processors.topology import Topology, nearest

ROOT = Path(__file__).resolve().parents[2]
FIRST_LANE = "live"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one process of a processor."""

    name: str  # "speech", "speech-recordings": of the log, in stack.json and in messages
    processor: str
    lane: str = ""

    @property
    def command(self) -> list[str]:
        """The command line, which says in `ps` which processor it is."""
        script = Path(sys.executable).with_name("tingjian")
        program = [str(script)] if script.exists() else [sys.executable, "-m", "processors.cli"]
        return [*program, "run", self.processor, *(["--lane", self.lane] if self.lane else [])]


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of one stack."""

    door: int
    query: int
    health: int


def all_slots(topology: Topology) -> dict[str, Slot]:
    """Every slot of the map, the writers of a topic after its readers: nobody writes before somebody listens."""
    slots: dict[str, Slot] = {}
    for name in downstream_first(topology):
        lanes = topology.processors[name].lanes or ("",)
        for lane in lanes:
            slot = Slot(name if lane in ("", FIRST_LANE) else f"{name}-{lane}", name, lane)
            slots[slot.name] = slot
    return slots


def default_slots(topology: Topology) -> tuple[str, ...]:
    """What `tingjian up` starts: everything that runs all the time, of several lanes the first."""
    slots = all_slots(topology).values()
    jobs = {name for name, processor in topology.processors.items() if processor.runtime == "job"}
    return tuple(slot.name for slot in slots if slot.lane in ("", FIRST_LANE) and slot.processor not in jobs)


def choose(topology: Topology, names: Sequence[str]) -> list[Slot]:
    """The slots of these names, in the order of starting. UserError for a name that is none."""
    slots = all_slots(topology)
    for name in names:
        if name not in slots:
            raise UserError(f"no processor {name!r}: {nearest(name, list(slots))}", 2)
    return [slot for slot in slots.values() if slot.name in names]


def downstream_first(topology: Topology) -> list[str]:
    """Processors, readers of a topic before its writers; a cycle is cut where the file order says."""
    order: list[str] = []
    open_: set[str] = set()

    def visit(name: str) -> None:
        if name in order or name in open_:
            return
        open_.add(name)
        for topic in topology.processors[name].writes:
            for reader in topology.readers(topic):
                visit(reader)
        order.append(name)

    for name in topology.processors:
        visit(name)
    return order


def group(slot: Slot) -> str:
    """Consumer group of the slot's process."""
    return f"tingjian-{slot.name}"


def instance_id(slot: Slot, settings: Settings) -> str:
    """Static member name: the same after each restart, another one on another machine or in another home."""
    place = hashlib.sha256(f"{socket.gethostname()}/{settings.home}".encode()).hexdigest()[:8]
    return f"{slot.name}-{place}"


def environment(slot: Slot, settings: Settings, ports: Ports, supervisor: int, cores: int) -> dict[str, str]:
    """Environment of the slot's process."""
    more = {
        "home": settings.home,
        "instance_id": instance_id(slot, settings),
        "metrics_port": ports.health,
        "supervisor_pid": supervisor,
        "door_port": ports.door,
        "query_port": ports.query,
    }
    # Speech is the one that computes; a core stays free for the others, more threads would wait for each other.
    threads = settings.threads or (max(1, min(8, cores - 1)) if slot.processor == "speech" else 1)
    values = {**child_environment(settings, **more), **numeric_threads(threads), "PYTHONUNBUFFERED": "1"}
    if not Path(sys.executable).with_name("tingjian").exists():
        values["PYTHONPATH"] = str(ROOT)
    return values


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
