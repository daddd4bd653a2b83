"""Delivery from a disk queue."""

import time

from sinks.server_process import eventually
from sinks.webhook_receiver import count_spooled

from stream_ocr.config.settings import Settings
from stream_ocr.core.permit import PermitFile, boottime_s
from stream_ocr.sinks import Sinks, sinks_from_settings
from stream_ocr.testing import text_event


def test_nothing_is_delivered_without_a_valid_permit(tmp_path, receive):
    receiver, permit = receive(), PermitFile(tmp_path / "permit")
    sink = {"type": "webhook", "url": receiver.url, "spool": tmp_path / "spool", "min_backoff_s": 0.05}
    settings = Settings.model_validate({"sinks": [sink], "service": {"permit": tmp_path / "permit"}})
    with Sinks(sinks_from_settings(settings)) as sinks:
        sinks.write(text_event(0))
        time.sleep(0.5)
        assert receiver.seqs() == []
        permit.extend(boottime_s() + 60)
        assert eventually(lambda: receiver.seqs() == [0])
        permit.extend(boottime_s() - 1)
        sinks.write(text_event(1))
    assert receiver.seqs() == [0]
    assert count_spooled(tmp_path) == 1
