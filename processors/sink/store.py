"""The ClickHouse engine behind one small interface: a server through its DSN, or chDB in this process.

Both speak through clickhouse-connect. chDB keeps one data directory per process, so only `sink` may open the embedded
one (see `queries` for everybody else). Errors become Unavailable (try again later) or BadRecord (these rows will never
go in); what a request is about stays out of the messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, OperationalError

from processors.runtime.errors import BadRecord, Unavailable, UserError
from processors.runtime.settings import Settings

DATABASE = "tingjian"
CONNECT_TIMEOUT_S = 5
REQUEST_TIMEOUT_S = 60
WRONG_DATA = {6, 27, 33, 38, 53, 69, 70, 72, 131, 321, 349}
"""Error codes of the engine that say that a value does not fit its column."""
INSERT_SETTINGS = {
    "throw_on_max_partitions_per_insert_block": 0,  # a batch of old recordings may touch many months
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "input_format_parallel_parsing": 0,
}
QUERY_SETTINGS = {
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "max_execution_time": 30,
    "max_result_bytes": 268_435_456,
    "max_memory_usage": 2_000_000_000,
}
"""JSON as `queries` promises it, and limits."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the tables are; an empty cluster means one server."""

    database: str
    cluster: str = ""


def quoted(name: str) -> str:
    """An identifier in backticks. UserError for a name that is none."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise UserError(f"{name!r} can not be the name of a ClickHouse database or cluster; use letters, digits and _")
    return f"`{name}`"


class Store:
    """One connection; for one thread at a time."""

    def __init__(self, client: Client, target: Target) -> None:
        self._client = client
        self.target = target
        self._types: dict[str, Any] = {}

    def command(self, statement: str) -> None:
        """Run a statement that returns nothing."""
        try:
            self._client.command(statement)
        except ClickHouseError as error:
            raise _translated(error) from error

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a query; parameters stand in the SQL as `{name:Type}`."""
        try:
            return list(self._client.query(sql, parameters=dict(parameters or {})).named_results())
        except ClickHouseError as error:
            raise _translated(error) from error

    def json_lines(self, sql: str, parameters: Mapping[str, Any]) -> bytes:
        """Rows of a query as one JSON object a line; parameters stand in the SQL as `{name:Type}`.

        BadRecord when the engine refuses the query.
        """
        try:
            raw: bytes = self._client.raw_query(sql, dict(parameters), fmt="JSONEachRow")
        except OperationalError as error:
            raise _translated(error) from error
        except ClickHouseError as error:
            raise BadRecord(_brief(error)) from error
        return raw

    def insert(self, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]], token: str) -> None:
        """Insert columns. A repeat with the same token and content is dropped by the engine.

        BadRecord when a value does not fit its column: nothing of this call is stored then.
        """
        try:
            if table not in self._types:
                context = self._client.create_insert_context(table, list(names))
                self._types[table] = context.column_types
            self._client.insert(
                table,
                columns,
                column_names=list(names),
                column_types=self._types[table],
                column_oriented=True,
                settings={**INSERT_SETTINGS, "insert_deduplication_token": token},
            )
        except DataError as error:
            raise BadRecord(f"table {table} does not take the row: {error}") from error
        except (ValueError, TypeError, OverflowError) as error:  # from the packing of columns, before anything is sent
            raise BadRecord(f"table {table} does not take the row: {type(error).__name__}: {error}") from error
        except ClickHouseError as error:
            raise _translated(error) from error

    def close(self) -> None:
        """Give the connection back; chDB writes nothing after it."""
        self._client.close()


def embedded_folder(settings: Settings) -> Path:
    """Data directory of the embedded engine."""
    return settings.home / "clickhouse"


def open_server(settings: Settings) -> Store:
    """Connect to the server of TINGJIAN_CLICKHOUSE; its database is made when missing. Unavailable when it is down."""
    target = Target(settings.clickhouse_database, settings.clickhouse_cluster)
    where = f" ON CLUSTER {quoted(target.cluster)}" if target.cluster else ""
    options: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "send_receive_timeout": REQUEST_TIMEOUT_S}
    try:
        with clickhouse_connect.get_client(dsn=settings.clickhouse, database="default", **options) as first:
            if not first.command(f"EXISTS DATABASE {quoted(target.database)}"):
                first.command(f"CREATE DATABASE IF NOT EXISTS {quoted(target.database)}{where}")
        client = clickhouse_connect.get_client(
            dsn=settings.clickhouse,
            database=target.database,
            autogenerate_session_id=False,
            settings=QUERY_SETTINGS,
            **options,
        )
    except ClickHouseError as error:
        raise _translated(error) from error
    return Store(client, target)


def open_embedded(folder: Path, read_only: bool = False) -> Store:
    """Open chDB on a folder; any number of times in one process, in one process at a time.

    A read-only connection can change nothing and read no other source. UserError when another process has the folder.
    """
    target = Target(DATABASE)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with clickhouse_connect.get_client(interface="chdb", path=str(folder)) as first:
            first.command(f"CREATE DATABASE IF NOT EXISTS {quoted(target.database)}")
            client = clickhouse_connect.get_client(interface="chdb", path=str(folder), database=target.database)
        for name, value in QUERY_SETTINGS.items():
            client.command(f"SET {name} = '{value}'")
        if read_only:
            client.command("SET readonly = 1")
    except ClickHouseError as error:
        raise UserError(
            f"can not open the embedded ClickHouse data in {folder}: {_brief(error)}; "
            "if another Tingjian uses this home, stop it or set TINGJIAN_HOME"
        ) from error
    return Store(client, target)


def _translated(error: ClickHouseError) -> Exception:
    code = getattr(error, "code", None)
    if code in WRONG_DATA:
        return BadRecord(_brief(error))
    return Unavailable(f"ClickHouse: {_brief(error)}")


def _brief(error: ClickHouseError) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
