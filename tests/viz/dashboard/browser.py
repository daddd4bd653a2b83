"""A real Chromium, and a page in it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")


@contextmanager
def started_chromium() -> Iterator[Any]:
    """Start a browser. It can reach this machine only."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM}: apt-get install chromium")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(CHROMIUM), args=[*root, "--disable-gpu", "--mute-audio", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@dataclass
class OpenPage:
    """A page with its requests and errors. others: origins that it may use besides its own."""

    page: Any
    requests: list[str]
    errors: list[str]
    others: tuple[str, ...] = ()

    def until(self, expression: str, within_s: float = 20) -> None:
        """Wait until a JavaScript expression is true. (Playwright's own wait needs eval, which the CSP forbids.)"""
        end = time.monotonic() + within_s
        while not self._is_true(expression):
            assert time.monotonic() < end, f"timed out: {expression}"
            self.page.wait_for_timeout(20)

    def _is_true(self, expression: str) -> bool:
        try:
            found = self.page.evaluate(f"() => {{ try {{ return {expression} }} catch {{ return false }} }}")
        except Exception as error:
            if "because of a navigation" not in str(error):
                raise
            return False  # the page is loaded again
        return bool(found)
