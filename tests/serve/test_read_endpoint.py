"""Reading of files that are sent: answers, limits, and clients and readers that go away."""

import json
import os
import shutil
import signal
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest
from serve.conftest import SCENE
from serve.served import Served, events_of, form, is_gone, reply_of, soon

from stream_ocr import confinement
from stream_ocr.config.settings import Settings
from stream_ocr.synthetic.scene import render

CliRun = Callable[..., str]
Events = list[dict[str, Any]]
Start = Callable[..., Served]


@contextmanager
def held(served: Served, file: Path) -> Iterator[tuple[Any, psutil.Process]]:
    """Provide the connection of a request whose reader is stopped, and the reader."""
    body, kind = form(file.read_bytes(), file.name)
    before = {reader.pid for reader in served.readers}
    with served.open(body=body, headers=kind) as connection:
        assert soon(lambda: {reader.pid for reader in served.readers} - before), served.log
        (reader,) = [reader for reader in served.readers if reader.pid not in before]
        reader.send_signal(signal.SIGSTOP)
        yield connection, reader


def test_picture_gives_the_lines_of_the_command(server: Served, files: Path, run_cli: CliRun) -> None:
    expected = [json.loads(line) for line in run_cli("read", files / "photo.png", "-o", "-").splitlines()]
    for line in expected:
        del line["image"]
    assert [line["text"] for line in expected] == ["GATE 14", "Good morning"]
    sent = server.send("name=a.png", (files / "photo.png").read_bytes(), {"Content-Type": "image/png"})
    assert (sent.status, sent.json) == (200, {"image": "a.png", "lines": expected})
    assert server.read(files / "photo.png").json == {"image": "photo.png", "lines": expected}
    document = server.send("/openapi.json", method="GET").json
    kinds = document["paths"]["/read"]["post"]["responses"]["200"]["content"]
    schema = {**kinds["application/json"]["schema"], "components": document["components"]}
    jsonschema.validate(sent.json, schema)
    assert sent.headers["content-type"] in kinds


def test_video_gives_the_events_of_the_command(server: Served, files: Path, expected: Events) -> None:
    assert {event["text"] for event in expected} == {"GATE 14", "Good morning", "The train is late"}
    sent = server.read(files / "clip.mp4")
    assert sent.headers["content-type"] == "application/x-ndjson"
    assert sent.events == expected
    raw = server.send("name=folder/clip.mp4", (files / "clip.mp4").read_bytes())
    assert raw.events == expected
    assert server.is_idle()


def test_events_arrive_while_the_video_is_read(server: Served, files: Path) -> None:
    body, kind = form((files / "long.mp4").read_bytes(), "long.mp4")
    with server.open(body=body, headers=kind) as connection:
        response = connection.getresponse()
        first = json.loads(response.readline())
        assert (first["kind"], first["stream"]) == ("appeared", "long.mp4")
        assert server.readers, "it is still reading"
        rest = reply_of(response).events
    assert [event["kind"] for event in rest][-2:] == ["ended", "ended"]


def test_server_sent_events_end_with_an_end(server: Served, files: Path) -> None:
    lines = server.read(files / "clip.mp4").body.splitlines()
    sent = server.read(files / "clip.mp4", Accept="text/event-stream")
    assert sent.headers["content-type"] == "text/event-stream"
    *events, end, rest = sent.body.decode().split("\n\n")
    assert (end, rest) == ("event: end\ndata: {}", "")
    assert all(event.startswith("event: text\ndata: {") for event in events)
    data = "\n".join(event.partition("data: ")[2] for event in events)
    assert events_of(data) == events_of(b"\n".join(lines).decode())


def test_subtitles_are_those_of_the_command(server: Served, files: Path, run_cli: CliRun, tmp_path: Path) -> None:
    suffixes = ("srt", "vtt", "ass", "txt")
    for name, option, query in (("all", (), ""), ("film", ("--subtitles",), "&subtitles=true")):
        outputs = [part for suffix in suffixes for part in ("-o", tmp_path / f"{name}.{suffix}")]
        run_cli("read", files / "clip.mp4", *option, *outputs)
        for suffix in suffixes:
            sent = server.read(files / "clip.mp4", f"format={suffix}{query}")
            assert sent.body.decode() == (tmp_path / f"{name}.{suffix}").read_text(), suffix


