import json
import subprocess
import sys

PROGRAM = """
import sys
from stream_ocr import logging_config
from stream_ocr.config.settings import LogSettings, Settings
from stream_ocr.logs import get_logger

logging_config.configure(Settings(logs=LogSettings(style="json", level="warning")), stage="decode")
log = get_logger("test")
assert "structlog" not in sys.modules
log.info("too low")
log.log(40, "frame dropped", stream="gate")
try:
    raise ValueError("bad")
except ValueError:
    log.exception("it failed")
"""


def test_first_line_imports_structlog_and_applies_the_configuration():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    first, second = map(json.loads, ended.stderr.splitlines())
    assert (first["event"], first["level"], first["stage"], first["stream"]) == (
        "frame dropped",
        "error",
        "decode",
        "gate",
    )
    assert "ValueError: bad" in second["exception"]
