"""Replacement of the settings file in one step."""

import os
import stat
import threading
from pathlib import Path

import pytest

from stream_ocr.errors import SettingsConflictError, SettingsError
from stream_ocr.service import settings_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.yaml"
    path.write_bytes(b"old")
    return path


def version(path: Path) -> str:
    return settings_file.read(path).version


def test_mode_owner_and_attributes_stay(file: Path) -> None:
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 12345, 23456)
    before, file_version = file.stat(), settings_file.file_version(file)
    settings_file.replace(file, b"new", version(file))
    after = file.stat()
    assert file.read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert settings_file.file_version(file) != file_version
    assert after.st_mtime_ns >= before.st_mtime_ns
    assert list(file.parent.iterdir()) == [file]


def test_symbolic_link_stays(file: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "current.yaml"
    link.symlink_to("../live.yaml")
    settings_file.replace(link, b"new", version(link))
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert list(link.parent.iterdir()) == [link]


def test_file_that_has_changed_is_not_replaced(file: Path) -> None:
    before = version(file)
    file.write_bytes(b"of somebody else")
    with pytest.raises(SettingsConflictError, match=r"live\.yaml has changed since this page read it"):
        settings_file.replace(file, b"new", before)
    assert file.read_bytes() == b"of somebody else"
    assert list(file.parent.iterdir()) == [file]


def test_read_only_file_is_not_replaced(file: Path) -> None:
    file.chmod(0o444)
    with pytest.raises(SettingsError, match="is read-only; allow this program to write it"):
        settings_file.replace(file, b"new", version(file))
    assert file.read_bytes() == b"old"


def test_hard_links_are_not_separated(file: Path) -> None:
    (file.parent / "other.yaml").hardlink_to(file)
    with pytest.raises(SettingsError, match="has other names"):
        settings_file.replace(file, b"new", version(file))


def test_missing_files_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("none", "cannot be read"), (".", "is a folder"), ("pipe", "is not a regular file")):
        with pytest.raises(SettingsError, match=reason):
            settings_file.read(tmp_path / name)
    (tmp_path / "long").write_bytes(b"x" * 500_000)
    with pytest.raises(SettingsError, match="is longer than"):
        settings_file.read(tmp_path / "long")


def test_readers_see_one_of_both_contents(file: Path) -> None:
    contents = [b"a" * 300_000, b"b" * 300_000]
    file.write_bytes(contents[0])
    seen, done = set(), threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(file.read_bytes())

    thread = threading.Thread(target=look)
    thread.start()
    for n in range(1, 40):
        settings_file.replace(file, contents[n % 2], version(file))
    done.set()
    thread.join()
    assert seen <= set(contents)
    assert stat.S_ISREG(file.stat().st_mode)