def test_areas_and_a_pattern_limit_what_is_read(server: Served, files: Path) -> None:
    def texts(query: str) -> set[str]:
        return {event["text"] for event in server.read(files / "clip.mp4", query).events}

    assert texts("region=0,0,1,0.5") == {"GATE 14"}
    assert texts("mask=0,0,1,0.5") == {"Good morning", "The train is late"}
    assert texts("region=0,0,1,0.5&region=0,0,0.1,0.1&pattern=GATE%20%5Cd%2B") == {"GATE 14"}
    lines = server.read(files / "photo.png", "mask=0,0,1,0.5").json["lines"]
    assert [line["text"] for line in lines] == ["Good morning"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (os.urandom(5000), "'a.bin' is not a video that can be read"),
        (b"", "'a.bin' is empty"),
        (b"#EXTM3U\nhttp://127.0.0.1/a.ts\n", "'a.bin' is a playlist"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "'a.bin' is not an image that can be decoded"),
    ],
    ids=["rubbish", "empty", "playlist", "picture"],
)
def test_file_that_cannot_be_read_is_refused(server: Served, content: bytes, sentence: str) -> None:
    sent = server.send("name=a.bin", content)
    assert (sent.status, sent.error[: len(sentence)]) == (400, sentence)
    assert server.is_idle()


