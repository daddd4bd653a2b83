"""Access of decoders to files and sockets."""

import os
from pathlib import Path

from stream_ocr.config.settings import Settings
from stream_ocr.config.stages import DecodeSettings
from stream_ocr.sources.access import source_access, video_access

DECODE = DecodeSettings()


def source(**values: str) -> Settings:
    return Settings.model_validate({"sources": {"gate": values}})


def test_a_file_needs_itself() -> None:
    access = video_access(Path(os.fsdecode(b"/films/caf\xe9.mp4")), DECODE)
    assert access is not None
    assert (access.files, access.network) == (("/films/caf\xe9.mp4",), False)
    assert video_access(Path("a.mp4"), DecodeSettings(confined=False)) is None


def test_an_address_needs_the_network_and_the_authorities(tmp_path: Path) -> None:
    access = video_access("https://example.org/a.mp4", DecodeSettings(ca_file=tmp_path))
    assert access is not None
    assert (access.files, access.network, access.ports) == ((str(tmp_path),), True, ())


def test_a_camera_needs_its_port() -> None:
    ports = {"rtsp://10.0.0.7/a": (554,), "rtsps://10.0.0.7/a": (322,), "rtsp://u:p@[::1]:8554/a": (8554,)}
    for url, expected in (ports | {"http://10.0.0.7/a.m3u8": ()}).items():
        access = source_access(source(url=url, ca_file="/etc/own.pem").sources["gate"], DECODE)
        assert access is not None
        assert (access.files, access.network, access.ports) == (("/etc/own.pem",), True, expected)


def test_a_device_needs_itself() -> None:
    access = source_access(source(path="/dev/video0").sources["gate"], DECODE)
    assert access is not None
    assert (access.files, access.network) == (("/dev/video0",), False)
    assert source_access(source(path="/dev/video0").sources["gate"], DecodeSettings(confined=False)) is None
