"""`/livez`, `/readyz` and `/metrics` of a processor, served by a thread of its own.

Liveness asks this process only, never a neighbour: a broker that is down must not restart every processor.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from processors.runtime.errors import UserError

Probe = Callable[[], tuple[bool, str]]
"""Answers whether all is well, and in a few words why (not)."""

REQUEST_TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 2.0


def serve_health(port: int, ready: Probe, alive: Probe = lambda: (True, "running"), host: str = "127.0.0.1") -> int:
    """Serve until the process ends; return the port (0 asks for a free one). UserError when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            elif path in ("/livez", "/healthz"):
                self._probe(alive)
            elif path == "/readyz":
                self._probe(ready)
            else:
                self._answer(404, "text/plain", b"try /livez, /readyz or /metrics\n")

        def _probe(self, probe: Probe) -> None:
            good, why = probe()
            body = json.dumps({"ok": good, "why": why}, ensure_ascii=False).encode()
            self._answer(200 if good else 503, "application/json", body + b"\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: probes come every few seconds."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise UserError(
            f"can not serve health and metrics on {host}:{port}: {error.strerror}; "
            "set TINGJIAN_METRICS_PORT to a free port"
        ) from None
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server.server_port


def is_ready(base_url: str) -> bool:
    """Whether the processor behind this address says that it is ready."""
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
