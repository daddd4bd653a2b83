import json

import pytest
import structlog

from stream_ocr import logging_config
from stream_ocr.config.settings import LogSettings, Settings


@pytest.fixture(autouse=True)
def defaults_afterwards():
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_logs_are_json_lines_without_a_terminal(capsys):
    logging_config.configure(Settings(), stage="detect", worker="1")
    structlog.get_logger().warning("frame dropped", stream="Zürich")
    out, err = capsys.readouterr()
    assert out == ""
    line = json.loads(err)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "frame dropped",
        "level": "warning",
        "stage": "detect",
        "worker": "1",
        "stream": "Zürich",
    }


def test_console_style_is_readable_text(capsys):
    logging_config.configure(Settings(logs=LogSettings(style="console")))
    structlog.get_logger().info("frame dropped", stream="gate")
    assert "frame dropped" in capsys.readouterr().err


def test_console_style_escapes_what_a_terminal_acts_on(capsys):
    logging_config.configure(Settings(logs=LogSettings(style="console")))
    structlog.get_logger().info("source is up", stream="\x1b[31mred\u202e.mp4")
    assert "\\u{1b}[31mred\\u{202e}.mp4" in capsys.readouterr().err


def test_lines_below_the_level_are_omitted(capsys):
    logging_config.configure(Settings(logs=LogSettings(level="error")))
    structlog.get_logger().warning("frame dropped")
    assert capsys.readouterr().err == ""


def test_existing_loggers_follow_the_configuration(capsys):
    log = structlog.get_logger()
    logging_config.configure(Settings(logs=LogSettings(style="json")))
    log.error("late")
    assert json.loads(capsys.readouterr().err)["event"] == "late"


def test_tracebacks_are_part_of_the_line(capsys):
    logging_config.configure(Settings(logs=LogSettings(style="json")))
    try:
        raise ValueError("bad")
    except ValueError:
        structlog.get_logger().exception("it failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: bad" in json.loads(line)["exception"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_passwords_are_redacted(capsys, style):
    url = 'rtsp://user:s3cr"t\\x@10.0.0.7/1'
    logging_config.configure(Settings(logs=LogSettings(style=style), sources={"gate": {"url": url}}))
    log = structlog.get_logger()
    log.warning(f"no answer from {url}", urls=[url, {"at": url}], error=ValueError(url))
    try:
        raise ValueError(url)
    except ValueError:
        log.exception("it failed")
    error = capsys.readouterr().err
    assert error.count("10.0.0.7") == 5
    assert "s3cr" not in error
