"""Processes that have confined themselves."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stream_ocr import confinement
from stream_ocr.confinement import Access, landlock
from stream_ocr.sources.files import open_file
from stream_ocr.synthetic.scene import Scene, Text, render

pytestmark = pytest.mark.skipif(bool(confinement.missing()), reason="the kernel does not confine processes")

PROGRAM = """
import ctypes, json, os, socket, subprocess, sys, threading
from pathlib import Path
from stream_ocr.confinement import Access, confine
from stream_ocr.sources.files import open_file

def outcome(attempt):
    try:
        return attempt()
    except (OSError, MemoryError) as error:
        return type(error).__name__

def in_thread(attempt):
    results = []
    thread = threading.Thread(target=lambda: results.append(outcome(attempt)))
    thread.start()
    thread.join()
    return results[0]

def read(path):
    Path(path).read_bytes()

def connect(port):
    socket.create_connection(("127.0.0.1", port)).close()

def frames(path):
    with open_file(Path(path), stream="clip", threads=2) as source:
        return [[decoded.stamp.pts, int(decoded.frame.y.sum())] for decoded in source]

confine(Access(**json.loads(sys.argv[1])))
print(json.dumps({expression: outcome(lambda: eval(expression)) for expression in sys.argv[2:]}))
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    render(Scene((Text("GATE 4", 0.2, 0.8, (160, 90)),), 1.0, (320, 180)), path)
    return path


@pytest.fixture
def server() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def confined(access: Access, *expressions: str) -> dict[str, Any]:
    """Return the values of expressions in a confined process, or the names of their errors."""
    given = json.dumps({name: getattr(access, name) for name in access.__struct_fields__})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, given, *expressions], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def test_confined_process_decodes_its_file_as_before(clip: Path) -> None:
    with open_file(clip, stream="clip") as source:
        expected = [[decoded.stamp.pts, int(decoded.frame.y.sum())] for decoded in source]
    assert confined(Access(files=(str(clip),), memory_bytes=1 << 30), f"frames({str(clip)!r})") == {
        f"frames({str(clip)!r})": expected
    }


def test_confined_process_opens_nothing_else(clip: Path, tmp_path: Path, server: int) -> None:
    refused = [
        "read('/etc/passwd')",
        "read('/etc/resolv.conf')",
        f"read('/proc/{os.getpid()}/environ')",
        f"os.listdir({str(clip.parent)!r})",
        f"Path({str(tmp_path / 'new')!r}).touch()",
        f"Path({str(clip)!r}).open('r+b')",
        f"os.truncate({str(clip)!r}, 0)",
        f"connect({server})",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "subprocess.run(['/bin/true'])",
        "in_thread(lambda: read('/etc/passwd'))",
        f"os.kill({os.getpid()}, 0)",
    ]
    results = confined(Access(files=(str(clip),)), *refused)
    kill = results.pop(refused.pop())
    assert results == dict.fromkeys(refused, "PermissionError")
    assert kill == "PermissionError" or landlock.version() < 6
    assert clip.stat().st_size > 0


def test_confined_process_reaches_the_ports_of_its_camera(server: int) -> None:
    (other,) = confined(Access(network=True, ports=(server,)), f"connect({server})").values()
    assert other is None
    with socket.create_server(("127.0.0.1", 0)) as another:
        port = another.getsockname()[1]
        results = confined(Access(network=True, ports=(server,)), f"connect({port})", "read('/etc/passwd')")
        assert results["read('/etc/passwd')"] == "PermissionError"
        assert results[f"connect({port})"] == ("PermissionError" if landlock.version() >= landlock.TCP else None)
        assert confined(Access(network=True), f"connect({port})") == {f"connect({port})": None}


def test_confined_process_resolves_names() -> None:
    expression = "socket.getaddrinfo('localhost', 554, type=socket.SOCK_STREAM)[0][4][1]"
    assert confined(Access(network=True), expression, "read('/etc/hosts')") == {
        expression: 554,
        "read('/etc/hosts')": None,
    }


def test_confined_process_has_limited_memory(clip: Path) -> None:
    expressions = ["len(bytearray(8 << 20))", "len(bytearray(64 << 20))"]
    results = confined(Access(files=(str(clip),), memory_bytes=32 << 20), *expressions)
    assert list(results.values()) == [8 << 20, "MemoryError"]


def test_confine_raises_if_the_kernel_refuses_what_it_offers() -> None:
    """Seventeen filters one upon another are more than Landlock allows."""
    program = "from stream_ocr.confinement import Access, confine\nfor _ in range(17): confine(Access())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.rstrip().endswith("OSError: [Errno 7] Argument list too long")


def test_state_tells_when_a_file_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    access = Access(files=(str(path),), network=True)
    states = []
    for change in (lambda: None, path.touch, lambda: path.write_bytes(b"grows"), lambda: _replace(path), path.unlink):
        change()
        states.append(access.state())
    absent, created, grown, replaced, removed = states
    assert absent == removed
    assert created == grown
    assert len({absent, grown, replaced}) == 3


def _replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.touch()
    other.replace(path)
