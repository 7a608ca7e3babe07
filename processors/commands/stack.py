"""`tingjian up`, `migrate` and `play`. Starting and watching processes is left to `runtime.supervisor`."""

from __future__ import annotations

import asyncio
import threading
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from processors.ingest import job
from processors.ingest.play import play_calls
from processors.runtime.errors import UserError
from processors.runtime.kafka import bootstrap
from processors.runtime.logs import configure_logs
from processors.runtime.settings import Settings, load_settings
from processors.runtime.stack_file import StackFile, read_stack
from processors.runtime.supervisor import Stack, ephemeral


class Stopped(Exception):
    """Whoever wanted the calls played has left."""


def quiet_logs(settings: Settings) -> None:
    """Logs of a command on stderr, warnings and worse unless the setting asks for more than usual."""
    configure_logs(settings if settings.log_level == "debug" else settings.model_copy(update={"log_level": "warning"}))


def up(ephemeral_home: bool) -> None:
    """Start everything and watch it; returns by KeyboardInterrupt, or by the UserError that ended the stack."""
    settings = load_settings()
    console = Console(highlight=False, soft_wrap=True)
    running = read_stack(settings.home)
    if running is not None and not ephemeral_home:
        raise UserError(
            f"a stack runs in {settings.home} already (process {running.pid}): use it, stop it, or set TINGJIAN_HOME"
        )
    with (
        ephemeral(settings) if ephemeral_home else nullcontext(settings) as home,
        Stack(home, progress=console.print) as stack,
    ):
        print_addresses(console, home, stack.file)
        console.print("running; Ctrl-C stops everything")
        stack.wait()


def print_addresses(console: Console, settings: Settings, stack: StackFile) -> None:
    """Where what is running can be reached."""
    address = bootstrap(settings)
    console.print(f"  home             {settings.home}")
    console.print(f"  Kafka            {address}   (kcat -C -b {address} -t violations)")
    console.print(f"  live door        {stack.door}")
    if stack.query:
        console.print(f"  read-only SQL    {stack.query}/query")
    for name, child in stack.processes.items():
        if child.health:
            console.print(f"  {name:<16} {child.health}/metrics")


def migrate() -> None:
    """Apply the ClickHouse migrations and say which."""
    from processors.sink.migrate import load_migrations
    from processors.sink.migrate import migrate as apply
    from processors.sink.store import embedded_folder, open_embedded, open_server

    settings = load_settings()
    if not settings.clickhouse and read_stack(settings.home) is not None:
        raise UserError("the running stack has applied the migrations when it started; nothing to do", 0)
    store = open_server(settings) if settings.clickhouse else open_embedded(embedded_folder(settings))
    applied = apply(store, load_migrations())
    store.close()
    print("\n".join(f"applied {migration.name}" for migration in applied) or "all migrations are applied already")


def play(path: Path, url: str) -> None:
    """Play recordings through a live door, all at once."""
    settings = load_settings()
    quiet_logs(settings)
    play_path(settings, path, url or door_of(settings), threading.Event())


def door_of(settings: Settings) -> str:
    """Address of the live door of the running stack."""
    stack = read_stack(settings.home)
    if stack is None or "ingest" not in stack.processes:
        raise UserError(f"no live door runs in {settings.home}: start one with `tingjian up`, or name it with --url")
    return stack.door


def play_path(settings: Settings, path: Path, url: str, stop: threading.Event) -> None:
    """Play the recordings behind a path, all at once, until they end or `stop` is set."""
    planned, skipped = job.plan_path(settings, path)
    console = Console(stderr=True, highlight=False)
    for item in skipped:
        console.print(f"not played: {item.path}: {item.reason}", markup=False)

    def on_frame(call_id: str, call_ms: int) -> None:
        if stop.is_set():
            raise Stopped(call_id)

    try:
        asyncio.run(play_calls(url, planned, token=settings.door_token, on_frame=on_frame))
    except* Stopped:
        pass
    except* UserError as group:
        raise group.exceptions[0] from None
