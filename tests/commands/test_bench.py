"""`tingjian bench`."""

from pathlib import Path

import pytest

from processors.commands.bench import ROOT, bench, questions
from processors.runtime.errors import UserError


def test_every_benchmark_is_a_question_in_one_sentence() -> None:
    found = questions(ROOT / "benchmarks")

    assert "live_calls" in found
    assert all(question.endswith((".", "?")) for question in found.values()), found


def test_files_that_can_not_be_run_are_no_benchmarks(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text('"""Only imported."""\n', encoding="utf-8")

    assert questions(tmp_path) == {}


def test_an_unknown_benchmark_is_refused_with_the_known_names() -> None:
    with pytest.raises(UserError, match="live_calls"):
        bench("no-such", [])
