"""Runs one processor in this process: `tingjian run NAME`, as a child of the supervisor and in a container."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time

from processors.runtime.children import die_with_parent
from processors.runtime.errors import Unavailable, UserError
from processors.runtime.logs import configure_logs, get_logger
from processors.runtime.registry import connect
from processors.runtime.settings import Settings
from processors.topology import Topology, nearest, the_topology

SHELLS = {"server": "server", "loop": "agent", "faust": "agent", "job": "job"}
"""The one module of a processor that does I/O, by the kind of its runtime."""
WATCH_PARENT_S = 1.0


def run_processor(name: str, settings: Settings, lane: str = "", topology: Topology | None = None) -> None:
    """Run until SIGTERM or SIGINT. UserError for an unknown name or lane, and for what the processor itself reports."""
    declared = (topology or the_topology()).processors
    if name not in declared:
        raise UserError(f"no processor {name!r}: {nearest(name, list(declared))}", 2)
    lanes = declared[name].lanes
    if lane and lane not in lanes:
        raise UserError(f"{name} has no lane {lane!r}: {nearest(lane, list(lanes))}", 2)
    if settings.supervisor_pid:
        _follow(settings.supervisor_pid)
    configure_logs(settings)
    connect(settings, topology or the_topology())
    shell = importlib.import_module(f"processors.{name}.{SHELLS[declared[name].runtime]}")
    options = {"lane": lane or lanes[0]} if lanes else {}
    try:
        shell.main(settings, **options)
    except Unavailable as error:
        get_logger(name).error("a neighbour is down, leaving without commit", reason=str(error))
        raise


def _follow(parent: int) -> None:
    """End when the supervisor ends, however that happens."""
    die_with_parent(parent)
    if sys.platform != "linux":
        threading.Thread(target=_poll, args=(parent,), name="parent", daemon=True).start()


def _poll(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_PARENT_S)
    os._exit(1)
