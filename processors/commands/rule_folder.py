"""A folder of rules for one run of `inspect`: read, checked, and published under a name of its own.

Rules without examples are fine here (a warning); `tingjian rules publish`, which changes what all calls are judged by,
is stricter.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from processors.inspect.language import parse
from processors.inspect.reader import Problem
from processors.records import RuleSet
from processors.runtime import wire
from processors.runtime.errors import Unavailable, UserError
from processors.runtime.kafka import make_producer
from processors.runtime.settings import Settings

TOPIC = "rulebook"
SUFFIXES = frozenset({".yaml", ".yml"})
MAX_FILE_BYTES = 4 << 20
FLUSH_S = 30.0


@dataclass(frozen=True, slots=True)
class RuleFolder:
    """Rules that can be judged by, and what is doubtful about them."""

    files: dict[str, str]
    version: str
    warnings: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """Name of the rule set: the same content is the same rule set."""
        return f"dir-{self.version}"


def read_rules(folder: Path) -> RuleFolder:
    """Read and check a folder (or one file) of rules. UserError lists every mistake with its place."""
    files = _files(folder)
    parsed = parse(files)
    if parsed.errors:
        listed = "\n".join(map(str, parsed.errors))
        raise UserError(f"{listed}\n{len(parsed.errors)} mistakes in the rules of {folder}; mend them", 2)
    texts = {name: content.decode("utf-8") for name, content in files.items()}
    return RuleFolder(texts, parsed.version, tuple(problem for problem in parsed.problems if problem.warning))


def publish(settings: Settings, rules: RuleFolder) -> str:
    """Put the rules on the topic of rule sets; returns their name. Unavailable when Kafka does not take them."""
    record = RuleSet(
        name=rules.name,
        version=rules.version,
        at_ms=time.time_ns() // 1_000_000,
        files=rules.files,
        author="tingjian inspect",
    )
    producer = make_producer(settings)
    producer.produce(TOPIC, wire.encode(record), rules.name.encode(), headers=[*wire.headers(TOPIC, record)])
    if producer.flush(FLUSH_S):
        raise Unavailable("Kafka did not take the rules")
    return rules.name


def _files(folder: Path) -> dict[str, bytes]:
    if folder.is_file():
        paths, base = [folder], folder.parent
    else:
        paths, base = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES), folder
    if not paths:
        raise UserError(f"there are no rules (*.yaml) in {folder}", 2)
    files = {}
    for path in paths:
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise UserError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB: split it", 2)
            files[path.relative_to(base).as_posix()] = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}", 2) from None
    return files
