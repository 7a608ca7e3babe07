"""Applies `schemas/clickhouse/NNNN_*.sql` to a server, a cluster or embedded chDB, each file once.

The files are templates: `{database}`, `{on_cluster}`, `{replicated}` and `{local}` are filled in by `render`. On a
cluster the stored tables are called `x_local`, and a distributed table `x` before each of them is made here. Every
statement may be repeated, so that two processes that migrate at once do no harm. A file that was applied and then
changed is refused: a change is a new file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processors.runtime.errors import UserError
from processors.sink.store import Store, Target, quoted

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "clickhouse"
TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS \{database\}\.(\w+)\{local\}")
APPLIED = """
CREATE TABLE IF NOT EXISTS {database}.migrations {on_cluster}
(number UInt32, name String, digest String, applied_at DateTime('UTC'))
ENGINE = {replicated}ReplacingMergeTree(applied_at)
ORDER BY number
"""


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One file."""

    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, 16 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def load_migrations(folder: Path = FOLDER) -> list[Migration]:
    """All files in order. UserError when a number is missing or taken twice."""
    found = sorted(
        Migration(int(path.name[:4]), path.stem, path.read_text(encoding="utf-8"))
        for path in folder.glob("[0-9][0-9][0-9][0-9]_*.sql")
    )
    numbers = [migration.number for migration in found]
    if numbers != list(range(1, len(found) + 1)):
        raise UserError(f"{folder}: the numbers of the migrations must be 0001, 0002, ... but are {numbers}")
    return found


def render(text: str, target: Target) -> Iterator[str]:
    """The statements of a file for this target, distributed tables of a cluster included."""
    words = {
        "{database}": quoted(target.database),
        "{cluster}": quoted(target.cluster) if target.cluster else "",
        "{on_cluster}": f"ON CLUSTER {quoted(target.cluster)}" if target.cluster else "",
        "{replicated}": "Replicated" if target.cluster else "",
        "{local}": "_local" if target.cluster else "",
    }
    for statement in statements(text):
        yield _fill(statement, words)
        table = TABLE.search(statement)
        if table and target.cluster:
            yield _fill(_distributed(table[1], statement), words)


def statements(text: str) -> Iterator[str]:
    """Statements of a file: they end with a semicolon at the end of a line; comment lines are dropped."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    for statement in re.split(r";[ \t]*(?:\n|$)", code):
        if statement.strip():
            yield statement.strip()


def pending(store: Store, migrations: list[Migration]) -> list[Migration]:
    """Files that are not applied yet. UserError when an applied one was changed since."""
    if not store.rows("EXISTS TABLE migrations")[0]["result"]:
        return migrations
    applied = {row["number"]: row["digest"] for row in store.rows("SELECT number, digest FROM migrations FINAL")}
    changed = [m.name for m in migrations if applied.get(m.number, m.digest) != m.digest]
    if changed:
        raise UserError(
            f"migration {changed[0]} was applied to database {store.target.database} in another form; "
            "take the change back and write a new migration"
        )
    return [migration for migration in migrations if migration.number not in applied]


def migrate(store: Store, migrations: list[Migration]) -> list[Migration]:
    """Apply what is missing; returns it. Unavailable when the server is down."""
    missing = pending(store, migrations)
    if not missing:
        return []
    for statement in render(APPLIED, store.target):
        store.command(statement)
    for migration in missing:
        for statement in render(migration.text, store.target):
            store.command(statement)
        store.command(
            f"INSERT INTO migrations SELECT {migration.number}, '{migration.name}', '{migration.digest}', now()"
        )
    return missing


def _fill(statement: str, words: dict[str, str]) -> str:
    for marker, word in words.items():
        statement = statement.replace(marker, word)
    return statement


def _distributed(table: str, statement: str) -> str:
    # One call lives on one shard, so that FINAL and joins by call are right on each of them.
    by_call = re.search(r"^\s+call_id String", statement, re.MULTILINE)
    spread = "cityHash64(call_id)" if by_call else "rand()"
    return (
        f"CREATE TABLE IF NOT EXISTS {{database}}.{table} {{on_cluster}} AS {{database}}.{table}{{local}} "
        f"ENGINE = Distributed({{cluster}}, {{database}}, {table}{{local}}, {spread})"
    )
