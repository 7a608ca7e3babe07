"""A processor that does nothing but be ready: a child for tests of the supervisor. `pretend.py NAME [fail]`"""

from __future__ import annotations

import signal
import sys
import threading

from processors.runtime.children import die_with_parent
from processors.runtime.health import serve_health
from processors.runtime.settings import load_settings

stopping = threading.Event()
settings = load_settings()
die_with_parent(settings.supervisor_pid)
print(f"{sys.argv[1]} as {settings.instance_id}", flush=True)
if "fail" in sys.argv[2:]:
    sys.exit("it can not work")
signal.signal(signal.SIGTERM, lambda *_: stopping.set())
serve_health(settings.metrics_port, lambda: (True, "pretending"))
while not stopping.wait(0.1):
    pass
print("left in order", flush=True)
