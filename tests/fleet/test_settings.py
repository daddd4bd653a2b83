"""Settings of a fleet."""

import pytest

from stream_ocr import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.fleet.settings import check_fleet

NATS = {"type": "nats", "servers": ["nats://127.0.0.1:4222"], "spool": "spool"}
VALID = {"sources": {"gate": {"url": "rtsp://127.0.0.1/gate"}}, "sinks": [NATS]}


def test_check_fleet_accepts_cameras_and_a_nats_sink():
    check_fleet(Settings.model_validate(VALID))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sources": {}}, "There is nothing to watch"),
        ({"sinks": []}, "add a sink of type nats"),
        ({"sinks": [NATS, {"type": "jsonl", "path": "e.jsonl"}]}, "write no files of events; remove the sinks e.jsonl"),
        ({"store": {"path": "events.db"}}, "have no store and no socket"),
        ({"fleet": {"cameras": {"gtae": {"fps": 5}}}}, "fleet.cameras names gtae, which is not under sources"),
    ],
)
def test_check_fleet_refuses_what_a_fleet_cannot_use(changes, sentence):
    with pytest.raises(SettingsError, match=sentence):
        check_fleet(Settings.model_validate(VALID | changes))
