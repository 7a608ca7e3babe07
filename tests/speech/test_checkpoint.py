"""Which file the settings name, and that nothing else than a checkpoint is opened."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from processors.runtime.errors import UserError
from processors.speech import checkpoint
from processors.speech.checkpoint import check_members, find_checkpoint, sha256


def archive(path: Path, *names: str, link: str = "") -> Path:
    with tarfile.open(path, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"ok"))
        if link:
            member = tarfile.TarInfo(link)
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return path


def test_a_file_is_found_and_a_hub_name_is_left_to_nemo(tmp_path: Path) -> None:
    model = archive(tmp_path / "m.nemo", "model_config.yaml", "model_weights.ckpt")
    assert find_checkpoint(str(model)) == model
    assert find_checkpoint(str(model), sha256(model).upper()) == model
    assert find_checkpoint("nvidia/stt_zh_conformer") is None


def test_without_a_name_the_shipped_model_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SHIPPED", archive(tmp_path / "shipped.nemo", "a"))
    assert find_checkpoint("") == tmp_path / "shipped.nemo"
    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path / "gone.nemo")
    with pytest.raises(UserError, match=r"gone\.nemo.*set TINGJIAN_ASR_MODEL"):
        find_checkpoint("")


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model file .*other\.nemo.*correct TINGJIAN_ASR_MODEL"):
        find_checkpoint(str(tmp_path / "other.nemo"))


def test_a_pinned_file_must_be_that_file(tmp_path: Path) -> None:
    model = archive(tmp_path / "m.nemo", "a")
    with pytest.raises(UserError, match="not the file that was pinned"):
        find_checkpoint(str(model), "0" * 64)
    (tmp_path / "m.nemo.sha256").write_text(f"{'1' * 64}  m.nemo\n")
    with pytest.raises(UserError, match="not the file that was pinned"):
        find_checkpoint(str(model))
    with pytest.raises(UserError, match="is a hub name"):
        find_checkpoint("nvidia/some-model", "0" * 64)


@pytest.mark.parametrize(
    ("names", "link", "message"),
    [
        (("a", "a"), "", "holds a twice"),
        (("a", "./a"), "", "holds ./a twice"),
        (("../a",), "", "leads out of it"),
        (("/a",), "", "leads out of it"),
        (("a",), "b", "a link or a device"),
    ],
)
def test_an_archive_that_is_more_than_plain_files_is_refused(
    tmp_path: Path, names: tuple[str, ...], link: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check_members(archive(tmp_path / "m.nemo", *names, link=link))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.nemo").write_bytes(b"not a model")
    with pytest.raises(UserError, match="no NeMo checkpoint"):
        check_members(tmp_path / "m.nemo")
    whole = archive(tmp_path / "w.nemo", *map(str, range(20))).read_bytes()
    (tmp_path / "cut.nemo").write_bytes(whole[:700])
    with pytest.raises(UserError, match="no NeMo checkpoint"):
        check_members(tmp_path / "cut.nemo")
