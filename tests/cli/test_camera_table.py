"""The table of cameras."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from io import StringIO

from rich.console import Console

from stream_ocr.cli.camera_table import table
from stream_ocr.service.camera_status import Camera


def test_a_long_reason_leaves_the_other_columns_as_they_are() -> None:
    gate, yard = Camera(), Camera()
    gate.state, gate.reason = "down", "10.0.0.7:554 refuses the user or the password; check the address. " * 3
    yard.state = "up"
    yard.texts.extend(["PLATFORM", "\x1b[31m12:34"])
    yard.dropped["stale"] = 12345
    console = Console(file=StringIO(), width=80, color_system=None)
    console.print(table({"gate": gate, "a-longer-name": yard}))
    head, first, second = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert head.split() == ["camera", "state", "fps", "age", "lost", "latest", "texts"]
    assert first.split()[:3] == ["gate", "down", "0.0"]
    assert "10.0.0.7:554 refuses" in first
    assert second.split()[:4] == ["a-longer-name", "up", "0.0", "12345"]
    assert "PLATFORM" in second
    assert "\x1b" not in second


TALKATIVE = """
import os, sys
from stream_ocr.cli.camera_table import Board
with Board({}):
    for number in range(2000):
        os.write(2, f"line {number}\\n".encode())
sys.stderr.write(f"descriptors {len(os.listdir('/proc/self/fd'))}\\n")
"""


def test_all_that_is_said_until_the_end_comes_to_the_terminal() -> None:
    ours, terminal = pty.openpty()
    with (
        os.fdopen(ours, "rb", buffering=0) as seen,
        subprocess.Popen([sys.executable, "-c", TALKATIVE], stderr=terminal),
    ):
        os.close(terminal)
        shown = bytearray()
        with suppress(OSError):  # EIO: nobody has the terminal any more
            while data := seen.read(65536):
                shown += data
    assert re.findall(r"line (\d+)", shown.decode()) == [str(number) for number in range(2000)]
    assert shown.endswith(b"descriptors 4\r\n"), "three, and the one that counts"
