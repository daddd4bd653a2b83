"""Fixtures for tests of sinks: webhook receivers, programs on a small disk, and a TLS certificate."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator

import pytest
from sinks.webhook_receiver import Action, Receiver

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def small_disk(tmp_path) -> Callable[[str], "subprocess.CompletedProcess[str]"]:
    """Return a function that runs a Python program in which ``disk`` is a folder with 256 KiB of space."""
    mount = tmp_path / "disk"
    mount.mkdir()
    mounted = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o size=256k none {mount} && exec "$@"', "sh"]
    try:
        subprocess.run([*mounted, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk needs the right to mount one: run as root, with unshare from util-linux")

    def run(program: str) -> "subprocess.CompletedProcess[str]":
        whole = f"from pathlib import Path\ndisk = Path({str(mount)!r})\n" + textwrap.dedent(program)
        return subprocess.run([*mounted, sys.executable, "-c", whole], capture_output=True, text=True, timeout=60)

    return run


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    """Return a function that starts a receiver with a script."""
    started: list[Receiver] = []

    def start(*script: int | Action) -> Receiver:
        started.append(Receiver(script))
        threading.Thread(target=started[-1].serve_forever, args=(0.01,), daemon=True).start()
        return started[-1]

    yield start
    for receiver in started:
        receiver.released.set()
        receiver.shutdown()
        receiver.server_close()