def test_picture_with_too_many_pixels_is_refused(server: Served) -> None:
    size = Settings().decode.max_pixels
    head = struct.pack(">4sIIBBBBB", b"IHDR", size // 1000 + 1, 1000, 8, 2, 0, 0, 0)
    rows = b"IDAT" + zlib.compress(bytes(1000))
    chunks = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in (head, rows)
    ]
    sent = server.send("name=a.png", b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    assert (sent.status, "'a.png' is an image that is too large" in sent.error) == (400, True), sent.error


def test_video_that_breaks_off_ends_with_an_error(server: Served, tmp_path: Path) -> None:
    render(SCENE, tmp_path / "clip.mkv")
    content = (tmp_path / "clip.mkv").read_bytes()
    sent = server.send("name=a.mkv", content[: len(content) // 2])
    assert sent.status == 200
    *events, error = sent.events
    assert events[0]["text"] == "GATE 14"
    assert error["error"].startswith("'a.mkv' breaks off")
    sent = server.send("name=a.mkv&format=srt", content[: len(content) // 2])
    assert (sent.status, sent.error.startswith("'a.mkv' breaks off")) == (400, True)


def test_picture_has_no_subtitles(server: Served, files: Path) -> None:
    sent = server.read(files / "photo.png", "format=srt")
    assert (sent.status, sent.error) == (
        400,
        "'photo.png' is an image, which has no times; leave out format and subtitles.",
    )


def test_reader_is_ended_when_its_client_goes_away(server: Served, files: Path) -> None:
    with held(server, files / "long.mp4") as (_, reader):
        pass
    assert is_gone(reader)
    body, kind = form((files / "long.mp4").read_bytes())
    with server.open(body=body, headers=kind) as connection:
        assert connection.getresponse().readline()
    assert server.is_idle()
    assert server.read(files / "photo.png").status == 200


def test_reader_that_is_killed_fails_its_request_alone(server: Served, files: Path, expected: Events) -> None:
    with held(server, files / "long.mp4") as (connection, reader), held(server, files / "clip.mp4") as (other, still):
        reader.kill()
        response = connection.getresponse()
        sent = reply_of(response)
        assert (sent.status, sent.error.split(";")[0]) == (500, "The process that read the file has died")
        still.send_signal(signal.SIGCONT)
        assert reply_of(other.getresponse()).events == expected
    assert "a reader failed" in server.log
    body, kind = form((files / "long.mp4").read_bytes())
    with server.open(body=body, headers=kind) as connection:
        response = connection.getresponse()
        assert json.loads(response.readline())["kind"] == "appeared"
        server.one_reader().kill()
        assert "has died" in reply_of(response).events[-1]["error"]
    assert server.is_idle()


def test_fork_server_that_is_killed_is_replaced(server: Served, files: Path) -> None:
    with held(server, files / "long.mp4") as (connection, reader):
        psutil.Process(reader.ppid()).kill()
        assert reply_of(connection.getresponse()).status == 500
    assert server.read(files / "photo.png").status == 200


def test_readers_are_confined(server: Served, files: Path) -> None:
    if confinement.missing():
        pytest.skip("the kernel does not confine processes")
    body, kind = form((files / "long.mp4").read_bytes())
    with server.open(body=body, headers=kind) as connection:
        connection.getresponse().readline()
        status = Path(f"/proc/{server.one_reader().pid}/status").read_text()
    assert "\nSeccomp:\t2\n" in status
    assert "\nNoNewPrivs:\t1\n" in status


def test_files_have_no_names_while_they_are_read(server: Served, files: Path) -> None:
    with held(server, files / "long.mp4") as (_, reader):
        assert list(server.uploads.iterdir()) == []
        opened = [place.path for place in reader.open_files() if str(server.uploads) in place.path]
        assert all(path.endswith("(deleted)") for path in opened)


def test_requests_wait_and_then_are_refused(start: Start, files: Path, expected: Events) -> None:
    served = start("readings=1", "waiting=1")
    with ExitStack() as stack:
        first, reader = stack.enter_context(held(served, files / "clip.mp4"))
        body, kind = form((files / "photo.png").read_bytes(), "photo.png")
        second = stack.enter_context(served.open(body=body, headers=kind))
        refused = None

        def is_refused() -> bool:
            nonlocal refused
            refused = served.read(files / "photo.png") if refused is None else refused
            return refused.status == 503

        assert soon(is_refused)
        assert refused is not None
        assert refused.error.startswith("There are too many requests")
        assert int(refused.headers["retry-after"]) > 0
        assert served.readers == [reader], "the second one waits"
        reader.send_signal(signal.SIGCONT)
        assert reply_of(first.getresponse()).events == expected
        assert len(reply_of(second.getresponse()).json["lines"]) == 2
    assert served.is_idle()
    assert served.read(files / "photo.png").status == 200


def test_client_that_leaves_while_it_waits_makes_room(start: Start, files: Path, expected: Events) -> None:
    served = start("readings=1", "waiting=1")
    body, kind = form((files / "photo.png").read_bytes(), "photo.png")
    with held(served, files / "clip.mp4") as (first, reader):
        for _ in range(3):
            with served.open(body=body, headers=kind):
                assert soon(lambda: served.send("name=other", b"").status == 503)
        with served.open(body=body, headers=kind) as last:  # its body is sent, so it is there before the first one ends
            reader.send_signal(signal.SIGCONT)
            assert reply_of(first.getresponse()).events == expected
            assert reply_of(last.getresponse()).status in (
                200,
                503,
            )  # the one before may not have been noticed to be gone
    assert served.is_idle()


def test_reading_that_takes_too_long_is_ended(start: Start, files: Path) -> None:
    served = start("timeout_s=1")
    with held(served, files / "long.mp4") as (connection, _):
        sent = reply_of(connection.getresponse())
    assert (sent.status, sent.error.split(";")[0]) == (
        HTTPStatus.GATEWAY_TIMEOUT,
        "Reading took longer than 1 seconds (serve.timeout_s)",
    )
    assert served.is_idle()


def test_curl_sends_a_file_in_both_ways(server: Served, files: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl: apt-get install curl")
    url = f"http://127.0.0.1:{server.port}/read"
    for arguments in (["--data-binary", f"@{files}/photo.png"], ["-F", f"file=@{files}/photo.png"]):
        done = subprocess.run(["curl", "-sS", "--fail", *arguments, url], capture_output=True, check=True)
        assert [line["text"] for line in json.loads(done.stdout)["lines"]] == ["GATE 14", "Good morning"]
