"""The documents say what is true: commands exist, generated parts are fresh, links lead somewhere."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from processors.cli import app
from processors.commands.docs import READMES, ROOT, parts, renewed
from processors.runtime.settings import Settings

DOCUMENTS = [*(ROOT / name for name in READMES), ROOT / "processors" / "README.md"]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+?)(?:#[\w-]+)?\)")
INLINE = re.compile(r"`(tingjian [^`]+)`")


def blocks(path: Path, language: str) -> list[str]:
    return [body for found, body in BLOCK.findall(path.read_text(encoding="utf-8")) if found == language]


def command_lines(path: Path) -> list[list[str]]:
    """Every `tingjian ...` of a document, as words."""
    text = path.read_text(encoding="utf-8")
    lines = [line for block in blocks(path, "bash") for line in block.splitlines()] + INLINE.findall(text)
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("tingjian ")]


def check_command(words: list[str]) -> None:
    """Walk down the sub-commands; every option must exist, and so must the command itself."""
    command = typer.main.get_command(app)
    words = list(words)
    while words and hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"there is no command {name!r} in {sorted(command.commands)}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    assert not unknown, f"{command.name} has no option {unknown}, only {sorted(known)}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_document_exists(path: Path) -> None:
    for words in command_lines(path):
        check_command(words)


def test_the_readmes_name_commands_at_all() -> None:
    assert all(len(command_lines(ROOT / name)) >= 10 for name in READMES)


def test_a_command_that_does_not_exist_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="no command 'inspekt'"):
        check_command(["inspekt", "FOLDER"])
    with pytest.raises(AssertionError, match="no option"):
        check_command(["inspect", "FOLDER", "--jason", "x"])


@pytest.mark.parametrize("name", READMES)
def test_generated_parts_are_fresh(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    assert "<!-- topology: generated -->" in text
    assert text == renewed(text, parts()), "run `make docs`"


def test_every_setting_is_documented() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ours = [name for name in Settings.model_fields if name != "xdg_cache_home"]

    assert [name for name in ours if f"`TINGJIAN_{name.upper()}`" not in text] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    links = [link for link in LINK.findall(path.read_text(encoding="utf-8")) if "://" not in link]

    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_both_languages_show_the_same_code() -> None:
    """What is copied and pasted must not differ; comments are translated."""

    def code(name: str, language: str) -> list[str]:
        return [re.sub(r"\s*#.*", "", block) for block in blocks(ROOT / name, language)]

    for language in ("python", "yaml", "bash"):
        assert code("README.md", language) == code("README.zh.md", language)


def test_the_rule_of_the_readme_is_valid_yaml_with_examples() -> None:
    rule = yaml.safe_load(blocks(ROOT / "README.md", "yaml")[0])

    assert rule["examples"][0]["hit"] is True


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in DOCUMENTS:
        for target in re.findall(r"make ([a-z]+)(?=\W)", path.read_text(encoding="utf-8")):
            if f"`make {target}" in path.read_text(encoding="utf-8") or f"\nmake {target}" in path.read_text("utf-8"):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"there is no target {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_map_names_files_that_exist(path: Path) -> None:
    """Paths in backquotes with a slash, without placeholders."""
    named = re.findall(r"`([\w./-]+/[\w./-]*)`", path.read_text(encoding="utf-8"))
    bases = (ROOT, ROOT / "processors")
    missing = [
        name for name in named
        if not name.startswith("/") and not any((base / name).exists() for base in bases)
    ]  # fmt: skip

    assert missing == []
