"""What is found behind a path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from processors.ingest.folder import find_recordings
from processors.runtime.errors import UserError

ROLES = ("agent", "customer")


def tone(path: Path, channels: int = 2, rate_hz: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full((800, channels), 0.1), rate_hz)


def test_a_folder_of_all_sorts(tmp_path: Path) -> None:
    tone(tmp_path / "good.wav")
    tone(tmp_path / "UPPER.WAV")
    tone(tmp_path / "deep" / "er" / "good.wav")
    tone(tmp_path / "mono.wav", channels=1, rate_hz=44_100)
    tone(tmp_path / "song.flac")
    tone(tmp_path / ".hidden" / "x.wav")
    (tmp_path / "text.wav").write_text("This is not audio.")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "noise.mp3").write_bytes(b"noise")
    (tmp_path / "._good.wav").write_bytes(b"a companion file of another system")
    (tmp_path / "notes.txt").write_text("silently ignored")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    planned, skipped = find_recordings(tmp_path, ROLES)
    assert {call.entry.call_id: call.roles for call in planned} == {
        "UPPER": ROLES,
        "deep-er-good": ROLES,
        "good": ROLES,
        "mono": ("mixed",),
        "song": ROLES,
    }
    assert {s.path: s.reason for s in skipped} == {
        "empty.wav": "the file is empty",
        "folder.wav": "it is a folder, not a file",
        "gone.wav": "there is no such file",
        "noise.mp3": "the format .mp3 cannot be read; convert it to WAV",
        "text.wav": "it is not a WAV file: it begins like text",
    }


def test_names_that_become_the_same_stay_apart(tmp_path: Path) -> None:
    for name in ("a b.wav", "a-b.wav", "a/b.wav"):
        tone(tmp_path / name)
    planned, _ = find_recordings(tmp_path, ROLES)
    names = [call.entry.call_id for call in planned]
    assert len(set(names)) == 3
    assert all(name.startswith("a-b") for name in names)
    assert [call.entry.call_id for call in find_recordings(tmp_path, ROLES)[0]] == names


def test_a_manifest_names_files_relative_to_itself(tmp_path: Path) -> None:
    tone(tmp_path / "calls" / "a.wav")
    tone(tmp_path / "calls" / "m.wav", channels=1)
    (tmp_path / "list.csv").write_text(
        "call_id,path,started_at,channels,vip\n"
        'c1,calls/a.wav,2026-01-05T09:00:00+08:00,"customer,agent",1\n'
        "c2,calls/none.wav,,,\n"
        'c3,calls/m.wav,,"agent,customer",\n'
        "c4,calls/a.wav,,agent,\n"
        ",calls/a.wav,,,\n"
    )
    planned, skipped = find_recordings(tmp_path / "list.csv", ROLES)
    assert [(call.entry.call_id, call.roles) for call in planned] == [
        ("c1", ("customer", "agent")),
        ("c3", ("mixed",)),
        ("calls-a", ROLES),
    ]
    assert planned[0].at_ms == 1_767_574_800_000
    assert planned[1].note == "the manifest names 2 channels, the file has 1: inspected as mixed"
    assert planned[2].at_ms == (tmp_path / "calls" / "a.wav").stat().st_mtime_ns // 1_000_000
    assert [(s.path, s.reason) for s in skipped] == [
        ("calls/none.wav", "line 3: there is no such file"),
        ("calls/a.wav", "line 5: the manifest names 1 channels, the file has 2"),
    ]


def test_one_file_is_a_call(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    planned, skipped = find_recordings(tmp_path / "a.wav", ROLES)
    assert [call.entry.call_id for call in planned] == ["a"]
    assert skipped == []


@pytest.mark.parametrize("name", ["nowhere", "empty", "none.csv", "heading.csv"])
def test_nothing_to_inspect_is_bad_usage(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "heading.csv").write_text("call_id,path\n")
    with pytest.raises(UserError) as caught:
        find_recordings(tmp_path / name, ROLES)
    assert caught.value.exit_code == 2
