"""The jars of the embedded broker: fetched once into a cache of all homes, trusted by checksum only.

`kafka.lock.toml` (jgo's format) names every artifact with its SHA-256; what is missing in the cache is fetched, all
else works offline. `python -m processors.runtime.jars` resolves the lock file anew, for a change of the Kafka version.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.env import EnvironmentBuilder, LinkStrategy, LockedDependency, LockFile
from jgo.maven import MavenContext, PythonResolver
from requests import RequestException

from processors.runtime.errors import UserError
from processors.runtime.settings import Settings

LOCK = Path(__file__).with_name("kafka.lock.toml")
ENDPOINT = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"
FETCHES_AT_ONCE = 8
FETCH_TIMEOUT_S = 30
OWN_BROKER = "or set TINGJIAN_KAFKA to a broker of your own"


def fetch_jars(settings: Settings, progress: Callable[[str], None] = lambda text: None) -> list[Path]:
    """Class path of the broker. Fetches what the cache lacks; UserError says why that failed and what to do."""
    cache = settings.cache_folder / "maven"
    lock = LockFile.load(LOCK)
    wanted = {cache / _relative(dependency): dependency for dependency in lock.dependencies}
    missing = [path for path in wanted if not path.exists()]
    if missing:
        progress(f"fetching {len(missing)} Kafka jars (about 46 MB in all) into {cache}")
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as folder:
                _fetch([wanted[path] for path in missing], Path(folder), cache, settings.maven)
        except OSError as error:
            if isinstance(error, RequestException) or error.errno is None:
                raise _fetch_failed(error) from error
            reason = "the disk is full" if error.errno == errno.ENOSPC else str(error.strerror)
            raise UserError(
                f"can not store Kafka's jars in {cache}: {reason}; "
                f"free 100 MB there, set TINGJIAN_CACHE to another folder, {OWN_BROKER}"
            ) from error
        except RuntimeError as error:  # jgo: no repository has the artifact
            raise _fetch_failed(error) from error
    return list(wanted)


def missing_jars(settings: Settings) -> list[str]:
    """Names of the jars that the cache lacks; none means that the broker starts offline."""
    cache = settings.cache_folder / "maven"
    paths = [cache / _relative(dependency) for dependency in LockFile.load(LOCK).dependencies]
    return [path.name for path in paths if not path.exists()]


def _fetch_failed(error: Exception) -> UserError:
    reason = str(error).partition("\n")[0][:200]
    return UserError(
        f"can not fetch Kafka's jars: {reason}; check the network (the standard proxy variables are honoured), "
        f"set TINGJIAN_MAVEN to a Maven mirror, {OWN_BROKER}"
    )


def _relative(dependency: LockedDependency) -> Path:
    name, version = dependency.artifactId, dependency.version
    return Path(dependency.groupId.replace(".", "/")) / name / version / f"{name}-{version}.jar"


def _fetch(dependencies: list[LockedDependency], folder: Path, cache: Path, repository: str) -> None:
    """Fetch into `folder`, verify, then move into the cache: a file in the cache is whole and right."""
    remote = {"mirror": repository.rstrip("/")} if repository else None
    context = MavenContext(
        resolver=PythonResolver(), repo_cache=folder, local_repos=[], remote_repos=remote, timeout=FETCH_TIMEOUT_S
    )

    def fetch(one: LockedDependency) -> None:
        context.project(one.groupId, one.artifactId).at_version(one.version).artifact().resolve()

    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        list(pool.map(fetch, dependencies))
    lock = LockFile.load(LOCK)
    lock.dependencies = dependencies
    wrong = lock.verify_checksums(folder)
    if wrong:
        raise UserError(
            f"Kafka's jars are not the pinned ones: {wrong[0]}; somebody changed them on the way, "
            f"set TINGJIAN_MAVEN to a repository you trust, {OWN_BROKER}"
        )
    for dependency in dependencies:
        target = cache / _relative(dependency)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / _relative(dependency), target)


def relock() -> None:
    """Resolve the endpoint and write the lock file."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(resolver=PythonResolver(), repo_cache=Path(folder) / "repository")
        builder = EnvironmentBuilder(
            context=context, cache_dir=Path(folder) / "environments", link_strategy=LinkStrategy.AUTO
        )
        environment = builder.from_endpoint(ENDPOINT)
        shutil.copy(environment.path / "jgo.lock.toml", LOCK)


if __name__ == "__main__":
    relock()
