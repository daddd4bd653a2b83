"""Fixtures: a real Chromium, ``stream-ocr dashboard`` as a process, growing event logs."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import psutil
import pytest
from viz.dashboard.browser import OpenPage, started_chromium
from viz.dashboard.browser_page import SCENE

from stream_ocr.bus.journal import DurableJournal, open_journal
from stream_ocr.config.loading import ENV_PREFIX
from stream_ocr.config.settings import DashboardSettings, Settings
from stream_ocr.events import Event, TextEvent
from stream_ocr.synthetic.scene import draw_frames, render, truth
from stream_ocr.testing import read_scripted
from stream_ocr.viz.dashboard import server as serving
from stream_ocr.viz.dashboard.address import dashboard_url, open_listener
from stream_ocr.viz.dashboard.context import Hosts, PageContext, PreviewHandler
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.event_sources import FeedThread
from stream_ocr.viz.dashboard.search import search_buffer, search_store


@pytest.fixture(autouse=True, scope="module")
def check_leaks() -> Iterator[None]:
    """Check for leftover processes once per module, as the browser lives as long as a module."""
    yield
    left = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    left = psutil.wait_procs([child for child in left if "multiprocessing" not in " ".join(child.cmdline())], 5)[1]
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="module")
def chromium(check_leaks: None) -> Iterator[Any]:
    """Start a browser."""
    with started_chromium() as browser:
        yield browser


@pytest.fixture
def browse(chromium: Any) -> Iterator[Callable[..., OpenPage]]:
    """Return a function that opens a URL. Errors in the page and requests to other hosts fail the test."""
    opened: list[tuple[Any, OpenPage]] = []

    def browse(address: str, **options: Any) -> OpenPage:
        context = chromium.new_context(viewport=options.pop("viewport", {"width": 1440, "height": 900}), **options)
        context.set_default_timeout(20_000)
        page = context.new_page()
        made = OpenPage(page, [], [])
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
        allowed = (f"{here}/", "file:", "data:", "blob:", *made.others)
        assert [url for url in made.requests if not url.startswith(allowed)] == []


@pytest.fixture
def axe() -> Callable[[Any], list[tuple[str, list[str]]]]:
    """Return a function that lists serious axe-core violations: (rule, elements). The page must allow scripts."""
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
    """Return a function that starts ``stream-ocr dashboard ARGUMENTS``, at any free port by default."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
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
    """Return a function that serves a dashboard from this process and returns its URL."""
    with ExitStack() as stack:

        def serve(
            source: Path | str,
            video: Path | None = None,
            *,
            token: str | None = None,
            store: Path | None = None,
            preview: PreviewHandler | None = None,
            hosts: Hosts | None = None,
        ) -> str:
            buffer, feed = EventBuffer(), serving.open_feed(str(source))
            settings = Settings.load(None, [f"store.path={store}"] if store else [])
            page = PageContext(
                feed.name,
                buffer,
                settings,
                search_store(store) if store else search_buffer(buffer),
                video,
                preview=preview,
                hosts=hosts,
            )
            listener = stack.enter_context(open_listener(DashboardSettings(port=0)))
            stack.enter_context(FeedThread(feed, buffer))
            server = serving.create_server(page, token)
            thread = Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            return dashboard_url(listener, token)

        yield serve


class Log:
    """A .jsonl file that events are appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seq: dict[str, int] = {}
        path.touch()

    def add(self, *events: Event) -> None:
        """Append events."""
        with self.path.open("ab", buffering=0) as file:
            file.write(b"".join(event.to_json() + b"\n" for event in events))

    def text(self, kind: str, text: str, start: float, **fields: Any) -> TextEvent:
        """Create an event with the next ``seq`` of its stream."""
        stream = fields.pop("stream", "gate")
        seq = self._seq[stream] = self._seq.get(stream, -1) + 1
        x, y, width, height = fields.pop("box", (100, 60, 300, 40))
        polygon = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
        defaults = {"track": 1, "confidence": 0.9, "size": (640, 360), "utc_source": "file", "polygon": polygon}
        return TextEvent(
            id=f"{stream}-{seq}", seq=seq, kind=kind, stream=stream, text=text, start=start, **defaults | fields
        )  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "events.jsonl")


@pytest.fixture
def journal(tmp_path: Path, endpoint: str) -> Iterator[DurableJournal]:
    """Open a store with a publisher, as a run does."""
    with open_journal(
        Settings.load(None, [f"store.path={tmp_path}/events.db", f"socket.events={endpoint}"])
    ) as journal:
        assert isinstance(journal, DurableJournal)
        yield journal


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Return (video, log, truth) of a clip that any browser plays, with exact events."""
    folder = tmp_path_factory.mktemp("clip")
    render(SCENE, folder / "clip.mp4")
    true = truth(SCENE)
    start = SCENE.start_s
    grey = ((float(t) + start, cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)) for t, picture in draw_frames(SCENE))
    events = read_scripted(grey, true)
    (folder / "events.jsonl").write_bytes(b"".join(event.to_json() + b"\n" for event in events))
    return folder / "clip.mp4", folder / "events.jsonl", true
