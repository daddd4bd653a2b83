"""The page of a fleet in a real browser: hosts, pictures by redirect, cameras that move, hosts that are lost."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import quote
from urllib.request import urlopen

import cv2
import msgspec
import numpy as np
import pytest
from fleet.watched import KEY, watch
from sinks.nats_server import NATS, Server, send
from sinks.server_process import eventually

from stream_ocr.fleet.dashboard import FleetHosts
from stream_ocr.fleet.watcher import Watch
from stream_ocr.service.http import StatusServer, open_listener
from stream_ocr.service.ticket import Tickets
from stream_ocr.testing import text_event
from stream_ocr.viz.thumbnails import encode_jpeg

GATE = "[...document.querySelectorAll('.tile')].find(tile => tile.textContent.startsWith('local/gate'))"


class Controller:
    """Facts that the page gets. latest: answer of the controller. trouble: of NATS."""

    def __init__(self, latest: Watch | None) -> None:
        self.latest, self.trouble = latest, ""
        self.hosts = FleetHosts(lambda: self.trouble, lambda: self.latest)


@pytest.fixture
def picture_server() -> Iterator[Callable[[int], str]]:
    """Return a function that serves a picture of a width to those with a ticket, and returns its origin."""
    tickets = Tickets(KEY.encode())
    with ExitStack() as opened:

        def start(width: int) -> str:
            picture = encode_jpeg(cv2.resize(np.zeros((9, 16, 3), np.uint8), (width, width * 9 // 16)))
            listener = open_listener("127.0.0.1:0")
            origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
            opened.enter_context(
                StatusServer(
                    listener,
                    {},
                    lambda _, query: ("image/jpeg", picture) if "ticket" in query else None,
                    lambda path, query: tickets.admits(path, query, time.time()),
                )
            )
            return origin

        yield start


def test_pictures_come_from_the_host_that_reads_the_camera(browse, serve, log, picture_server):
    north, south = picture_server(160), picture_server(320)
    controller = Controller(watch(north=north, south=None))
    opened = browse(serve(log.path, hosts=controller.hosts))
    opened.others = (north, south)
    opened.until(f"{GATE}.querySelector('img').naturalWidth === 160")
    opened.page.evaluate("globalThis.same = true")
    controller.latest = watch(north=north, number=8)
    opened.until(f"{GATE}.textContent.includes('25.0 fps · north')")
    assert opened.page.evaluate("same"), "the page was loaded again"
    # The policy of the page does not name the host that appears now, so the page is loaded again.
    controller.latest = watch("south", north=north, south=south, number=9)
    opened.until(f"{GATE}.querySelector('img').naturalWidth === 320")
    opened.until("globalThis.same === undefined")


@pytest.mark.skipif(NATS is None, reason="needs a server: apt-get install nats-server")
def test_program_shows_events_of_nats_and_searches_the_store_of_collect(tmp_path, start):
    def get(path: str):
        with urlopen(program.address + path) as response:
            return json.loads(response.read())

    store = tmp_path / "all.db"
    with Server(tmp_path / "server") as server:
        send(tmp_path / "sent", server.url, range(20), stream="gate", site="north")
        collecting = [sys.executable, "-m", "stream_ocr.cli", "collect", server.url, "--store", str(store)]
        with subprocess.Popen(collecting, stderr=subprocess.DEVNULL) as collector:
            assert eventually(store.exists)
            program = start(server.url, "--store", store)
            assert eventually(lambda: len(get("api/events.json")["events"]) == 20)
            assert {event["stream"] for event in get("api/events.json")["events"]} == {"north/gate"}
            text = text_event(7).text
            assert eventually(lambda: get(f"api/search?q={quote(text)}"))
            assert get(f"api/search?q={quote(text)}")[0]["stream"] == "north/gate"
            collector.terminate()
        assert get("api/preview/live")["events"] == {"trouble": ""}
    assert eventually(lambda: get("api/preview/live")["events"]["trouble"])


def test_policy_of_the_page_names_the_hosts_and_nothing_else(serve, log):
    address = serve(log.path, hosts=Controller(watch(north="http://127.0.0.1:1", south="http://*")).hosts)
    with urlopen(address) as response:
        policy = response.headers["Content-Security-Policy"]
    assert "; img-src 'self' http://127.0.0.1:1" in policy
    assert "*" not in policy
    with urlopen(serve(log.path, hosts=Controller(None).hosts)) as response:
        assert "img-src" not in response.headers["Content-Security-Policy"]


def test_page_shows_hosts_cameras_without_a_host_and_what_is_wrong(browse, serve, log, axe):
    controller = Controller(watch(north=None, south=None))
    opened = browse(serve(log.path, hosts=controller.hosts), bypass_csp=True)  # for axe
    opened.until("document.querySelectorAll('.tile').length === 3")
    health = "document.querySelector('#health').innerText.replace(/\\s+/g, ' ')"
    opened.until(f"{health}.startsWith('hosts 2, 1 silent cameras 1 of 3 up waiting 0 unassigned 1 frames 25 /s')")
    opened.until(f"{health}.includes('capacity 50 of 300 fps used')")
    opened.until(f"{GATE}.innerText.includes('fps')")
    texts = opened.page.evaluate("[...document.querySelectorAll('.tile')].map(tile => tile.innerText).sort()")
    assert [" ".join(text.split()) for text in texts] == [
        "local/gate 25.0 fps · north",
        "local/roof No host has room and the tags for it.",
        "local/yard Connection refused",
    ]
    opened.page.locator("#hosts summary").click()
    rows = opened.page.locator("#hosts tbody tr").all_inner_texts()
    assert rows[0].split() == ["north", "1", "25", "200", "GPU", "0.5", "s", "ago"]
    assert axe(opened.page) == []
    controller.trouble = "no servers available"
    controller.latest = watch(north=None, south=None, answered_s=time.monotonic() - 20)
    opened.until(f"{health}.startsWith('events NATS is unavailable')")
    opened.until(f"{health}.includes('controller silent for 2')")
    controller.latest = None
    opened.until("document.querySelector('#hosts').hidden")


def test_texts_of_a_lost_host_are_over_and_their_late_ends_are_taken(browse, serve, log):
    def event(run: int, *arguments, **fields):
        made = log.text(*arguments, stream="local/gate", **fields)
        return msgspec.structs.replace(made, id=f"{run}-{made.seq}")

    def live() -> list[str]:
        return opened.page.evaluate("[...streamOcr.model.streams.get('local/gate').live.values()].map(s => s.text)")

    log.add(event(17, "appeared", "LOST", 1.0), event(17, "appeared", "ENDS LATE", 1.0, track=2))
    opened = browse(serve(log.path))
    opened.until("streamOcr.model.events.length === 2")
    assert live() == ["LOST", "ENDS LATE"]
    log.add(event(18, "appeared", "OF ANOTHER HOST", 0.5, track=2))
    log.add(event(17, "ended", "ENDS LATE", 1.0, end=4.0, track=2))
    log.add(event(17, "appeared", "LATE", 3.0, track=3))
    opened.until("streamOcr.model.events.length === 5")
    assert live() == ["OF ANOTHER HOST"]
    ends = opened.page.evaluate("streamOcr.model.spans.map(span => [span.text, span.end])")
    assert dict(ends) == {"LOST": 1.0, "ENDS LATE": 4.0, "OF ANOTHER HOST": None, "LATE": 3.0}
