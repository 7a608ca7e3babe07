"""`tingjian bench`: list what `benchmarks/` measures, or run one. They live in the checkout, not in the wheel."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from processors.runtime.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def questions(folder: Path) -> dict[str, str]:
    """First line of the docstring of each benchmark that can be run, by its name."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "__main__" in source:
            found[path.stem] = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return found


def bench(name: str, arguments: Sequence[str]) -> int:
    """Run a benchmark with its own arguments and return its exit code; without a name list them all."""
    known = questions(ROOT / "benchmarks")
    if not known:
        raise UserError("the benchmarks are not part of the installed package: run this in a clone of the repository")
    if not name:
        for each, question in known.items():
            print(f"{each:16} {question}")
        return 0
    if name not in known:
        raise UserError(f"there is no benchmark {name}; there are {', '.join(known)}", 2)
    return subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], cwd=ROOT, check=False).returncode
