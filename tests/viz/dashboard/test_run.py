"""The dashboard of a run: images of its cameras with the texts on screen."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_ocr.config.loading import PREFIX
from stream_ocr.synthetic.scene import Scene, Text, draw_frames, render, truth
from stream_ocr.testing.oracles import texts_at
from stream_ocr.viz.dashboard.context import RemoteStatus

SIZE = (640, 360)
TEXTS = (
    Text("PLATFORM 4", 0.0, 90.0, (60, 60), height=44, panel=(28, 52, 110)),
    Text("NIGHT TRAIN", 0.0, 90.0, (60, 220), height=44, panel=(28, 52, 110)),
)
SCENE = Scene(TEXTS, duration_s=90.0, size=SIZE, fps=3, background="static")


@dataclass
class Run:
    """``stream-ocr run --dashboard`` as a process."""

    process: "subprocess.Popen[str]"
    address: str
    listen: str


@pytest.fixture
def run(tmp_path: Path, endpoint: str) -> Iterator[Run]:
    render(SCENE, tmp_path / "platform.mp4")
    listen, config = endpoint.removeprefix("tcp://"), tmp_path / "live.yaml"
    config.write_text(
        f"models: builtin\nsources:\n  platform: {{path: {tmp_path}/platform.mp4}}\n"
        f"store: {{path: {tmp_path}/events.db}}\nservice: {{listen: '{listen}'}}\ndashboard: {{port: 0}}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_ocr.cli", "run", str(config), "--plain", "--dashboard"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
    )
    assert process.stderr is not None
    output = ""
    for line in process.stderr:
        output += line
        if line.endswith("shows the dashboard\n"):
            break
    assert output.endswith("shows the dashboard\n"), output
    yield Run(process, output.splitlines()[-1].split()[0], listen)
    process.kill()
    process.communicate()


def boxes(page) -> dict[str, tuple[float, float, float, float]]:
    """Return (left, top, right, bottom) of the outline of each text on the image, in source pixels."""
    found = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".tile g")].map(group => {
            const frame = document.querySelector(".tile img").getBoundingClientRect();
            const box = group.querySelector("polygon").getBoundingClientRect();
            return [group.querySelector("text").textContent,
                    [(box.left - frame.left) / frame.width, (box.top - frame.top) / frame.height,
                     (box.right - frame.left) / frame.width, (box.bottom - frame.top) / frame.height]];
        }))"""
    )
    return {text: tuple(share * SIZE[n % 2] for n, share in enumerate(box)) for text, box in found.items()}


def overlap(a, b) -> float:
    """Intersection over union of (left, top, right, bottom)."""
    both = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    area = sum((right - left) * (bottom - top) for left, top, right, bottom in (a, b))
    return both / (area - both)


@pytest.mark.slow
def test_dashboard_of_a_run_shows_cameras_with_their_texts(run, browse, axe):
    opened = browse(run.address, bypass_csp=True)  # for axe
    page = opened.page
    opened.until("document.querySelectorAll('.tile g').length === 2", within_s=60)
    opened.until("document.querySelector('.tile img').naturalWidth === 640", within_s=30)
    found = boxes(page)
    for text, (x, y, width, height) in texts_at(truth(SCENE), 1.0):
        assert overlap(found[text], (x, y, x + width, y + height)) >= 0.6, (text, found)
    opened.until("document.querySelector('#health').textContent.includes('cameras1 of 1 up')", within_s=30)
    assert [url for url in opened.requests if not url.startswith((run.address, "data:"))] == []

    assert axe(page) == []

    remote = RemoteStatus(run.listen)  # as used by the dashboard of another process
    kind, data = remote.fetch("/picture", {"stream": "platform", "width": "640"})
    picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    expected = next(draw_frames(SCENE))[1]
    assert kind == "image/jpeg"
    assert np.abs(picture.astype(int) - expected).mean() < 8
    assert remote.fetch("/picture", {"stream": "nowhere"}) is None

    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(timeout=30) == 0
    assert remote.fetch("/live", {}) is None
    opened.until("document.querySelector('#connection').dataset.state === 'lost'")
