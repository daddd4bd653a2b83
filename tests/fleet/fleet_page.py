"""The dashboard of a fleet as a program, and its page in a real browser."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fleet.cluster import Fleet
from viz.dashboard.browser import started_chromium


class FleetPage:
    """The page of a fleet. pictures: URL of the latest picture of each camera that was loaded."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.errors = page, []
        self.pictures: dict[str, str] = {}
        page.on("response", self._on_response)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(address)

    def origin(self, camera: str) -> str:
        """Return where the latest picture of a camera came from."""
        url = urlsplit(self.pictures.get(camera, ""))
        return f"{url.scheme}://{url.netloc}"

    def until(self, condition: Callable[[], object], within_s: float = 60.0) -> None:
        """Wait until a condition holds."""
        end_s = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end_s, (self.pictures, self.text("#health"))
            self.page.wait_for_timeout(50)

    def text(self, selector: str) -> str:
        """Return the text of an element, in one line."""
        return " ".join(self.page.locator(selector).first.inner_text().split())

    def _on_response(self, response: Any) -> None:
        url = urlsplit(response.url)
        if url.path == "/picture" and response.status == 200:
            self.pictures[dict(parse_qsl(url.query))["stream"]] = response.url


@contextmanager
def opened_page(fleet: Fleet) -> Iterator[FleetPage]:
    """Start ``stream-ocr dashboard`` for a fleet, and open its page."""
    arguments = [fleet.server.url, "--ray", fleet.cluster.address, "--set", "dashboard.port=0"]
    command = [sys.executable, "-m", "stream_ocr.cli", "dashboard", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as program:
        try:
            assert program.stderr is not None
            line = next((line for line in program.stderr if " shows " in line), "")
            assert line.startswith("http://"), line
            with started_chromium() as browser:
                page = FleetPage(browser.new_page(), line.split()[0])
                yield page
                assert page.errors == []
        finally:
            program.send_signal(signal.SIGINT)
            try:
                assert program.wait(20) == 0
            except subprocess.TimeoutExpired:
                program.kill()
                pytest.fail("the dashboard does not end")
