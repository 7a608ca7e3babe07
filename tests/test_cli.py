"""The command line as a program: quick, clear, and with the exit codes of the contract."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "nemo", "faust", "numpy", "confluent_kafka", "chdb", "pydantic", "fastavro")


def tingjian(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    values = {name: value for name, value in os.environ.items() if not name.startswith("TINGJIAN_")}
    values |= {"TINGJIAN_HOME": str(home), "COLUMNS": "200", **environment}
    return subprocess.run(
        [sys.executable, "-m", "processors.cli", *arguments], env=values, capture_output=True, text=True, timeout=120
    )


def test_help_lists_the_commands_of_the_contract(tmp_path: Path) -> None:
    done = tingjian("--help", home=tmp_path)

    assert done.returncode == 0
    for name in (
        "doctor", "demo", "up", "run", "inspect", "calls", "violations", "rules", "topology", "migrate", "dlq", "play",
        "model",
    ):  # fmt: skip
        assert f" {name} " in done.stdout


def test_the_command_line_imports_nothing_heavy() -> None:
    code = f"import sys, processors.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("inspect", "does-not-exist"), "does-not-exist does not exist"),
        (("run", "nosuch"), "no processor 'nosuch'"),
        (("violations", "--since", "yesterday"), "--since yesterday"),
        (("inspect",), "Missing argument"),
        (("inspect", ".", "--speed", "fast"), "--speed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_usage_is_said_on_stderr_with_exit_code_2_and_no_traceback(
    arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    done = tingjian(*arguments, home=tmp_path / "home")

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    done = tingjian("calls", home=tmp_path, TINGJIAN_LOG_LEVEL="loud")

    assert done.returncode == 2
    assert done.stderr.startswith("tingjian: TINGJIAN_LOG_LEVEL: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_asking_for_calls_before_any_were_inspected_says_what_to_do(tmp_path: Path) -> None:
    done = tingjian("calls", home=tmp_path / "home")

    assert done.returncode == 1
    assert "tingjian inspect" in done.stderr


def test_files_that_are_no_audio_are_skipped_without_starting_anything(tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "text.wav").write_text("this is no audio at all", encoding="utf-8")
    (folder / "empty.wav").write_bytes(b"")
    done = tingjian("inspect", str(folder), "--json", str(tmp_path / "out.json"), home=tmp_path / "home")

    assert done.returncode == 3
    assert "text.wav" in done.stdout and "empty.wav" in done.stdout
    assert '"calls": []' in (tmp_path / "out.json").read_text(encoding="utf-8")
    assert not (tmp_path / "home").exists()
