"""Edits of the settings file during the soak: harmless ones, and mistakes that must be refused."""

import copy
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import yaml

ANSWER_S = 30.0
MISTAKE_EVERY = 5
RELOADED, REFUSED = '"settings are reloaded"', '"settings are not reloaded"'
FAR_MASK = [[[0.75, 0.0], [1.0, 0.0], [1.0, 0.2], [0.75, 0.2]]]  # where no camera shows text
MISTAKES = (
    "sources: [",
    "sources: {}",
    "sources: {gate: {url: 'rtsp://127.0.0.1:9/live', max_fsp: 5}}",
    "sources: {gate: {url: 'rtsp://127.0.0.1:9/live', masks: [[[0, 0], [2, 0], [1, 1]]]}}",
    "sources: {gate: {url: 'rtsp://127.0.0.1:9/live', pattern: '((('}}",
    "sources: {gate: {url_file: /nonexistent}}",
    "events: {min_confidence: high}",
)


@dataclass(frozen=True)
class Edit:
    """An edit and its outcome, "reloaded", "refused" or "no answer". start_s: Unix time; took_s: until the answer."""

    name: str
    start_s: float
    took_s: float
    outcome: str
    wanted: str


@dataclass
class SettingsFile:
    """The settings file of a run, as it should be. log: of the run, in JSON. extra: a camera to add and remove."""

    path: Path
    log: Path
    content: dict[str, Any]
    extra: tuple[str, dict[str, Any]]
    masked: list[str] = field(default_factory=list)

    def write(self) -> None:
        self._replace(yaml.safe_dump(self.content))

    def edits(self) -> Iterator[tuple[str, str]]:
        """Make one edit after the other. Yield what was edited and the outcome that is wanted."""
        streams = sorted(self.content["sources"])
        for number in count():
            if number % MISTAKE_EVERY == MISTAKE_EVERY - 1:
                mistake = MISTAKES[number // MISTAKE_EVERY % len(MISTAKES)]
                self._replace(mistake)
                yield f"mistake: {mistake}", "refused"
                continue
            before = copy.deepcopy(self.content)
            name = self._edit(number - number // MISTAKE_EVERY, streams)
            assert before != self.content, "an edit changes something"
            self.write()
            yield name, "reloaded"

    def _edit(self, number: int, streams: list[str]) -> str:
        """Change the content; number: of the harmless edit."""
        sources, (extra, source) = self.content["sources"], self.extra
        match number % 4:
            case 0:
                threshold = 0.21 if number % 8 == 0 else 0.2
                self.content["events"] = {"min_confidence": threshold}
                return f"min_confidence is {threshold}"
            case 1:
                sources[extra] = source
                return f"camera {extra} added"
            case 2:
                stream = streams[number // 4 % len(streams)]
                if sources[stream].pop("masks", None) is None:
                    sources[stream]["masks"] = FAR_MASK
                    return f"mask added to {stream}"
                return f"mask removed from {stream}"
            case _:
                del sources[extra]
                return f"camera {extra} removed"

    @property
    def has_extra(self) -> bool:
        return self.extra[0] in self.content["sources"]

    def remove_extra(self) -> tuple[str, str]:
        """Remove the extra camera. Return as ``edits`` yields."""
        del self.content["sources"][self.extra[0]]
        self.write()
        return f"camera {self.extra[0]} removed", "reloaded"

    def answers(self) -> tuple[int, int]:
        """Return how often the run has reloaded and refused the file."""
        log = self.log.read_text(errors="replace")
        return log.count(RELOADED), log.count(REFUSED)

    def _replace(self, text: str) -> None:
        replacement = self.path.with_suffix(".new")
        replacement.write_text(text, encoding="utf-8")
        replacement.replace(self.path)


class EditThread(threading.Thread):
    """Edits the file every minute until it is asked to end, and waits for each answer. made: edits so far.

    In the end the extra camera is removed.
    """

    def __init__(self, file: SettingsFile, every_s: float) -> None:
        super().__init__(name="edits")
        self.made: list[Edit] = []
        self._file, self._every_s = file, every_s
        self._ends = threading.Event()

    def end(self) -> None:
        self._ends.set()
        self.join()

    def run(self) -> None:
        edits = self._file.edits()
        while not self._ends.wait(self._every_s):
            self._make(lambda: next(edits))
        if self._file.has_extra:
            self._make(self._file.remove_extra)

    def _make(self, edit: Callable[[], tuple[str, str]]) -> None:
        before, start_s = self._file.answers(), time.time()
        name, wanted = edit()
        outcome = self._answer(before)
        self.made.append(Edit(name, start_s, time.time() - start_s, outcome, wanted))

    def _answer(self, before: tuple[int, int]) -> str:
        deadline_s = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline_s:
            reloaded, refused = self._file.answers()
            if refused > before[1]:
                return "refused"
            if reloaded > before[0]:
                return "reloaded"
            time.sleep(0.2)
        return "no answer"
