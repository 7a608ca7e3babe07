from pathlib import Path

import pytest

from processors.commands.rule_folder import read_rules
from processors.runtime.errors import UserError

RULE = """
id: promise
name: 承诺
severity: high
points: -15
when: {said: {any: [保证下款]}}
examples:
  - {says: ["agent 1.0 我们保证下款"], hit: true}
"""


def test_a_folder_is_read_with_its_sub_folders_and_named_after_its_content(tmp_path: Path) -> None:
    (tmp_path / "sales").mkdir()
    (tmp_path / "sales" / "a.yaml").write_text(RULE, encoding="utf-8")
    (tmp_path / "b.yml").write_text(RULE.replace("promise", "other"), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no rule", encoding="utf-8")
    found = read_rules(tmp_path)

    assert sorted(found.files) == ["b.yml", "sales/a.yaml"]
    assert found.name == f"dir-{found.version}" and len(found.version) == 12


def test_the_same_rules_have_the_same_name_and_others_another(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(RULE, encoding="utf-8")
    first = read_rules(tmp_path).name
    path.write_text(RULE.replace("-15", "-10"), encoding="utf-8")

    assert read_rules(tmp_path).name != first


def test_one_file_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(RULE, encoding="utf-8")

    assert list(read_rules(path).files) == ["a.yaml"]


def test_mistakes_are_listed_with_their_place_and_are_bad_usage(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE.replace("said", "sayed"), encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.yaml:6:\d+: ") as caught:
        read_rules(tmp_path)

    assert caught.value.exit_code == 2


def test_a_rule_without_examples_is_only_a_warning(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE.partition("examples")[0], encoding="utf-8")

    assert len(read_rules(tmp_path).warnings) == 1


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_rules_is_bad_usage(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no rule set at|no \.yaml files") as caught:
        read_rules(tmp_path / name)

    assert caught.value.exit_code == 2
