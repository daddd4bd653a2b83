"""A run over cameras whose settings file is edited again and again, by people who make every mistake."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from fuzz.settings_targets import SETTINGS_FILES
from hypothesis import HealthCheck, Phase, given, seed, settings

LONG_S = 120.0
DONE, REFUSED = "settings are reloaded", "settings are not reloaded"

REPORTED_EDITS = [
    "sources: {gate: {path: 2026-13-45, max_fps: 2026-13-45}}",
    "sources: {gate: {path: x}}\nthreads: " + "9" * 6000,
    "sources: &a {gate: *a}",
    "sources: " + "[" * 3000,
    "sources: {gate: {path: x, pattern: '" + "(" * 2000 + "'}}",
    "sources: {gate: {path: x, pattern: '" + "(" * 450 + ")" * 450 + "'}}",
    "sources: {gate: {path: x, pattern: '((((a{1000}){1000}){1000}){1000})'}}",
    "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
]


class EditedRun:
    """A running ``stream-ocr run`` and its settings file."""

    def __init__(self, folder: Path, clip: Path) -> None:
        """Start the run in a folder. clip: long video that is played as a camera."""
        self.edits = Counter[str]()
        self.slowest_s = 0.0
        self._folder, self._clip = folder, clip
        self._file, self._log = folder / "live.yaml", folder / "stderr"
        self._made = folder / "made"
        self._made.mkdir()
        os.mkfifo(self._made / "pipe")
        (self._made / "words.txt").write_text("gate\nexit\n")
        (self._made / "empty.txt").touch()
        (self._made / "binary.txt").write_bytes(bytes(range(256)))
        self._file.write_text(self.valid())
        with self._log.open("wb") as log:
            self.program = subprocess.Popen(
                [sys.executable, "-m", "stream_ocr.cli", "run", str(self._file), "--plain"],
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=folder,
            )
        self._wait_for("source is up", 1)

    def valid(self) -> str:
        """Return settings with one camera that works."""
        return yaml.safe_dump(self._base({"gate": {"path": str(self._clip)}}))

    def edit(self, content: bytes) -> None:
        """Replace the file, and wait until the run has taken or refused it."""
        before = self.log().count(DONE) + self.log().count(REFUSED)
        replacement = self._folder / "replacement"
        replacement.write_bytes(content)
        replacement.replace(self._file)
        self.program.send_signal(signal.SIGHUP)
        started_s = time.monotonic()
        while (log := self.log()).count(DONE) + log.count(REFUSED) == before:
            assert self.program.poll() is None, f"the run ended after {content[:2000]!r}: {log[-3000:]}"
            assert time.monotonic() - started_s < LONG_S, f"no answer to {content[:2000]!r}: {log[-3000:]}"
            time.sleep(0.02)
        self.slowest_s = max(self.slowest_s, time.monotonic() - started_s)
        last = max((DONE, REFUSED), key=log.rfind)
        self.edits["reloaded" if last == DONE else "refused"] += 1

    def plausible(self, rng: random.Random) -> bytes:
        """Return settings that mostly are accepted, with cameras that mostly do not work."""
        sources = {f"camera{n}": self._source(rng) for n in rng.sample(range(4), rng.randint(1, 3))}
        sources["always"] = {"url": "rtsp://127.0.0.1:9/live"}  # a run ends when all its files have ended
        return yaml.safe_dump(self._base(sources)).encode()

    def restore(self) -> None:
        """Go back to the settings of ``valid``, and check that the camera is read."""
        self.edit(b"sources: {other: {url: 'rtsp://127.0.0.1:9/live'}}")
        before = self.log().count("source is up")
        self.edit(self.valid().encode())
        self._wait_for("source is up", before + 1)

    def finish(self) -> None:
        """End the run, and check that nothing failed."""
        self.program.send_signal(signal.SIGTERM)
        assert self.program.wait(LONG_S) == 0, self.log()[-3000:]
        assert "Traceback" not in self.log()

    def log(self) -> str:
        """Return the standard error of the run."""
        return self._log.read_text(errors="replace")

    def _wait_for(self, text: str, count: int) -> None:
        deadline_s = time.monotonic() + LONG_S
        while self.log().count(text) < count:
            assert self.program.poll() is None, self.log()[-3000:]
            assert time.monotonic() < deadline_s, self.log()[-3000:]
            time.sleep(0.05)

    def _base(self, sources: dict) -> dict:
        return {
            "models": "builtin",
            "device": "cpu",
            "threads": 1,
            "service": {"listen": None},
            "live": {"max_backoff_s": 5.0},
            "logs": {"style": "json"},
            "sources": sources,
        }

    def _source(self, rng: random.Random) -> dict:
        clip, made = str(self._clip), str(self._made)
        source = rng.choice(
            [
                {"path": clip},
                {"path": clip},
                {"path": "missing.mp4"},
                {"path": f"{made}/pipe"},
                {"path": "/dev/zero"},
                {"path": made},
                {"path": "\0"},
                {"url": "rtsp://a:b@127.0.0.1:9/live"},
                {"url": "http://no-such-host.invalid/x"},
                {"url_file": f"{made}/binary.txt"},
            ]
        )
        more = {
            "max_fps": [1e-300, 0.001, 5, 1e300],
            "pattern": [r"\d+", r"(?:(\w|\w\w)+)+\d", "", "(?:.*a){20}"],
            "lexicon": [
                f"{made}/words.txt",
                f"{made}/empty.txt",
                f"{made}/binary.txt",
                f"{made}/pipe",
                "/dev/zero",
                "x",
            ],
            "regions": [[[[0, 0], [0, 0], [0, 0]]], [[[0, 0], [1, 0], [1, 1]]], [[[0.5, 0.5]] * 500]],
            "active": [["00:00-00:00"], ["23:59-24:00"], []],
        }
        for name in rng.sample(sorted(more), rng.randint(0, 2)):
            source[name] = rng.choice(more[name])
        return source


@contextmanager
def edited_run(folder: Path, clip: Path) -> Iterator[EditedRun]:
    """Start a run, and kill it if a check fails."""
    run = EditedRun(folder, clip)
    try:
        yield run
    finally:
        run.program.kill()
        run.program.wait()


def generated_edits(count: int, number: int) -> list[bytes]:
    """Return generated settings files, most of them wrong. number: seed."""
    edits: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(SETTINGS_FILES)
    def collect(content: bytes) -> None:
        edits.append(content)

    collect()
    return edits
