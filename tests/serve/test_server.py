"""Access to the server, its other addresses, its start and its end."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from serve.served import BUILTIN, Served, form, is_gone, reply_of
from serve.test_read_endpoint import held

from stream_ocr.config.settings import Settings

Start = Callable[..., Served]
TOKEN = "t" * 32


@pytest.fixture(scope="module")
def guarded(start_module: Start, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Return a server that needs a token."""
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(TOKEN)
    return start_module(f"token_file={file}")


def test_requests_need_the_token(guarded: Served, files: Path) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"stream_ocr_token={TOKEN}"}):
        sent = guarded.send(body=b"x", headers=headers)
        assert (sent.status, sent.headers["www-authenticate"]) == (401, "Bearer")
        assert sent.error == "Send the token of this server as 'Authorization: Bearer TOKEN'."
    assert guarded.send(f"token={TOKEN}", b"x").status == 401
    assert guarded.send("/openapi.json", method="GET").status == 401
    assert guarded.read(files / "photo.png", Authorization=f"Bearer {TOKEN}").status == 200
    assert TOKEN not in guarded.log, "it is in a file"


def test_health_needs_no_token(guarded: Served) -> None:
    assert guarded.send("/healthz", method="GET", headers={"Host": "10.0.0.7:8660"}).json == {"status": "ok"}


def test_token_is_made_where_strangers_can_ask(start: Start, files: Path) -> None:
    served = start("host=0.0.0.0")
    token = served.log.partition("token: ")[2].strip()
    assert len(token) >= 32
    assert served.send(body=b"x").status == 401
    assert served.read(files / "photo.png", Authorization=f"Bearer {token}").status == 200


def test_pages_of_other_sites_cannot_send_files(server: Served) -> None:
    body, kind = form(b"x")
    own, other = f"http://localhost:{server.port}", "http://evil.example"
    assert server.send(body=body, headers={**kind, "Origin": other}).status == 403
    assert server.send(body=body, headers={**kind, "Origin": "null"}).status == 403
    assert server.send(body=body, headers={**kind, "Origin": own, "Host": f"localhost:{server.port}"}).status == 400
    assert server.send(body=body, headers={**kind, "Host": "evil.example"}).status == 421


def test_answers_have_security_headers(server: Served) -> None:
    for method, path in (("GET", "/healthz"), ("GET", "/openapi.json"), ("POST", "/read"), ("GET", "/nowhere")):
        sent = server.send(path, method=method)
        assert sent.headers["x-content-type-options"] == "nosniff"
        assert sent.headers["content-security-policy"].startswith("default-src 'self';")
        assert sent.headers["cache-control"] == "no-store"
        assert "server" not in sent.headers


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/read", 405), ("GET", "/", 404), ("PUT", "/read", 405)]
)
def test_other_requests_are_answered_in_json(server: Served, method: str, path: str, status: int) -> None:
    sent = server.send(path, method=method)
    assert (sent.status, sent.error) == (status, f"{method} {path} is not served here; POST /read reads a file.")


def test_description_names_all_parameters_and_formats(server: Served) -> None:
    parameters = server.send("/openapi.json", method="GET").json["paths"]["/read"]["post"]["parameters"]
    refusal = server.send("nonsense=1").error
    assert all(parameter["name"] in refusal for parameter in parameters)
    (formats,) = [each["schema"]["enum"] for each in parameters if each["name"] == "format"]
    assert all(each in server.send("format=nonsense").error for each in formats)


def test_page_of_the_documentation_agrees_with_the_description(server: Served) -> None:
    described = server.send("/openapi.json", method="GET").json["paths"]["/read"]["post"]
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text()
    parameters, errors = (page.partition(head)[2].partition("\n\n")[0] for head in ("| parameter |", "| status |"))
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", parameters, re.MULTILINE)))
    assert sorted(named) == sorted(parameter["name"] for parameter in described["parameters"])
    statuses = re.findall(r"\d{3}", "".join(re.findall(r"^\| ([\d, ]+) \|", errors, re.MULTILINE)))
    assert sorted(statuses) == sorted({*described["responses"], "421"} - {"200"})
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert Settings.model_validate(yaml.safe_load(example)).serve.readings == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_running_requests_may_end_at_a_stop(start: Start, files: Path, expected: Any, number: int) -> None:
    served = start("shutdown_timeout_s=60")
    with held(served, files / "clip.mp4") as (connection, reader):
        served.process.send_signal(number)
        reader.send_signal(signal.SIGCONT)
        assert reply_of(connection.getresponse()).events == expected
    assert served.process.wait(20) == 0
    assert is_gone(reader)


def test_requests_that_do_not_end_at_a_stop_get_an_error(start: Start, files: Path) -> None:
    served = start("shutdown_timeout_s=0.5", "readings=2")
    body, kind = form((files / "long.mp4").read_bytes())
    with held(served, files / "clip.mp4") as (first, reader), served.open(body=body, headers=kind) as second:
        response = second.getresponse()
        assert response.readline()
        (other,) = [each for each in served.readers if each.pid != reader.pid]
        other.send_signal(signal.SIGSTOP)
        served.process.send_signal(signal.SIGTERM)
        sent = reply_of(first.getresponse())
        assert (sent.status, sent.error) == (503, "The server has been stopped; send the file again later.")
        assert reply_of(response).events[-1] == {"error": "The server has been stopped; send the file again later."}
    assert served.process.wait(20) == 0
    assert is_gone(reader)
    assert is_gone(other)
    assert list(served.uploads.iterdir()) == []


def test_nothing_is_left_of_a_server_that_is_killed(start: Start, files: Path) -> None:
    served = start()
    with held(served, files / "clip.mp4") as (_, reader):
        served.kill()
        assert is_gone(reader)
    assert list(served.uploads.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("serve.folder=/nowhere", "serve.folder: there is no folder '/nowhere'; create it."),
        ("serve.readings=0", "serve.readings (--set) is 0"),
        ("serve.host=192.0.2.1", "A server cannot listen at 192.0.2.1:0: Cannot assign requested address"),
        ("store.path=events.db", "store.path (--set) has no effect on this command"),
        ("recognition.lexicon=/nowhere", "recognition.lexicon: /nowhere cannot be read"),
    ],
)
def test_wrong_settings_are_refused_at_the_start(setting: str, sentence: str) -> None:
    given = [part for each in (*BUILTIN, "serve.port=0", setting) for part in ("--set", each)]
    command = [sys.executable, "-m", "stream_ocr.cli", "serve", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ), timeout=60)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
