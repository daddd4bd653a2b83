"""``stream-ocr cameras discover`` as a user runs it, with ONVIF devices on loopback."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml
from onvif_camera.camera import OnvifCamera
from onvif_camera.messages import Profile

from stream_ocr.config.settings import Settings

PASSWORD = "hunter22"
LOGIN = ("admin", PASSWORD)
MAIN = Profile("p1", "Main", "rtsp://10.0.0.7:554/ch/101?profile=p1", (2560, 1440), "H265", 25)
SUB = Profile("p2", "Sub", "rtsp://10.0.0.7:554/ch/102", (640, 360), "H264", 12)
PROGRAM = [sys.executable, "-m", "stream_ocr.cli", "cameras", "discover"]
HOSTILE = "A\nsinks: [{type: jsonl, path: /tmp/x}]\x1b[2J [red]\u202e"


def discover(*arguments: object, **variables: str) -> tuple[int, str, str]:
    """Return exit code, standard output and standard error."""
    command = [*PROGRAM, *map(str, arguments)]
    ended = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout, ended.stderr


def test_search_prints_a_row_for_each_stream():
    with (
        OnvifCamera((SUB, MAIN), host="127.0.0.5", name="Hall"),
        OnvifCamera((), host="127.0.0.6", fault="page") as bad,
    ):
        code, out, err = discover("--interface", "lo", "--timeout", 2)
    assert (code, err) == (0, f"{bad.address} answers with something else than XML.\n")
    assert [row.split() for row in out.splitlines()] == [
        ["camera", "stream", "size", "codec", "fps", "address"],
        ["Hall", "main", "Main", "2560×1440", "H265", "25", MAIN.url],
        ["Hall", "sub", "Sub", "640×360", "H264", "12", SUB.url],
    ]


def test_search_that_finds_nothing_is_exit_code_1():
    assert discover("--interface", "lo", "--timeout", 0.5) == (
        1,
        "",
        "no ONVIF device answered within 0.5 s; see --address and --timeout\n",
    )


def test_json_has_streams_and_problems():
    with OnvifCamera((MAIN,), host="127.0.0.5") as hall, OnvifCamera(host="127.0.0.6", fault="garbage") as bad:
        code, out, _ = discover("--address", hall.address, "--address", bad.address, "--json")
    good, broken = json.loads(out)["devices"]
    assert code == 0
    assert good | {"streams": []} == {
        **{"address": hall.address, "name": "", "manufacturer": "ACME", "model": "Eye 2"},
        **{"streams": [], "problem": None},
    }
    assert good["streams"] == [
        {
            **{"channel": 1, "role": "main", "name": "Main", "codec": "H265", "width": 2560, "height": 1440, "fps": 25},
            **{"url": MAIN.url, "protected": False},
        }
    ]
    assert broken["problem"].startswith(bad.address)


def test_yaml_is_a_section_of_settings(tmp_path, monkeypatch):
    other = Profile("p1", "Main", "rtsp://10.0.0.8/live")
    with (
        OnvifCamera((MAIN, SUB), host="127.0.0.5", name="Hall 1", login=LOGIN),
        OnvifCamera((other,), host="127.0.0.6", name="Hall 1", login=LOGIN),
        OnvifCamera((other,), host="127.0.0.7", name=HOSTILE, login=LOGIN),
    ):
        code, out, err = discover(
            "--interface", "lo", "--timeout", 2, "--login", "env:LOGIN", "--yaml", LOGIN="admin:hunter22"
        )
    assert (code, err) == (0, "")
    assert yaml.safe_load(out) == {
        "sources": {
            "hall-1": {"url_env": "HALL_1_URL"},
            "hall-1-2": {"url_env": "HALL_1_2_URL"},
            "a-sinks-type-jsonl-path-tmp-x-2j-red": {"url_env": "A_SINKS_TYPE_JSONL_PATH_TMP_X_2J_RED_URL"},
        }
    }
    assert "# HALL_1_URL=rtsp://USER:PASSWORD@10.0.0.7:554/ch/101?profile=p1\n" in out
    assert "# smaller stream Sub: 640×360 H264, 12 fps, rtsp://10.0.0.7:554/ch/102\n" in out
    assert all(character.isprintable() for character in out.replace("\n", ""))
    for name in yaml.safe_load(out)["sources"].values():
        monkeypatch.setenv(name["url_env"], "rtsp://admin:hunter22@10.0.0.7/1")
    (tmp_path / "live.yaml").write_text(out)
    assert len(Settings.load(tmp_path / "live.yaml").sources) == 3


def test_yaml_of_open_cameras_has_their_addresses():
    profiles = (Profile("p1", "Main", "rtsp://10.0.0.7/a: b#c".replace(" ", "%20").replace("#", "%23")),)
    with OnvifCamera(profiles) as camera:
        _, out, _ = discover("--address", camera.address, "--yaml")
    assert yaml.safe_load(out) == {"sources": {"eye-2": {"url": "rtsp://10.0.0.7/a:%20b%23c"}}}


def test_names_of_devices_neither_move_the_cursor_nor_forge_rows():
    in_xml = HOSTILE.replace("\x1b", "")  # XML has no such character
    with OnvifCamera((Profile("p1", in_xml, MAIN.url, codec="[b]"),), name=HOSTILE) as camera:
        for arguments in ((), ("--json",), ("--yaml",)):
            _, out, err = discover("--interface", "lo", "--timeout", 1, *arguments)
            assert all(character.isprintable() for character in (out + err).replace("\n", "")), camera.name
        assert "[red]" in discover("--interface", "lo", "--timeout", 1)[1]


def test_login_is_read_from_a_variable_or_a_file(tmp_path):
    (tmp_path / "login").write_text("admin:hunter22\n")
    with OnvifCamera((MAIN,), login=LOGIN) as camera:
        for place in ("env:LOGIN", f"file:{tmp_path}/login"):
            code, out, err = discover("--address", camera.address, "--login", place, LOGIN="admin:hunter22")
            assert (code, err) == (0, "")
            assert PASSWORD not in out
        code, out, err = discover("--address", camera.address, "--login", "env:LOGIN", LOGIN="admin:wr0ng-p4ss")
        assert (code, out, err) == (1, "", f"{camera.address} refuses the user name or the password.\n")


def test_login_is_asked_for_on_the_terminal_and_not_shown():
    with OnvifCamera((MAIN,), login=LOGIN) as camera:
        master, terminal = pty.openpty()
        options = ["--address", camera.address, "--login", "ask", "--json"]
        program = subprocess.Popen(
            ["setsid", "--ctty", *PROGRAM, *options], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal
        )
        os.close(terminal)
        shown = b""
        for question, answer in ((b"User: ", "admin"), (b"Password: ", PASSWORD)):
            while question not in shown:
                shown += os.read(master, 1024)
            os.write(master, f"{answer}\n".encode())
        assert PASSWORD not in " ".join(psutil.Process(program.pid).cmdline())
        out, _ = program.communicate(timeout=60)
        os.close(master)
    assert program.returncode == 0
    assert json.loads(out)["devices"][0]["streams"]
    assert PASSWORD.encode() not in shown + out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--login", "admin:hunter22"], 1, "--login takes no password; give its place as env:NAME, file:PATH or ask."),
        (["--login", "ask"], 1, "--login ask needs a terminal; use env:NAME or file:PATH."),
        (["--login", "env:NO_SUCH_LOGIN"], 1, "There is no secret at env:NO_SUCH_LOGIN; put it there."),
        (["--login", "env:WRONG_LOGIN"], 1, "The login at env:WRONG_LOGIN is not USER:PASSWORD."),
        (["--json", "--yaml"], 2, "choose one of --json and --yaml"),
        (["--address", "admin:hunter22@10.0.0.7"], 2, "give HOST or HOST:PORT"),
        (["--address", "10.0.0.7", "--interface", "lo"], 2, "--interface is for a search"),
        (["--interface", "nothing0"], 1, "interface nothing0"),
    ],
)
def test_wrong_options_are_one_sentence_without_the_password(arguments, code, sentence):
    given = subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, "WRONG_LOGIN": "hunter22", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (given.returncode, given.stdout) == (code, "")
    assert sentence in given.stderr
    assert "hunter22" not in given.stderr


def test_missing_extra_is_one_sentence(tmp_path: Path):
    (tmp_path / "onveef.py").write_text("raise ImportError('no such package', name='onveef')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    assert discover(PYTHONPATH=path) == (
        1,
        "",
        "`cameras discover` needs onveef, which is not installed; pip install 'stream-ocr[onvif]'.\n",
    )
