"""SQL over what was stored, wherever it is: a ClickHouse server, the `sink` of a running stack, or the folder of a
stack that is down.

Rows come as the engine's JSON gives them: times of day as ISO 8601 text in UTC, named tuples as objects.
`wait_until_stored` waits until everything that is on the topics now is in the tables.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from processors.runtime.errors import BadRecord, Unavailable, UserError
from processors.runtime.offsets import GroupOffsets, Place, ends
from processors.runtime.settings import Settings
from processors.runtime.stack_file import read_stack
from processors.sink.store import Store, embedded_folder, open_embedded, open_server
from processors.topology import the_topology

TIMEOUT_S = 60.0
GROUP = "tingjian-sink"
POLL_S = 0.05


def query(settings: Settings, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Rows of a query; parameters stand in the SQL as `{name:Type}`.

    UserError for SQL that the engine refuses, Unavailable when nobody answers.
    """
    given = dict(parameters or {})
    if settings.clickhouse:
        return _ask_store(open_server(settings), sql, given)
    stack = read_stack(settings.home)
    if stack is not None and stack.query:
        return _ask_sink(stack.query, sql, given)
    folder = embedded_folder(settings)
    if not folder.exists():
        raise UserError(f"nothing is stored in {settings.home} yet: inspect calls with `tingjian inspect` or `demo`")
    return _ask_store(open_embedded(folder, read_only=True), sql, given)


def wait_until_stored(settings: Settings, timeout_s: float = TIMEOUT_S) -> bool:
    """Wait until all records that are on the topics of `sink` now are inserted; false when the time is over."""
    until = time.monotonic() + timeout_s
    last = ends(settings, the_topology().processors["sink"].reads)
    with GroupOffsets(settings, GROUP) as offsets:
        while not _reached(offsets.committed(last), last):
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_S)
    return True


def _ask_store(store: Store, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        return _parsed(store.json_lines(sql, parameters))
    except BadRecord as error:
        raise UserError(f"the query failed: {error}") from error
    finally:
        store.close()


def _ask_sink(address: str, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    url = urlsplit(address)
    pairs = urlencode({f"param_{name}": value for name, value in parameters.items()})
    connection = http.client.HTTPConnection(url.hostname or "127.0.0.1", url.port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", f"/query?{pairs}", sql.encode(), {"Content-Type": "text/plain"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"the sink of this stack does not answer on {address}: {error}") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise UserError(f"the query failed: {body.decode('utf-8', 'replace').strip()}")
    return _parsed(body)


def _parsed(lines: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines() if line]


def _reached(committed: Mapping[Place, int], ends: Mapping[Place, int]) -> bool:
    return all(end == 0 or committed.get(partition, -1) >= end for partition, end in ends.items())
