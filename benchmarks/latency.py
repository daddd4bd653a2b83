"""Measure the latency of cameras, from the first frame of a text to its event.

    python benchmarks/latency.py [--seconds 60] [--clips surveillance,subtitles] [--set NAME=VALUE] [--out FILE]

Plays clips, one after the other, on the RTSP camera of the tests at 1280×720 and 25 frames a second, and measures it
with ``stream-ocr bench live``. The camera runs on the same machine, so both share one clock.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import yaml

from stream_ocr import logging_config
from stream_ocr.config.settings import Settings
from stream_ocr.evaluation.bench import live_latency
from stream_ocr.synthetic import clips
from stream_ocr.synthetic.scene import render

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from rtsp_camera.handle import Camera, missing_for_cameras


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clips", default="surveillance,subtitles")
    parser.add_argument("--set", action="append", default=["models=builtin", "device=cpu"])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if missing := missing_for_cameras():
        sys.exit(missing)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "live.yaml")
        for name in arguments.clips.split(","):
            clip = Path(folder, f"{name}.mp4")
            render(clips.build_clip(name, (1280, 720), 30.0), clip, gop=50)
            camera = Camera(clip)
            settings = {"sources": {name: {"url": camera.url}}, "service": {"listen": None}}
            config.write_text(yaml.safe_dump(settings), encoding="utf-8")
            logging_config.configure(Settings.load(config, arguments.set))
            results[name] = live_latency.measure(config, arguments.set, arguments.seconds)
            camera.kill()
            live_latency.show(results[name])
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
