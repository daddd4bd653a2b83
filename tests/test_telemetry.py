import json

import pytest
import structlog

from stream_ocr import telemetry
from stream_ocr.settings import Logs


@pytest.fixture(autouse=True)
def defaults_afterwards():
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_json_lines_where_nobody_looks(capsys):
    telemetry.configure(Logs(), stage="detect", worker="1")
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


def test_for_people_when_asked_for(capsys):
    telemetry.configure(Logs(style="console"))
    structlog.get_logger().info("frame dropped", stream="gate")
    assert "frame dropped" in capsys.readouterr().err


def test_lower_levels_are_left_out(capsys):
    telemetry.configure(Logs(level="error"))
    structlog.get_logger().warning("frame dropped")
    assert capsys.readouterr().err == ""


def test_loggers_made_before_follow_the_configuration(capsys):
    log = structlog.get_logger()
    telemetry.configure(Logs(style="json"))
    log.error("late")
    assert json.loads(capsys.readouterr().err)["event"] == "late"


def test_errors_come_with_their_traceback_in_one_line(capsys):
    telemetry.configure(Logs(style="json"))
    try:
        raise ValueError("bad")
    except ValueError:
        structlog.get_logger().exception("it failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: bad" in json.loads(line)["exception"]
