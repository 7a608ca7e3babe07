"""A folder of rules for one run of `inspect`: read and checked before anything starts, published under its own name.

Rules without examples are fine here (a warning); `tingjian rules publish`, which changes what all calls are judged by,
is stricter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from processors.inspect.language import parse
from processors.inspect.publish import publish_ruleset
from processors.inspect.rule_files import read_rule_files, shown
from processors.runtime.errors import UserError
from processors.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class RuleFolder:
    """Rules that can be judged by, and what is doubtful about them."""

    files: Mapping[str, bytes]
    version: str
    warnings: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the rule set: the same content is the same rule set."""
        return f"dir-{self.version}"


def read_rules(folder: Path) -> RuleFolder:
    """Read and check a folder (or one file) of rules. UserError lists every mistake with its place."""
    files = read_rule_files(folder)
    parsed = parse(files)
    problems = [replace(problem, file=shown(folder, problem.file)) for problem in parsed.problems]
    mistakes = [str(problem) for problem in problems if not problem.warning]
    if mistakes:
        listed = "\n".join(mistakes)
        raise UserError(f"{listed}\n{len(mistakes)} mistakes in the rules of {folder}; mend them", 2)
    return RuleFolder(files, parsed.version, tuple(str(problem) for problem in problems))


def publish(settings: Settings, rules: RuleFolder) -> str:
    """Put the rules on the topic of rule sets; returns their name. Unavailable when Kafka does not take them."""
    publish_ruleset(settings, rules.files, rules.name, "tingjian inspect", strict=False)
    return rules.name
