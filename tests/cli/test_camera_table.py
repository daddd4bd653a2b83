"""Tests of the table of cameras."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from io import StringIO

from rich.console import Console

from stream_ocr.cli.camera_table import render_table
from stream_ocr.service.camera_status import Camera


def test_render_table_keeps_columns_beside_a_long_reason() -> None:
    gate, yard = Camera(), Camera()
    gate.state, gate.reason = "down", "10.0.0.7:554 refuses the user or the password; check the address. " * 3
    yard.state = "up"
    yard.texts.extend(["PLATFORM", "\x1b[31m12:34"])
    yard.dropped["stale"] = 12345
    console = Console(file=StringIO(), width=80, color_system=None)
    console.print(render_table({"gate": gate, "a-longer-name": yard}))
    head, first, second = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert head.split() == ["camera", "state", "fps", "age", "lost", "latest", "texts"]
    assert first.split()[:3] == ["gate", "down", "0.0"]
    assert "10.0.0.7:554 refuses" in first
    assert second.split()[:4] == ["a-longer-name", "up", "0.0", "12345"]
    assert "PLATFORM" in second
    assert "\x1b" not in second


WRITE_LINES = """
import os, sys
from stream_ocr.cli.camera_table import TableView
with TableView({}):
    for number in range(2000):
        os.write(2, f"line {number}\\n".encode())
sys.stderr.write(f"descriptors {len(os.listdir('/proc/self/fd'))}\\n")
"""


def test_table_view_copies_all_of_standard_error_to_the_terminal() -> None:
    master, terminal = pty.openpty()
    with (
        os.fdopen(master, "rb", buffering=0) as output,
        subprocess.Popen([sys.executable, "-c", WRITE_LINES], stderr=terminal),
    ):
        os.close(terminal)
        shown = bytearray()
        with suppress(OSError):  # EIO: the terminal has no writer any more
            while data := output.read(65536):
                shown += data
    assert re.findall(r"line (\d+)", shown.decode()) == [str(number) for number in range(2000)]
    assert shown.endswith(b"descriptors 4\r\n"), "the three standard ones, and the one of listdir"
