"""The map of the system: `topology.yaml` as typed, frozen values.

`load` reads the file and reports every mistake of form with its line. What must hold between the parts is judged by
`processors.topology_check`, the picture is made by `processors.topology_draw`, and `processors.runtime.topics` creates
what is declared. The same file is a values file of the Helm chart, so it holds nothing but plain values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from processors.runtime.errors import UserError

FILE = Path(__file__).resolve().parents[1] / "topology.yaml"
DEAD_LETTER_SUFFIX = ".dlq"
UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DEFAULT_MAX_BYTES = 1_048_576

Path_ = tuple[str | int, ...]


def _duration(text: str) -> str:
    duration_ms(text)
    return text


def duration_ms(text: str) -> int:
    """Milliseconds of `90s`, `30m`, `6h` or `7d`. ValueError for anything else."""
    match = re.fullmatch(r"([1-9][0-9]*)([smhd])", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration; write it like 90s, 30m, 6h or 7d")
    return int(match[1]) * UNIT_MS[match[2]]


STRICT = ConfigDict(extra="forbid", populate_by_name=True)


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Topic:
    """A topic, as declared."""

    key: str  # what the record key is
    partitions: Annotated[int, Field(ge=1, le=4096)]
    records: tuple[str, ...] = ()  # record types it carries, in one order; none for a state topic
    keep: Annotated[str, AfterValidator(_duration)] | None = None  # retention; none for a compacted topic
    cleanup: Literal["delete", "compact"] = "delete"
    public: bool = False  # others subscribe: CloudEvents headers, full compatibility
    broadcast: bool = False  # every reader reads all of it, whatever else it reads
    from_: Annotated[Literal["people", "doors"] | None, Field(alias="from")] = None  # written by no processor
    state_of: str | None = None  # changelog of this processor's state
    max_bytes: Annotated[int, Field(ge=1024)] = DEFAULT_MAX_BYTES  # of one record

    @property
    def keep_ms(self) -> int:
        """Retention in milliseconds; -1 keeps for ever."""
        return -1 if self.keep is None else duration_ms(self.keep)


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Processor:
    """A processor, as declared: a folder of the same name."""

    runtime: Literal["server", "loop", "faust", "job"]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    gpu: Annotated[int, Field(ge=0)] = 0
    replicas: tuple[int, int] = (1, 1)  # least and most
    lanes: tuple[str, ...] = ()  # one process for each; empty: one process


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Topology:
    """The whole file."""

    topics: dict[str, Topic]
    processors: dict[str, Processor]

    def writers(self, topic: str) -> list[str]:
        """Processors that write the topic."""
        return [name for name, processor in self.processors.items() if topic in processor.writes]

    def readers(self, topic: str) -> list[str]:
        """Processors that read the topic."""
        return [name for name, processor in self.processors.items() if topic in processor.reads]

    def dead_letter_topics(self) -> list[str]:
        """`<topic>.dlq` for every topic that a processor reads."""
        return [name + DEAD_LETTER_SUFFIX for name in self.topics if self.readers(name)]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong in the file, and what to do about it."""

    file: str
    line: int  # 1 based
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}; {self.hint}"


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: the map, if it has the right form, the lines of its parts, and the mistakes of form."""

    file: str
    topology: Topology | None
    lines: Mapping[Path_, int]
    problems: tuple[Problem, ...]

    def line(self, *path: str | int) -> int:
        """Line of a part of the file, or of the nearest part around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str, file: str = "topology.yaml") -> Source:
    """Read the text of a map; never raises for what is written in it."""
    try:
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "not YAML"
        line = mark.line + 1 if mark else 1
        problem = Problem(file, line, f"not valid YAML: {reason}", "mend the indentation or quotes")
        return Source(file, None, {}, (problem,))
    if not isinstance(node, yaml.MappingNode):
        return Source(file, None, {}, (Problem(file, 1, "no map in here", "declare `topics` and `processors`"),))
    lines: dict[Path_, int] = {}
    problems = list(_walk(node, (), lines, file))
    try:
        return Source(file, TypeAdapter(Topology).validate_python(yaml.safe_load(text)), lines, tuple(problems))
    except ValidationError as error:
        source = Source(file, None, lines, ())
        problems += [_problem_of_form(source, detail) for detail in error.errors()]
        return Source(file, None, lines, tuple(problems))


def _walk(node: yaml.Node, path: Path_, lines: dict[Path_, int], file: str) -> Iterator[Problem]:
    """Note the line of every part; yield names that are declared twice (YAML would keep the last in silence)."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            line = key.start_mark.line + 1
            if inner in lines:
                message = f"{key.value} is declared twice, first in line {lines[inner]}"
                yield Problem(file, line, message, "keep one of them")
            lines[inner] = line
            yield from _walk(value, inner, lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*path, index] = value.start_mark.line + 1
            yield from _walk(value, (*path, index), lines, file)


def _problem_of_form(source: Source, detail: Any) -> Problem:
    path: Path_ = detail["loc"]
    where = ".".join(str(part) for part in path[:-1]) or "the file"
    line = source.line(*path)
    if detail["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        kind = {1: Topology, 3: Topic if path[0] == "topics" else Processor}.get(len(path), Topology)
        known = ["from" if name == "from_" else name for name in kind.__dataclass_fields__]
        return Problem(source.file, line, f"{where} has no {path[-1]!r}", nearest(str(path[-1]), known))
    if detail["type"] == "missing":
        return Problem(source.file, line, f"{where} lacks {path[-1]!r}", "add it")
    message = str(detail["msg"]).removeprefix("Value error, ")
    return Problem(source.file, line, f"{'.'.join(str(p) for p in path)}: {message}", f"found {detail['input']!r}")


def nearest(name: str, known: list[str]) -> str:
    """A hint that names what was probably meant."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known)) or 'none'}"


def load(path: Path = FILE) -> Topology:
    """The map of a file. UserError names the first mistake of form and its line."""
    try:
        source = parse(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give the path of a topology.yaml", 2) from None
    if source.topology is None or source.problems:
        raise UserError(f"{source.problems[0]} (`tingjian topology check` lists everything)")
    return source.topology


@cache
def the_topology() -> Topology:
    """The map that this package was installed with."""
    return load()
