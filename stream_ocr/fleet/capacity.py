"""Capacity of a host, measured: frames per second of cameras that it can read with little latency."""

import tempfile
import time
from pathlib import Path

from stream_ocr.api import Pipeline
from stream_ocr.config.settings import Settings
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.logs import get_logger
from stream_ocr.synthetic.clips import build_clip
from stream_ocr.synthetic.scene import render

log = get_logger(__name__)


def measure_fps(settings: Settings) -> float:
    """Return the frames per second to offer. The measure is the generated clip ``surveillance`` at 1280×720.

    settings: of the models. Takes half a minute.
    """
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "surveillance.mp4"
        render(build_clip("surveillance", duration_s=THRESHOLDS.measured_s), clip)
        with Pipeline([clip], settings) as pipeline:
            started_s = time.monotonic()
            for _ in pipeline.events():
                pass
            frames = pipeline.summary().frames
            full_speed = frames / (time.monotonic() - started_s)
    offered = THRESHOLDS.measured_share * full_speed
    log.info("capacity is measured", full_speed_fps=round(full_speed), offered_fps=round(offered))
    return offered
