"""Folders of the hosts of one machine."""

import os

from stream_ocr.fleet.folder import HostFolder


def test_host_folders_of_one_machine_are_separate(tmp_path):
    a, b = HostFolder(tmp_path, "a"), HostFolder(tmp_path, "b")
    assert (a.path, b.path) == (tmp_path / "a", tmp_path / "b")
    for folder in (a, b):
        os.close(folder.lock_fd)


def test_host_folder_takes_over_what_a_host_that_is_gone_has_left(tmp_path):
    gone, here = HostFolder(tmp_path, "gone"), HostFolder(tmp_path, "here")
    (gone.path / "spool-0").mkdir()
    os.close(gone.lock_fd)
    new = HostFolder(tmp_path, "new")
    assert (new.path / "spool-0").is_dir()
    assert not gone.path.exists()
    assert here.path.exists()
    for folder in (here, new):
        os.close(folder.lock_fd)


def test_host_folder_is_the_same_after_a_restart_of_its_host(tmp_path):
    first = HostFolder(tmp_path, "node")
    (first.path / "spool-0").mkdir()
    os.close(first.lock_fd)
    again = HostFolder(tmp_path, "node")
    assert (again.path / "spool-0").is_dir()
    os.close(again.lock_fd)
