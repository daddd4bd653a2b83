"""What is known of each camera while it is watched."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field

from stream_ocr.core.messages import Published
from stream_ocr.events import SourceEvent, TextEvent
from stream_ocr.events.polygon import Flat

_RECENT_S = 5.0
_TEXTS = 3


@dataclass
class Camera:
    """One camera. Ages are seconds; ``texts`` are the latest ones.

    Others than the thread that it hears in copy what they look through: ``list(camera.texts)``.
    """

    state: str = "starting"  # up, down, starting
    reason: str | None = None
    events: Counter[str] = field(default_factory=Counter)  # by kind
    dropped: Counter[str] = field(default_factory=Counter)  # pictures by why
    texts: deque[str] = field(default_factory=lambda: deque(maxlen=_TEXTS))
    places: tuple[tuple[int, Flat], ...] = ()  # where its texts are, by track
    places_s: float = 0.0  # and at which media time
    _heard_s: float | None = None
    _progress: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def age_s(self) -> float | None:
        """Since a picture has last come through all stages."""
        return None if self._heard_s is None else time.monotonic() - self._heard_s

    @property
    def fps(self) -> float:
        """Pictures that came through all stages, per second, of late."""
        since_s = time.monotonic() - _RECENT_S
        recent = [entry for entry in list(self._progress) if entry[0] > since_s]
        if len(recent) < 2 or recent[-1][0] == recent[0][0]:
            return 0.0
        return max(recent[-1][1] - recent[0][1], 0) / (recent[-1][0] - recent[0][0])

    def hear(self, message: Published) -> None:
        """Take in what came out of the last stage."""
        now = time.monotonic()
        for source in message.sources:
            self._turn(source)
        if not message.captured_ns:
            return
        self._heard_s = now
        self._progress.append((now, message.frames))
        self.places, self.places_s = message.places, message.time_s
        while self._progress[0][0] < now - _RECENT_S:
            self._progress.popleft()
        for event in message.events:
            self._see(event)

    def _turn(self, event: SourceEvent) -> None:
        self.events[event.kind] += 1
        if event.kind == "source.gap":
            self.dropped[event.reason or "unknown"] += event.frames or 0
            return
        self.state = event.kind.removeprefix("source.")
        self.reason = event.reason

    def _see(self, event: TextEvent) -> None:
        self.events[event.kind] += 1
        if event.kind != "ended" and event.text not in self.texts:
            self.texts.append(event.text)
