"""A real Chromium, the program as a user starts it, and event logs that grow."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from stream_ocr.bus.journal import DurableJournal, open_journal
from stream_ocr.config.loading import PREFIX
from stream_ocr.config.settings import DashboardSettings, Settings
from stream_ocr.events import Event, TextEvent
from stream_ocr.viz.dashboard import server as serving
from stream_ocr.viz.dashboard.context import PageContext, Preview
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.event_sources import FeedThread
from stream_ocr.viz.dashboard.search import search_buffer, search_store

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(autouse=True, scope="module")
def leaves_nothing_behind() -> Iterator[None]:
    """Here a browser and its processes live as long as a module, and not as long as a test."""
    yield
    left = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    left = psutil.wait_procs([child for child in left if "multiprocessing" not in " ".join(child.cmdline())], 5)[1]
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="module")
def chromium(leaves_nothing_behind: None) -> Iterator[Any]:
    """A browser. It reaches nothing but this machine."""
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
class Opened:
    """A page with what it asked for and what went wrong in it."""

    page: Any
    requests: list[str]
    errors: list[str]

    def until(self, expression: str, within_s: float = 20) -> None:
        """Wait until something is so in the page. (Playwright's own way needs eval, which its policy forbids.)"""
        end = time.monotonic() + within_s
        while not self.page.evaluate(f"() => {{ try {{ return {expression} }} catch {{ return false }} }}"):
            assert time.monotonic() < end, f"it did not come about: {expression}"
            self.page.wait_for_timeout(20)


@pytest.fixture
def browse(chromium: Any) -> Iterator[Callable[..., Opened]]:
    """Opens an address. Errors in the page fail the test, and so does whatever is asked of another machine."""
    opened: list[tuple[Any, Opened]] = []

    def browse(address: str, **options: Any) -> Opened:
        context = chromium.new_context(viewport=options.pop("viewport", {"width": 1440, "height": 900}), **options)
        context.set_default_timeout(20_000)
        page = context.new_page()
        made = Opened(page, [], [])
        page.on("request", lambda request: made.requests.append(request.url))
        page.on("pageerror", lambda error: made.errors.append(str(error)))
        page.on("dialog", lambda dialog: made.errors.append(f"dialog {dialog.message}"))
        opened.append((context, made))
        page.goto(address)
        return made

    yield browse
    for context, made in opened:
        here = made.page.evaluate("location.origin")
        context.close()
        assert made.errors == []
        assert [url for url in made.requests if not url.startswith((f"{here}/", "file:", "data:", "blob:"))] == []


@pytest.fixture
def axe() -> Callable[[Any], list[tuple[str, list[str]]]]:
    """What axe-core finds serious in a page: (rule, elements). The page has to let scripts in."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe: pip install axe-playwright-python"
    )

    def serious(page: Any) -> list[tuple[str, list[str]]]:
        return [
            (each["id"], [node["html"][:120] for node in each["nodes"]])
            for each in axe.Axe().run(page).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]

    return serious


@dataclass
class Program:
    """``stream-ocr dashboard`` as a process."""

    process: "subprocess.Popen[str]"
    address: str

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts ``stream-ocr dashboard ARGUMENTS``, at any free port unless told otherwise."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    started: list[Program] = []

    def start(*arguments: str | Path, port: int = 0) -> Program:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "stream_ocr.cli",
                "dashboard",
                *map(str, arguments),
                "--set",
                f"dashboard.port={port}",
            ],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert process.stderr is not None
        line = process.stderr.readline()
        started.append(Program(process, line.split(" ", 1)[0]))
        assert line.startswith("http://"), line
        return started[-1]

    yield start
    for program in started:
        program.kill()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serves the page of a source, with its video and a token if any, out of this process: its address."""
    with ExitStack() as stack:

        def serve(
            source: Path | str,
            video: Path | None = None,
            *,
            token: str | None = None,
            store: Path | None = None,
            show: Preview | None = None,
        ) -> str:
            history, feed = EventBuffer(), serving.open_feed(str(source))
            settings = Settings.load(None, [f"store.path={store}"] if store else [])
            page = PageContext(
                feed.name, history, settings, search_store(store) if store else search_buffer(history), video, show=show
            )
            listener = stack.enter_context(serving.open_listener(DashboardSettings(port=0)))
            stack.enter_context(FeedThread(feed, history))
            server = serving.create_server(page, token)
            thread = Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            return serving.dashboard_url(listener, token)

        yield serve


class Log:
    """A .jsonl file that events are added to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seq: dict[str, int] = {}
        path.touch()

    def add(self, *events: Event) -> None:
        """Append events, each at once."""
        with self.path.open("ab", buffering=0) as file:
            file.write(b"".join(event.to_json() + b"\n" for event in events))

    def text(self, kind: str, text: str, start: float, **facts: Any) -> TextEvent:
        """An event, numbered in its stream."""
        stream = facts.pop("stream", "gate")
        seq = self._seq[stream] = self._seq.get(stream, -1) + 1
        x, y, width, height = facts.pop("box", (100, 60, 300, 40))
        place = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
        given = {"track": 1, "confidence": 0.9, "size": (640, 360), "utc_source": "file", "polygon": place}
        return TextEvent(
            id=f"{stream}-{seq}", seq=seq, kind=kind, stream=stream, text=text, start=start, **given | facts
        )  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "events.jsonl")


@pytest.fixture
def journal(tmp_path: Path, endpoint: str) -> Iterator[DurableJournal]:
    """A store with a publisher, as a run has it."""
    with open_journal(
        Settings.load(None, [f"store.path={tmp_path}/events.db", f"socket.events={endpoint}"])
    ) as journal:
        assert isinstance(journal, DurableJournal)
        yield journal
