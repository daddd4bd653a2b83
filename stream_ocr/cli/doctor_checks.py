"""Checks of an installation: packages, models, devices, weights."""

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from stream_ocr.config.settings import Settings
from stream_ocr.errors import StreamOcrError
from stream_ocr.models import devices, presets, weights
from stream_ocr.viz import drawing

RUNTIMES: tuple[devices.Runtime, ...] = ("torch", "onnx")
_PACKAGES = (
    "torch",
    "mnn",
    "onnxruntime",
    "av",
    "opencv-python-headless",
    "numpy",
    "scipy",
    "filterpy",
    "pyzmq",
    "rapidocr",
)


@dataclass(frozen=True)
class Finding:
    """One line of the report. ``ok`` is False for a problem that prevents reading."""

    topic: str
    text: str
    ok: bool = True


def run_checks(settings: Settings) -> Iterator[Finding]:
    """Yield the findings of all checks."""
    yield Finding(
        "stream-ocr", f"{_version('stream-ocr')} on Python {platform.python_version()}, {platform.platform()}"
    )
    yield Finding("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    yield Finding("cores", f"{devices.usable_cores()} usable of {os.cpu_count()}")
    yield _shared_memory()
    for runtime in RUNTIMES:
        yield _try(runtime, lambda runtime=runtime: str(presets.pick_for(settings, runtime)))  # type: ignore[misc]
    yield _try("models", lambda: f"{settings.models} ({presets.select_preset(settings).reason})")
    yield from _networks(settings)
    yield from _weights()
    yield Finding("label font", drawing.font_name())


def _networks(settings: Settings) -> Iterator[Finding]:
    try:
        for part, text in presets.describe(settings):
            yield Finding(part, text)
    except StreamOcrError as error:
        yield Finding("networks", str(error), ok=False)


def _weights() -> Iterator[Finding]:
    try:
        for name in sorted(weights.manifest()):
            yield Finding("weights", f"{name}: {format_metrics(weights.load_net(name)[0])}")
    except StreamOcrError as error:
        yield Finding("weights", str(error), ok=False)


def format_metrics(entry: Mapping[str, Any]) -> str:
    """Return the metrics metrics of a manifest entry of weights."""
    metrics = (entry.get("figures") or {}).items()
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in metrics
    )


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
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(not installed)"
