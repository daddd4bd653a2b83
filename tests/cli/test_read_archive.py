"""The command as a process of its own: progress, exit code, kill and resume."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from stream_ocr.synthetic.scene import Scene, Text, render

SETTINGS = ("models=builtin", "device=cpu", "threads=1")
NAMES = [f"clip{number}.mp4" for number in range(4)]


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    scene = Scene((Text("Good morning", 0.2, 0.8, (320, 300), "middle", height=28),), 1.0, (640, 360))
    render(scene, folder / NAMES[0])
    for name in NAMES[1:]:
        (folder / name).hardlink_to(folder / NAMES[0])
    return folder


def start(films, out, *options):
    command = [sys.executable, "-m", "stream_ocr.cli", "archive", str(films), "--out", str(out), *options]
    for setting in SETTINGS:
        command += ["--set", setting]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def published(out):
    return sorted(path.parent.name.removesuffix(".ocr") for path in out.glob("units/**/unit.json"))


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait; the time limit of the test ends a wait in vain."""
    while not condition():
        time.sleep(0.05)


def test_a_killed_run_resumes_with_the_files_that_are_not_done(films, tmp_path):
    killed = start(films, tmp_path, "--jobs", "1")
    wait_until(lambda: bool(published(tmp_path)))
    workers = psutil.Process(killed.pid).children(recursive=True)
    killed.kill()
    killed.communicate()
    psutil.wait_procs(workers)
    done = published(tmp_path)
    assert 0 < len(done) < len(NAMES)

    resumed = start(films, tmp_path, "--jobs", "1")
    _, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert published(tmp_path) == NAMES
    assert f"done before  {len(done)} files" in errors
    assert f"read         {len(NAMES) - len(done)} files" in errors


def test_the_first_interrupt_lets_started_files_finish(films, tmp_path):
    run = start(films, tmp_path, "--jobs", "1")
    wait_until(lambda: bool(published(tmp_path)))
    os.kill(run.pid, signal.SIGINT)
    _, errors = run.communicate()
    assert run.returncode == 130, errors
    done = published(tmp_path)
    assert f"read         {len(done)} files" in errors
    assert f"not read     {len(NAMES) - len(done)} files" in errors


def test_a_damaged_file_is_reported_and_the_exit_code_is_not_zero(films, tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "bad.mp4").write_bytes((films / NAMES[0]).read_bytes()[:9000])
    (folder / "good.mp4").hardlink_to(films / NAMES[0])
    for _ in range(2):
        run = start(folder, tmp_path / "out")
        _, errors = run.communicate()
        assert run.returncode == 1, errors
        assert errors.count("bad.mp4: ") == 1
        assert f"are described in {tmp_path}/out/quarantine" in errors.replace("\n", "")
        assert published(tmp_path / "out") == ["good.mp4"]


def test_settings_that_a_manifest_gets_wrong_end_the_run_before_it_starts(films, tmp_path):
    manifest = tmp_path / "films.jsonl"
    manifest.write_text('{"path": "a.mp4", "settings": {"detection.max_fbs": 3}}\n')
    run = start(manifest, tmp_path / "out")
    _, errors = run.communicate()
    assert run.returncode == 1
    assert "a.mp4: detection.max_fbs in the manifest" in errors
    assert not (tmp_path / "out").exists()
