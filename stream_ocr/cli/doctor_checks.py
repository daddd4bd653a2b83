"""Checks of an installation: packages, models, devices, weights."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from stream_ocr import confinement
from stream_ocr.config.settings import Settings
from stream_ocr.errors import StreamOcrError
from stream_ocr.models import devices, presets, weights
from stream_ocr.viz import drawing

_PACKAGES = ("av", "opencv-python-headless", "numpy", "scipy", "filterpy", "mnn", "pyzmq")
_OPENCV_PACKAGES = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
EXTRAS: Mapping[str, tuple[str, str]] = {
    "onnx": ("onnxruntime", "runs ONNX models of your own, and the built-in recogniser faster than MNN"),
    "ppocr": ("rapidocr", "PP-OCRv6: second reader, and models that read other scripts"),
    "torch": ("torch", "training, CUDA, dtype bf16"),
    "dashboard": ("uvicorn", "web dashboard"),
    "serve": ("python-multipart", "reading of files that are sent over HTTP"),
    "webhook": ("httpcore", "webhook sink"),
    "mqtt": ("paho-mqtt", "MQTT sink"),
    "nats": ("nats-py", "NATS sink and collect"),
    "rules": ("google-re2", "patterns and watched words in rules"),
    "parquet": ("pyarrow", "Parquet files"),
    "onvif": ("onveef", "search for ONVIF cameras"),
    "scenes": ("scenedetect-headless", "cuts in lists of scenes"),
    "archive": ("fsspec", "archives on object stores and web servers"),
    "cluster": ("ray", "archives read by many machines"),
    "notebook": ("pandas", "tables in pandas"),
    "export": ("onnx", "export of the models as ONNX"),
}
"""Extras with the package that each brings and what it is for."""


@dataclass(frozen=True)
class Finding:
    """One line of the report. ok: False for a problem that prevents reading, None for an extra that is missing."""

    topic: str
    text: str
    ok: bool | None = True


def run_checks(settings: Settings) -> Iterator[Finding]:
    """Yield the findings of all checks."""
    yield Finding(
        "stream-ocr", f"{_version('stream-ocr')} on Python {platform.python_version()}, {platform.platform()}"
    )
    yield Finding("packages", ", ".join(f"{name} {_version(name) or '(not installed)'}" for name in _PACKAGES))
    yield from _extras()
    yield from _opencv()
    yield Finding("cores", f"{devices.usable_cores()} usable of {os.cpu_count()}")
    yield _shared_memory()
    yield Finding("confinement", confinement.describe(), ok=None if confinement.missing() else True)
    yield _try("models", lambda: f"{settings.models} ({presets.select_preset(settings).chosen})")
    yield from _networks(settings)
    yield from _weights()
    yield Finding("label font", drawing.font_name())


def _networks(settings: Settings) -> Iterator[Finding]:
    try:
        for part, text in presets.describe(settings):
            yield Finding(part, text)
    except StreamOcrError as error:
        yield Finding("networks", str(error), ok=False)


def _extras() -> Iterator[Finding]:
    for extra, (package, purpose) in EXTRAS.items():
        version = _version(package)
        state = f"{package} {version}" if version else f"pip install 'stream-ocr[{extra}]'"
        yield Finding(f"[{extra}]", f"{purpose}: {state}", ok=True if version else None)


def _opencv() -> Iterator[Finding]:
    builds = [name for name in _OPENCV_PACKAGES if _version(name)]
    if len(builds) > 1:
        yield Finding(
            "opencv",
            f"{' and '.join(builds)} share one folder and overwrite each other; "
            f"pip uninstall -y {' '.join(builds)} && pip install opencv-python-headless",
            ok=False,
        )


def _weights() -> Iterator[Finding]:
    try:
        for name, entry in sorted(weights.manifest().items()):
            yield Finding(
                "weights", f"{describe_weights(name, entry)}; {', '.join(weights.verify(name))}: checksums match"
            )
    except StreamOcrError as error:
        yield Finding("weights", str(error), ok=False)


def describe_weights(name: str, entry: Mapping[str, Any]) -> str:
    """Return one line about a network of the manifest: name, kind and architecture."""
    kind = {"recognizer": "recogniser"}.get(entry["kind"], entry["kind"])
    return f"{name}: {kind}, {entry['architecture']}"


def _shared_memory() -> Finding:
    if not hasattr(os, "memfd_create"):
        return Finding(
            "processes", "no memfd on this system: only --in-process works; use Linux for worker processes", ok=False
        )
    os.close(os.memfd_create("stream-ocr-doctor"))
    return Finding("processes", "shared memory by memfd works")


def _try(topic: str, text: Callable[[], str]) -> Finding:
    try:
        return Finding(topic, text())
    except StreamOcrError as error:
        return Finding(topic, str(error), ok=False)


def _version(package: str) -> str:
    """Return the version of a package; empty when it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
