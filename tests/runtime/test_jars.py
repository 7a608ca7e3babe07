"""The broker's jars: fetched from a repository, trusted by checksum, clear words when that fails."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from jgo.env import LockFile

from processors.runtime import jars
from processors.runtime.errors import UserError
from processors.runtime.jars import fetch_jars, missing_jars
from processors.runtime.settings import Settings, load_settings

GOOD = {"one": b"the first jar", "two": b"the second jar"}


@pytest.fixture
def served() -> dict[str, bytes]:
    """What the repository answers, by artifact name; anything else is not found."""
    return dict(GOOD)


@pytest.fixture
def repository(served: dict[str, bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = served.get(self.path.split("/")[-3]) if self.path.endswith(".jar") else None
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/maven"
    server.shutdown()


@pytest.fixture
def settings(tmp_path: Path, repository: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    lock = '[environment]\nlink_strategy = "AUTO"\n'
    for name, body in GOOD.items():
        lock += f'\n[[dependencies]]\ngroupId = "org.example"\nartifactId = "{name}"\nversion = "1.0"\n'
        lock += f'packaging = "jar"\nsha256 = "{hashlib.sha256(body).hexdigest()}"\n'
    path = tmp_path / "lock.toml"
    path.write_text(lock, encoding="utf-8")
    monkeypatch.setattr(jars, "LOCK", path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return load_settings(cache=tmp_path / "cache", maven=repository)


def test_missing_jars_are_fetched_once_and_found_offline(settings: Settings, served: dict[str, bytes]) -> None:
    assert missing_jars(settings) == ["one-1.0.jar", "two-1.0.jar"]
    paths = fetch_jars(settings)
    assert [path.read_bytes() for path in paths] == list(GOOD.values())
    served.clear()
    assert fetch_jars(settings) == paths
    assert missing_jars(settings) == []


def test_only_the_missing_jar_is_fetched(settings: Settings, served: dict[str, bytes]) -> None:
    paths = fetch_jars(settings)
    paths[1].unlink()
    del served["one"]
    assert fetch_jars(settings) == paths


def test_changed_jar_is_refused_and_not_kept(settings: Settings, served: dict[str, bytes]) -> None:
    served["two"] = b"something else"
    with pytest.raises(UserError, match=r"not the pinned ones: .*two.*TINGJIAN_KAFKA"):
        fetch_jars(settings)
    assert "two-1.0.jar" in missing_jars(settings)


def test_repository_without_the_jar_is_one_clear_line(settings: Settings, served: dict[str, bytes]) -> None:
    served.clear()
    with pytest.raises(UserError, match=r"can not fetch Kafka's jars.*TINGJIAN_MAVEN.*TINGJIAN_KAFKA") as caught:
        fetch_jars(settings)
    assert "\n" not in str(caught.value)


def test_no_network_is_one_clear_line(settings: Settings) -> None:
    alone = settings.model_copy(update={"maven": "http://127.0.0.1:9/maven"})
    with pytest.raises(UserError, match=r"can not fetch Kafka's jars.*TINGJIAN_KAFKA") as caught:
        fetch_jars(alone)
    assert "\n" not in str(caught.value)


def test_cache_that_can_not_be_written_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blocked = settings.model_copy(update={"cache": tmp_path / "file" / "cache"})
    with pytest.raises(UserError, match=r"can not store Kafka's jars in .*TINGJIAN_CACHE"):
        fetch_jars(blocked)


def test_lock_file_has_a_checksum_for_every_jar() -> None:
    lock = LockFile.load(Path(jars.__file__).with_name("kafka.lock.toml"))
    assert len(lock.dependencies) > 40
    assert all(len(dependency.sha256 or "") == 64 for dependency in lock.dependencies)
    assert any((d.artifactId, d.version) == ("kafka_2.13", "4.3.1") for d in lock.dependencies)
