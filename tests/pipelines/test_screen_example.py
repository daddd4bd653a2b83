"""The example docs/examples/screen.py on a real X server that shows a page."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "screen.py"
PAGE = "data:text/html,<body style='font:bold 48px sans-serif'>Gate 12 is open</body>"
CHROMIUM = [
    *("chromium", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--kiosk"),
    *("--disable-component-update", "--disable-sync", "--window-position=0,0", "--window-size=640,360"),
]


@pytest.fixture
def display(tmp_path: Path) -> Iterator[str]:
    if not (shutil.which("Xvfb") and shutil.which("chromium")):
        pytest.skip("Xvfb or Chromium is not installed")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "640x360x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as number:
        name = f":{number.readline().strip()}"
    try:
        yield name
    finally:
        server.terminate()
        server.wait()


def test_screen_example_prints_what_appears_on_the_screen(display, tmp_path):
    env = {**os.environ, "DISPLAY": display, "STREAM_OCR_MODELS": "builtin", "OMP_NUM_THREADS": "1"}
    browser = subprocess.Popen(
        [*CHROMIUM, f"--user-data-dir={tmp_path / 'profile'}", PAGE],
        env={**env, "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with subprocess.Popen([sys.executable, EXAMPLE, "90"], env=env, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            found = any("Gate 12 is open" in line for line in program.stdout)
            program.kill()
    finally:
        browser.terminate()
        browser.wait()
    assert found
