"""Read-only SQL over the embedded engine: `POST /query` with SQL as body, one JSON object a line as answer.

Parameters come as ClickHouse's own HTTP interface takes them: `?param_name=value` for `{name:Type}` in the SQL.
Loopback only, for the other processes of the stack; a server has its own interface. The engine refuses every change,
table functions that reach out, and long or large queries; `refuse` refuses the two ways around that.
"""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from processors.runtime.errors import BadRecord, Unavailable, UserError
from processors.sink.store import Store

HOST = "127.0.0.1"
MOST_BYTES = 262_144
"""Of a query."""
MOST_WAITING = 16
"""Queries at a time; they run one after the other."""
REQUEST_TIMEOUT_S = 10.0

_QUIET = re.compile(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*|/\*.*?\*/|\$\w*\$.*?\$\w*\$", re.DOTALL)
_FILES = re.compile(r"\boutfile\b|\bfile\W*\(|\bcatboostEvaluate\W*\(", re.IGNORECASE)


def refuse(sql: str) -> str:
    """Why a query is not run, or nothing. Files of this machine are no business of a query."""
    if _FILES.search(_QUIET.sub(" ", sql)):
        return "queries can not touch files"
    return ""


def serve_queries(store: Store, port: int) -> int:
    """Answer until the process ends; return the port (0 asks for a free one). UserError when the port is taken."""
    turn = threading.Lock()
    waiting = threading.BoundedSemaphore(MOST_WAITING)

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            url = urlsplit(self.path)
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MOST_BYTES:
                self.close_connection = True
                return self._answer(413, f"a query has 1 to {MOST_BYTES} bytes\n".encode())
            sql = self.rfile.read(int(length)).decode("utf-8", "replace").strip().rstrip(";")
            host = self.headers.get("Host", "").rpartition(":")[0]
            if url.path != "/query" or host not in (HOST, "localhost"):  # a web page can not fake the host
                return self._answer(404, b"try POST /query\n")
            reason = refuse(sql)
            if reason:
                return self._answer(403, reason.encode() + b"\n")
            pairs = parse_qsl(url.query, keep_blank_values=True)
            parameters = {name[6:]: value for name, value in pairs if name.startswith("param_")}
            if not waiting.acquire(blocking=False):
                return self._answer(503, b"too many queries\n")
            try:
                with turn:
                    answer = 200, store.json_lines(sql, parameters)
            except (BadRecord, Unavailable) as error:
                answer = 400, f"{error}\n".encode()
            finally:
                waiting.release()
            return self._answer(*answer)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-ndjson" if status == 200 else "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: queries may name people."""

    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise UserError(
            f"can not answer queries on {HOST}:{port}: {error.strerror}; set TINGJIAN_QUERY_PORT to a free port"
        ) from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="queries", daemon=True).start()
    return server.server_port
