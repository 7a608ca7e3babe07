"""SQL over the embedded engine: answers, and what it refuses."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.sink.door import MOST_BYTES, refuse, serve_queries
from processors.sink.store import open_embedded

READS_FILES = [
    "SELECT file('/etc/passwd')",
    "SELECT FILE ( '/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT file/* */('/etc/passwd')",
    "SELECT 1 INTO OUTFILE '/tmp/x'",
    "SELECT 1 INTO--\nOUTFILE '/tmp/x'",
]
REFUSED_BY_ENGINE = [
    "SELECT * FROM file('/etc/passwd', LineAsString)",
    "SELECT * FROM url('http://127.0.0.1:1/', LineAsString)",
    "SELECT * FROM executable('id', TSV, 'a String')",
    "CREATE TABLE x (a Int8) ENGINE = Memory",
    "DROP DATABASE tingjian",
    "INSERT INTO violations (call_id) VALUES ('x')",
    "SET readonly = 0",
    "SELECT nonsense",
    "this is no SQL",
]


@pytest.fixture(scope="module")
def port(engine: Path) -> Iterator[int]:
    store = open_embedded(engine, read_only=True)
    yield serve_queries(store, 0)
    store.close()


def ask(port: int, sql: str, path: str = "/query", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", path, sql.encode(), headers)
    response = connection.getresponse()
    return response.status, response.read()


def test_rows_come_as_json_lines(port: int) -> None:
    status, body = ask(port, "SELECT number AS n, toUInt64(9007199254740993) AS big FROM numbers(2)")
    assert status == 200
    assert [json.loads(line) for line in body.splitlines()] == [
        {"n": 0, "big": 9007199254740993},
        {"n": 1, "big": 9007199254740993},
    ]


def test_parameters_are_bound_by_the_engine(port: int) -> None:
    status, body = ask(port, "SELECT {call:String} AS call", "/query?param_call=it%27s")
    assert (status, json.loads(body)) == (200, {"call": "it's"})


@pytest.mark.parametrize("sql", READS_FILES)
def test_a_query_can_not_touch_files(port: int, sql: str) -> None:
    status, body = ask(port, sql)
    assert status == 403
    assert b"root" not in body


@pytest.mark.parametrize("sql", REFUSED_BY_ENGINE)
def test_the_engine_refuses_changes_and_other_sources(port: int, sql: str) -> None:
    status, body = ask(port, sql)
    assert status in (400, 403)
    assert b"root:" not in body


def test_words_about_files_in_a_text_are_no_files() -> None:
    assert refuse("SELECT 'file(x) into outfile'") == ""
    assert refuse("SELECT profile FROM files -- outfile") == ""


def test_after_a_refusal_the_next_query_works(port: int) -> None:
    ask(port, "SELECT nonsense")
    assert ask(port, "SELECT 1 AS x") == (200, b'{"x":1}\n')


def test_a_web_page_of_another_host_and_other_paths_get_nothing(port: int) -> None:
    assert ask(port, "SELECT 1", Host="evil.example")[0] == 404
    assert ask(port, "SELECT 1", "/")[0] == 404


def test_a_query_has_a_bound(port: int) -> None:
    assert ask(port, " " * (MOST_BYTES + 1))[0] == 413
