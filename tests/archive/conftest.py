from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import stream_ocr
from stream_ocr import Settings
from stream_ocr.archive.sources import Sources
from stream_ocr.events import TextEvent, read_jsonl
from stream_ocr.synthetic.scene import Scene, Text, render

SETTINGS = ("models=builtin", "device=cpu", "threads=1")
LINES = {"a/first.mp4": "Good morning", "a/second.mp4": "Platform seven", "b/third.mp4": "Mind the gap"}


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings.load(overrides=SETTINGS)


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> Path:
    """A folder with three clips of a second, each with a line of text."""
    folder = tmp_path_factory.mktemp("films")
    for name, text in LINES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        render(
            Scene((Text(text, 0.2, 0.8, (320, 300), "middle", height=28),), 1.0, (640, 360)),
            folder / name,
        )
    return folder


@pytest.fixture(scope="session")
def truncated(films, tmp_path_factory) -> Path:
    """A clip whose second half is missing."""
    data = (films / "a/first.mp4").read_bytes()
    path = tmp_path_factory.mktemp("damaged") / "damaged.mp4"
    path.write_bytes(data[: len(data) // 2])
    return path


@pytest.fixture(scope="session")
def serial(films, settings) -> dict[str, bytes]:
    """The events of each clip by its stream, read one after the other, without the time of the run."""
    return {
        source.stream: _without_run(stream_ocr.read(source.address, settings, stream=source.stream))
        for source in Sources([str(films)])
    }


@pytest.fixture
def union() -> Callable[[Path], dict[str, bytes]]:
    """Return the published events of an output folder in the same form."""

    def read(out: Path) -> dict[str, bytes]:
        files = sorted(out.glob("units/**/events.jsonl"))
        return {str(f.parent.relative_to(out / "units"))[: -len(".ocr")]: _without_run(read_jsonl(f)) for f in files}

    return read


def _without_run(events) -> bytes:
    """Return the lines of the events. ``emitted_utc`` is the only field that depends on when they were read."""
    lines = []
    for event in events:
        assert isinstance(event, TextEvent)
        lines.append(msgspec.structs.replace(event, emitted_utc=None).to_json() + b"\n")
    return b"".join(lines)
