"""Hostile answers of ONVIF devices, and the check of what reads them."""

from urllib.parse import urlsplit

from fuzz.mutation import mutated
from hypothesis import strategies as st
from onvif_camera.messages import probe_match

from stream_ocr.sources.thresholds import ONVIF
from stream_ocr.sources.ws_discovery import devices_in

_HOST = "10.0.0.7"
_ADDRESSES = ("http://10.0.0.7/onvif/device_service", "https://[fe80::1]:8443/x http://10.0.0.7:99999/ ftp://a@b/c")
PROBE_MATCHES = mutated(
    st.sampled_from([probe_match("Hall %41", "dn:NetworkVideoTransmitter", url, "urn:uuid:1") for url in _ADDRESSES])
)


def check_probe_match(datagram: bytes) -> None:
    """An answer gives devices at the address that it came from, or none."""
    for device in devices_in(datagram, _HOST):
        assert urlsplit(device.url).hostname == _HOST
        assert len(device.name) <= ONVIF.max_text
