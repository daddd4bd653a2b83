"""Bodies that are too large, too slow, broken, or no files."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serve.served import Served, form

Start = Callable[..., Served]
FORM = {"Content-Type": "multipart/form-data; boundary=frontier"}


@pytest.fixture(scope="module")
def small(start_module: Start) -> Served:
    """Return a server that takes small files within a second."""
    return start_module("max_bytes=100000", "upload_timeout_s=1")


def endless(chunk: bytes = bytes(1000), count: int = 1 << 20) -> Iterator[bytes]:
    for _ in range(count):
        yield chunk


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_declared_size_is_refused_at_once(small: Served) -> None:
    with socket.create_connection((small.host, small.port), timeout=30) as connection:
        connection.sendall(b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert status_of(answer) == 413
    assert b"100000 bytes allowed (serve.max_bytes)" in answer


def test_size_is_checked_while_a_file_arrives(small: Served) -> None:
    assert small.send(body=endless(count=300)).status == 413
    body, kind = form(bytes(100_001))
    assert small.send(body=body, headers=kind).status == 413
    assert small.send(body=iter([body[:1000], body[1000:]]), headers=kind).status == 413
    with pytest.raises(ConnectionError):  # the answer was sent, but the client does not stop
        small.send(body=endless())
    assert small.is_idle()


def test_file_of_the_maximum_size_is_taken(small: Served) -> None:
    body, kind = form(bytes(100_000))
    assert "is not a video" in small.send(body=body, headers=kind).error
    assert "is not a video" in small.send(body=bytes(100_000)).error


def test_curl_gets_the_answer_instead_of_sending_all(small: Served, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    (tmp_path / "large").write_bytes(bytes(50_000_000))
    command = ["curl", "-sS", "-o", "-", "-w", "%{http_code}", "-F", f"file=@{tmp_path}/large"]
    done = subprocess.run([*command, f"http://127.0.0.1:{small.port}/read"], capture_output=True, check=True)
    assert done.stdout.endswith(b"}413")


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1000\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
)
def test_slow_file_is_refused(small: Served, head: bytes) -> None:
    with socket.create_connection((small.host, small.port), timeout=30) as connection:
        connection.sendall(b"POST /read HTTP/1.1\r\nHost: localhost\r\n" + head)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert status_of(answer) == 408
    assert b"did not arrive within 1 seconds" in answer
    assert small.is_idle()


def test_client_that_leaves_while_it_sends_leaves_nothing(small: Served) -> None:
    for _ in range(30):
        with socket.create_connection((small.host, small.port), timeout=30) as connection:
            connection.sendall(b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
    assert "is not a video" in small.send(body=b"rubbish" * 100).error
    assert small.is_idle()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (form(b"a")[0].removesuffix(b"--frontier--\r\n") + form(b"b")[0], "it has more than a file"),
        (form(b"a")[0][:-10], "it breaks off"),
        (b"--frontier--\r\n", "it has no file"),
        (b"", "it has no file"),
        (b"--frontier\r\n" + b"A: b\r\n" * 5000, ""),
        (b"nothing of the kind", "Expected boundary character"),
    ],
    ids=["two", "broken", "none", "empty", "headers", "rubbish"],
)
def test_form_without_exactly_one_file_is_refused(small: Served, body: bytes, reason: str) -> None:
    sent = small.send(body=body, headers=FORM)
    assert sent.status == 400, sent.body
    assert sent.error.startswith("The form cannot be read: ")
    assert reason.lower() in sent.error.lower()


def test_form_without_a_boundary_is_refused(small: Served) -> None:
    assert "it has no boundary" in small.send(body=b"x", headers={"Content-Type": "multipart/form-data"}).error


@pytest.mark.parametrize("kind", ["text/html", "application/json", "nonsense"])
def test_other_types_are_refused(small: Served, kind: str) -> None:
    sent = small.send(body=b"{}", headers={"Content-Type": kind})
    assert (sent.status, kind in sent.error) == (415, True)


def test_compressed_bodies_are_refused(small: Served) -> None:
    sent = small.send(body=b"x", headers={"Content-Encoding": "gzip"})
    assert (sent.status, "gzip" in sent.error) == (415, True)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("../../etc/passwd", "passwd"), ("C:\\films\\a.mp4", "a.mp4"), ("", "upload"), ("é.mp4", "é.mp4")],
)
def test_name_of_the_file_in_a_form_has_no_folder(small: Served, name: str, shown: str) -> None:
    body, kind = form(b"rubbish", name)
    assert small.send(body=body, headers=kind).error.startswith(f"'{shown}' is not a video")
