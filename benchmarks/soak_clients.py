"""Clients of the soak: a viewer of the dashboard, and a subscriber of the bus. Both connect again and again."""

import http.client
import json
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from stream_ocr.client import subscribe
from stream_ocr.errors import SubscribeError

SILENCE_S = 15.0  # the page connects again after that long without a heartbeat
RETRY_S = 0.5
PICTURE_S = 1.0
WIDTH_PX = 400
LIFE_S = 60.0  # of a subscription, which then resumes from its cursor
ERRORS = (OSError, http.client.HTTPException, ValueError)


Key = tuple[str, int, str]
"""Stream, ``seq`` and id of an event."""


class Client:
    """Threads that run until ``end``."""

    def __init__(self, *tasks: Callable[[], None]) -> None:
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=(task,), daemon=True) for task in tasks]
        self.failures: Counter[str] = Counter()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(SILENCE_S + 5)

    def _repeat(self, task: Callable[[], None]) -> None:
        while not self._ends.is_set():
            try:
                task()
            except (*ERRORS, SubscribeError) as error:
                self.failures[type(error).__name__] += 1
            self._ends.wait(RETRY_S)


class Viewer(Client):
    """Follows the event stream of the dashboard as a browser does, and loads every new picture of every camera.

    received: all events. repeated: how many came more than once in one numbering of the server; when the server
    begins another numbering, a page discards its events and gets all of them again.
    """

    def __init__(self, address: str) -> None:
        """address: host:port."""
        super().__init__(self._follow, self._watch)
        self.received: set[Key] = set()
        self.connections = self.restarts = self.repeated = self.pictures = self.picture_bytes = 0
        self._address, self._position = address, ""
        self._page: set[Key] = set()  # what a page would have now
        self._numbers: dict[str, int] = {}

    def figures(self) -> dict[str, Any]:
        return {
            "connections": self.connections,
            "restarts_of_the_numbering": self.restarts,
            "repeated": self.repeated,
            "pictures": self.pictures,
            "picture_mb": round(self.picture_bytes / 1e6, 1),
            "failed_requests": dict(self.failures),
        }

    def _follow(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=SILENCE_S)
        try:
            headers = {"Last-Event-ID": self._position} if self._position else {}
            connection.request("GET", "/api/events", headers=headers)
            response = connection.getresponse()
            self.connections += 1
            message: dict[str, str] = {}
            while not self._ends.is_set() and (line := response.readline()):
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    message[name] = value
                else:
                    self._handle(message)
                    message = {}
        finally:
            connection.close()

    def _handle(self, message: dict[str, str]) -> None:
        self._position = message.get("id", self._position)
        if message.get("event") == "restart":
            self.restarts += 1
            self._page = set()
        elif message.get("event") == "events":
            keys = [(event["stream"], event["seq"], event["id"]) for event in json.loads(message["data"])]
            self.repeated += len(keys) - len(set(keys) - self._page)
            self._page |= set(keys)
            self.received |= set(keys)

    def _watch(self) -> None:
        """Load pictures until a request fails."""
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            while not self._ends.wait(PICTURE_S):
                status, body = self._get(connection, "/api/preview/live")
                cameras = json.loads(body)["cameras"] if status == http.HTTPStatus.OK else {}
                for name, camera in cameras.items():
                    number = camera["frame_number"]
                    if self._numbers.get(name) == number:
                        continue
                    self._numbers[name] = number
                    query = urllib.parse.urlencode({"stream": name, "width": WIDTH_PX, "n": number})
                    status, body = self._get(connection, f"/api/preview/picture?{query}")
                    if status == http.HTTPStatus.OK:
                        self.pictures += 1
                        self.picture_bytes += len(body)
        finally:
            connection.close()

    @staticmethod
    def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()


class Received(NamedTuple):
    """An event from the bus. life: number of the subscription."""

    stream: str
    seq: int
    id: str
    life: int


class Subscriber(Client):
    """Follows the bus with a cursor. Every minute the subscription is closed and resumed from the cursor."""

    def __init__(self, endpoint: str, cursor: Path) -> None:
        super().__init__(self._follow)
        self.received: list[Received] = []
        self.lives = self.lost = 0
        self._endpoint, self._cursor = endpoint, cursor

    def _follow(self) -> None:
        with subscribe(self._endpoint, since="start", cursor=self._cursor) as subscription:
            ends_s = time.monotonic() + LIFE_S
            while time.monotonic() < ends_s and not self._ends.is_set():
                if (event := subscription.receive(0.25)) is not None:
                    self.received.append(Received(event.stream, event.seq, event.id, self.lives))
            self.lost += subscription.lost
        self.lives += 1

    def repeated(self) -> int:
        """Return how many events were received again."""
        return len(self.received) - len({(event.stream, event.seq, event.id) for event in self.received})

    def gaps(self) -> int:
        """Return how often a number did not follow its predecessor in its stream."""
        streams: dict[str, list[int]] = {}
        for event in self.received:
            streams.setdefault(event.stream, []).append(event.seq)
        first = sum(numbers[0] != 0 for numbers in streams.values())
        return first + sum(later != earlier + 1 for numbers in streams.values() for earlier, later in pairwise(numbers))
