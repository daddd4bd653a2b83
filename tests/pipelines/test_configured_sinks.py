"""Sinks and rules of the settings, with the command line and with ``Pipeline``."""

import csv
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from stream_ocr import Pipeline
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SinkError
from stream_ocr.events import read_jsonl

SINKS = """
models: builtin
device: cpu
threads: 1
sinks:
  - {{type: jsonl, name: log, path: {folder}/all.jsonl}}
  - {{type: csv, name: signs, path: {folder}/signs.csv}}
  - {{type: webhook, name: hook, url: '{url}', spool: {folder}/spool, flush_timeout_s: 20}}
rules:
  - {{match: {{watch: [PLATFORN], region: [[0, 0], [640, 0], [640, 280], [0, 280]]}}, sinks: [signs]}}
"""


@pytest.fixture
def received() -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a webhook receiver and the ids of the events that it received."""
    ids: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            ids.extend(event["id"] for event in json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", ids
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def config(tmp_path, received):
    file = tmp_path / "settings.yaml"
    file.write_text(SINKS.format(folder=tmp_path, url=received[0]))
    return file


def ids(path) -> list[str]:
    return [event.id for event in read_jsonl(path)]


def signs(path) -> set[str]:
    with path.open(newline="") as lines:
        return {row["text"] for row in csv.DictReader(lines)}


def test_read_command_writes_every_event_once_to_configured_sinks(tmp_path, clip, read, config, received):
    code, out, stderr = read(clip.path, "--config", config, "-o", tmp_path / "out.jsonl")
    assert (code, out) == (0, ""), stderr
    expected = ids(tmp_path / "out.jsonl")
    assert len(expected) >= 8
    assert ids(tmp_path / "all.jsonl") == expected
    assert received[1] == expected
    assert signs(tmp_path / "signs.csv") == {"PLATFORM"}


def test_pipeline_writes_every_event_once_to_configured_sinks(tmp_path, clip, config, received):
    with Pipeline([clip.path], Settings.load(config), sinks=[tmp_path / "out.jsonl"]) as pipeline:
        expected = [event.id for event in pipeline.events()]
    assert len(expected) >= 8
    assert ids(tmp_path / "out.jsonl") == ids(tmp_path / "all.jsonl") == received[1] == expected
    assert signs(tmp_path / "signs.csv") == {"PLATFORM"}


def test_invalid_sinks_are_rejected_at_start(tmp_path, clip, read, config):
    secret = f"sinks=[{{type: webhook, url: 'http://a', spool: {tmp_path}/s, secret: 'env:NOT_SET'}}]"
    code, _, stderr = read(clip.path, "--set", secret, "--in-process")
    assert code == 1
    assert stderr.splitlines()[-1] == "There is no secret at env:NOT_SET; put it there."
    with pytest.raises(SinkError, match="console is given twice"):
        Pipeline(
            [clip.path],
            Settings.load(config, ["rules=", "sinks=[{type: csv, path: a.csv, name: console}]"]),
            ["console"],
        )
