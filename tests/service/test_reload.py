"""Reading of a settings file that changes during a run, in its own process."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.service.reload import ConfigFile, compare
from stream_ocr.service.settings_process import SettingsProcess

LONG_S = 60
PATTERN = "sources: {{gate: {{path: /dev/null, pattern: '{}'}}}}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.yaml"
    path.write_text("sources: {gate: {path: /dev/null}}")
    return path


@pytest.fixture
def config(file: Path) -> Iterator[ConfigFile]:
    with ConfigFile(file, ["detection.max_fps=3"]) as config:
        yield config


def wait_for(config: ConfigFile) -> Settings:
    deadline_s = time.monotonic() + LONG_S
    while time.monotonic() < deadline_s:
        if (settings := config.poll()) is not None:
            return settings
        time.sleep(0.02)
    raise TimeoutError


def reread(config: ConfigFile) -> Settings:
    config.read()
    return wait_for(config)


def test_poll_returns_the_settings_of_a_changed_file_once(config: ConfigFile, file: Path) -> None:
    assert config.poll() is None
    file.write_text("sources: {gate: {path: /dev/null}, yard: {path: /dev/zero}}")
    settings = wait_for(config)
    assert list(settings.sources) == ["gate", "yard"]
    assert settings.detection.max_fps == 3
    assert config.poll() is None


def test_read_takes_over_addresses_with_passwords(config: ConfigFile, file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("rtsp://a:p4ss@10.0.0.1/live")
    file.write_text(f"sources: {{gate: {{url_file: {secret}}}}}")
    before = reread(config)
    assert str(before.sources["gate"].address) == "rtsp://***@10.0.0.1/live"
    secret.write_text("rtsp://a:other@10.0.0.1/live")
    after = reread(config)
    assert after.sources["gate"].address.reveal() == "rtsp://a:other@10.0.0.1/live"
    assert compare(before, after).set == ["gate"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sources: {gate: {path: 2026-13-45, max_fps: 2026-13-45}}", "max_fps"),
        ("sources: &a {gate: *a}", "stands within"),
        (PATTERN.format("(" * 400 + ")" * 400), "nested too deeply"),
        ("sources: {gate: {path: /dev/null, lexicon: /no/such/file}}", "lexicon"),
        ("sources: {gate: {path: gone.mp4}}", "there is no file 'gone.mp4'"),
        ('sources: {gate: {path: "\\0"}}', "there is no file"),
        ("", "nothing to watch"),
    ],
)
def test_mistakes_are_one_sentence(config: ConfigFile, file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError, match=reason) as caught:
        reread(config)
    assert len(str(caught.value)) < 500
    assert config.poll() is None
    file.write_text("sources: {gate: {path: /dev/null}}")
    assert list(reread(config).sources) == ["gate"]


def test_missing_file_is_reported(config: ConfigFile, file: Path) -> None:
    file.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        reread(config)


def test_poll_never_waits_for_a_pipe(config: ConfigFile, file: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    file.write_text(f"sources: {{gate: {{url_file: {tmp_path}/pipe}}}}")
    config.read()
    for _ in range(10):
        assert config.poll() is None
        time.sleep(0.02)
    file.write_text("sources: {gate: {path: /dev/null}}")
    assert list(reread(config).sources) == ["gate"], "the process that waits for the pipe is replaced"


def test_process_that_dies_is_reported(file: Path) -> None:
    process = SettingsProcess(file, [])
    (child,) = [each for each in psutil.Process().children() if str(file) in each.cmdline()]
    child.kill()
    psutil.wait_procs([child])
    with closing(process), pytest.raises(SettingsError, match="cannot be read within"):
        process.poll()
