"""Takes the pictures of this documentation: ``make screenshots``. Needs Chromium and Playwright; takes some minutes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Browser, sync_playwright

from stream_ocr.synthetic.clips import build_clip
from stream_ocr.synthetic.scene import demo_scene, render

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CAMERAS = {"dock": "surveillance", "hall": "slides", "news": "ticker", "street": "street"}
MOST_BYTES = 200_000


def main() -> None:
    with TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        render(demo_scene(), folder / "demo.mp4")
        stream_ocr("read", "demo.mp4", "-o", "events.jsonl", "--set", "models=builtin", cwd=folder)
        stream_ocr("report", "events.jsonl", "--video", "demo.mp4", "-o", "report.html", cwd=folder)
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=[*options, "--disable-gpu"])
        of_video(browser, folder)
        of_report(browser, folder)
        of_cameras(browser, folder)
        browser.close()


def of_video(browser: Browser, folder: Path) -> None:
    command = ["dashboard", "events.jsonl", "--video", "demo.mp4", "--set", "dashboard.port=0"]
    with served(command, folder) as address:
        page = opened(browser, address)
        page.wait_for_timeout(2000)
        page.evaluate("streamOcr.screen.seek(6.6)")
        page.wait_for_timeout(1500)
        keep(page.screenshot(), "page-video.webp")


def of_report(browser: Browser, folder: Path) -> None:
    page = opened(browser, (folder / "report.html").as_uri(), height=1000)
    page.wait_for_timeout(500)
    keep(page.screenshot(), "page-report.webp")


def of_cameras(browser: Browser, folder: Path) -> None:
    for camera, clip in CAMERAS.items():
        render(replace(build_clip(clip, (960, 540), 60.0), fps=10), folder / f"{camera}.mp4")
    sources = "".join(f"  {camera}: {{path: {camera}.mp4, max_fps: 1}}\n" for camera in CAMERAS)
    settings = f"models: builtin\nsources:\n{sources}service: {{listen: null}}\ndashboard: {{port: 0}}\n"
    (folder / "live.yaml").write_text(settings)
    with served(["run", "live.yaml", "--plain", "--dashboard"], folder) as address:
        page = opened(browser, address, color_scheme="dark")
        page.wait_for_timeout(35_000)
        keep(page.screenshot(), "page-cameras.webp")
        page = opened(browser, address, width=390, height=844, device_scale_factor=2)
        page.wait_for_timeout(5_000)
        keep(page.screenshot(), "page-phone.webp")


def opened(browser: Browser, address: str, width: int = 1440, height: int = 900, **options: Any) -> Any:
    page = browser.new_context(viewport={"width": width, "height": height}, **options).new_page()
    page.goto(address)
    return page


def stream_ocr(*arguments: str, cwd: Path) -> None:
    subprocess.run([sys.executable, "-m", "stream_ocr.cli", *arguments], cwd=cwd, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def served(arguments: list[str], folder: Path) -> Iterator[str]:
    """The address that a command says it serves, until it is left."""
    with subprocess.Popen(
        [sys.executable, "-m", "stream_ocr.cli", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        yield next(line.split()[0] for line in process.stderr if line.startswith("http://"))
        process.terminate()
        process.stderr.read()


def keep(png: bytes, name: str) -> None:
    """Write a picture as WebP, as well as its size allows."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    for quality in (90, 80, 70, 60, 50):
        data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if len(data) <= MOST_BYTES:
            break
    (HERE / name).write_bytes(data)
    print(f"docs/{name}: {len(data) // 1000} kB")


if __name__ == "__main__":
    main()
