"""A camera that is found by ONVIF, put into settings and read over RTSP."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from onvif_camera.camera import OnvifCamera
from onvif_camera.messages import Profile
from rtsp_camera.camera_run import LONG_S, Run

PASSWORD = "s3cr3t-p4ss"


def test_discovered_camera_is_read(
    clip: Any, camera: Callable[..., Any], start: Callable[..., Any], tmp_path: Path
) -> None:
    rtsp = camera(clip.path, user="viewer", password=PASSWORD)
    address = rtsp.url.replace(f"viewer:{PASSWORD}@", "")
    (tmp_path / "login").write_text(f"viewer:{PASSWORD}")
    profiles = (Profile("p1", "Main", address, (640, 360)),)
    with OnvifCamera(profiles, host="127.0.0.1", name="Platform 2", login=("viewer", PASSWORD)):
        program = [sys.executable, "-m", "stream_ocr.cli", "cameras", "discover", "--yaml", "--interface", "lo"]
        options = ["--timeout", "2", "--login", f"file:{tmp_path}/login"]
        found = subprocess.run([*program, *options], capture_output=True, text=True, check=True, timeout=LONG_S).stdout
    assert PASSWORD not in found
    (entry,) = [line.split("# ", 1)[1] for line in found.splitlines() if "USER:PASSWORD" in line]
    name, _, template = entry.partition("=")
    settings = {
        **yaml.safe_load(found),
        **{"models": "builtin", "device": "cpu", "threads": 1, "service": {"listen": None}},
        "sinks": [{"type": "jsonl", "path": str(tmp_path / "run" / "events.jsonl")}],
    }
    (tmp_path / "run" / "live.yaml").write_text(yaml.safe_dump(settings))
    variable = f"{name}={template.replace('USER:PASSWORD', f'viewer:{PASSWORD}')}"
    run = Run(start("run", "live.yaml", before=["env", variable]), tmp_path / "run", 0)
    run.wait_until(lambda: any(event["text"] == "Good morning" for event in run.events("platform-2", "appeared")))
    assert run.end(signal.SIGTERM, within_s=LONG_S) == 0
    assert PASSWORD not in json.dumps(run.events()) + run.stderr()
