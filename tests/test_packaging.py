"""What is imported is declared, what is declared is locked, and the lock names no machine and no address."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(extra: str = "") -> set[str]:
    entries = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return {canonical(re.match(r"[\w.-]+", entry)[0]) for entry in entries}


def imported(folder: Path) -> dict[str, Path]:
    """Top-level names of all imports, each with a file that has it."""
    found: dict[str, Path] = {}
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            found.update((name.partition(".")[0], path) for name in names)
    return found


def test_every_package_that_the_code_imports_is_declared() -> None:
    homes = importlib.metadata.packages_distributions()
    undeclared = {
        f"{name} ({path.relative_to(ROOT)})"
        for name, path in imported(ROOT / "processors").items()
        if name not in sys.stdlib_module_names
        and name != "processors"
        and not {canonical(home) for home in homes.get(name, [name])} & (declared() | declared("train"))
    }

    assert undeclared == set()


def test_every_declared_package_is_locked() -> None:
    locked = {canonical(name) for name in re.findall(r"^([\w.-]+)==", LOCK, re.MULTILINE)}

    assert (declared() | declared("train") | declared("dev")) - locked == set()


def test_every_locked_package_has_a_hash() -> None:
    bare = [entry for entry in re.split(r"\n(?=\S)", LOCK.strip()) if "--hash=sha256:" not in entry]

    assert bare == []


def test_the_lock_names_no_address_and_no_path() -> None:
    assert "://" not in LOCK
    assert "#" not in LOCK
    assert not re.search(r"(^|\s)/\w", LOCK)


def test_the_installed_packages_are_the_locked_ones() -> None:
    """Another version than the locked one in this environment would make every other test a guess."""
    wrong = []
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.MULTILINE):
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform
        if found != version:
            wrong.append(f"{name} {found} instead of {version}")

    assert wrong == []
