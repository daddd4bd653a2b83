"""Faults of the soak: of its cameras, of the network, of the clock, and of the processes of the run."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import Literal

import psutil
from rtsp_camera.camera_run import Run
from rtsp_camera.handle import Camera

CLOCK_STEPS_S = -3600, 3600
SHORT_STOP_S = 2.0
LONG_STOP_S = 11.0  # longer than service.heartbeat_timeout_s: the worker is replaced
BACK_WITHIN_S = 60.0
RECOVERY_S = 3.0  # after a fault of a worker: what waited is processed, and gaps are reported
WORKERS = ("detect", "track", "recognize", "publish", "bus", "web")
SERVING = ("bus", "web")  # without which texts are read, and published, as usual

Hides = Literal["nothing", "packets", "time stamps", "frames"]


@dataclass(frozen=True)
class Fault:
    """A fault that was made. start_s, end_s: Unix times; it may have effects until ``end_s``.

    stream: the only one that it concerns; None for all. hides: what the run cannot see of the camera meanwhile.
    "packets": the camera sends what does not arrive. "time stamps": all texts end and begin anew. "frames": frames may
    be lost, which the run then reports as a gap. "nothing": texts must be reported as usual. A camera that does not
    send says so itself, in its record. delays: events may be late.
    """

    name: str
    start_s: float
    end_s: float
    stream: str | None = None
    hides: Hides = "nothing"
    delays: bool = False

    def covers(self, stream: str, start_s: float, end_s: float) -> bool:
        """Return whether it may concern a stream between two Unix times."""
        return self.stream in (None, stream) and self.start_s <= end_s and start_s <= self.end_s


@dataclass
class Bed:
    """A run with its cameras. clips: by camera, then "h264", "h265" and "large". clock: file of the offset."""

    run: Run
    cameras: dict[str, Camera]
    clips: dict[str, dict[str, Path]]
    clock: Path | None

    def worker(self, name: str) -> psutil.Process | None:
        return self.run.workers().get(name)

    def wait_until_back(self, name: str, victim: psutil.Process) -> None:
        """Wait until a worker was replaced and all stages are ready."""
        deadline_s = time.monotonic() + BACK_WITHIN_S
        while time.monotonic() < deadline_s:
            worker = self.worker(name)
            try:
                if worker is not None and worker != victim and self.run.get("/readyz")[0] == 200:
                    return
            except (OSError, ValueError):  # the web process may be the one that was killed
                pass
            time.sleep(0.2)
        raise RuntimeError(f"{name} was not replaced within {BACK_WITHIN_S:g} s.")


@dataclass(frozen=True)
class Turn:
    """Object of a fault. stream: name of the camera that it concerns, if it concerns one."""

    bed: Bed
    stream: str
    rng: random.Random

    @property
    def camera(self) -> Camera:
        return self.bed.cameras[self.stream]

    @property
    def clips(self) -> dict[str, Path]:
        return self.bed.clips[self.stream]


@dataclass(frozen=True)
class Kind:
    """A kind of fault. make: makes it and returns when it is over. The other attributes are those of ``Fault``."""

    name: str
    make: Callable[[Turn], None]
    of_camera: bool = True
    hides: Hides = "nothing"
    delays: bool = False
    after_s: float = 0.0


def _restart(turn: Turn) -> None:
    _off(turn.camera, 0.5)


def _disappear(turn: Turn) -> None:
    _off(turn.camera, 30.0)


def _off(camera: Camera, seconds: float) -> None:
    camera.kill()
    time.sleep(seconds)
    camera.restart()


def _freeze(turn: Turn) -> None:
    turn.camera.freeze()
    time.sleep(6.0)
    turn.camera.thaw()


def _network(element: str, seconds: float) -> Callable[[Turn], None]:
    """Return a fault for which a camera is behind an element of GStreamer for some seconds."""

    def make(turn: Turn) -> None:
        camera = turn.camera
        camera.kill()
        camera.restart(network=element)
        time.sleep(seconds)
        camera.kill()
        camera.restart(network=None)

    return make


def _damage(turn: Turn) -> None:
    turn.camera.do(f"damage {turn.rng.randint(1, 30)}")


def _drop(turn: Turn) -> None:
    turn.camera.do("drop 0.3")
    time.sleep(5.0)
    turn.camera.do("drop 0")


def _resize(turn: Turn) -> None:
    clips = turn.clips
    turn.camera.do(f"clip {clips['large']}")
    time.sleep(15.0)
    turn.camera.do(f"clip {clips['h264']}")


def _recode(turn: Turn) -> None:
    camera, clips = turn.camera, turn.clips
    camera.kill()
    camera.restart(codec="h265", clip=str(clips["h265"]))
    time.sleep(20.0)
    camera.kill()
    camera.restart(codec="h264", clip=str(clips["h264"]))


def _jump(turn: Turn) -> None:
    """Shift the time stamps. After a jump ahead, the camera sends nothing until its clock has come that far."""
    turn.camera.do(f"skip {turn.rng.choice([-40, -5, 3, 3600])}")
    time.sleep(6.0)
    _off(turn.camera, 0.2)


def _until_restart(command: str, seconds: float) -> Callable[[Turn], None]:
    """Return a fault of a camera that lasts until the camera is restarted."""

    def make(turn: Turn) -> None:
        turn.camera.do(command)
        time.sleep(seconds)
        _off(turn.camera, 0.2)

    return make


def _step_clock(turn: Turn) -> None:
    """Set the wall clock of the run, for some seconds. The file is mapped by its processes: it is written in place."""
    assert turn.bed.clock is not None, "the fault is left out without a clock"
    for offset_s in (turn.rng.choice(CLOCK_STEPS_S), 0):
        with turn.bed.clock.open("r+b") as file:
            file.write(pack("q", offset_s))
        time.sleep(5.0)


def _kill(worker: str) -> Callable[[Turn], None]:
    def make(turn: Turn) -> None:
        name = worker.format(turn.stream)
        if (victim := turn.bed.worker(name)) is not None:
            victim.kill()
            turn.bed.wait_until_back(name, victim)

    return make


def _stop(worker: str, seconds: float) -> Callable[[Turn], None]:
    def make(turn: Turn) -> None:
        if (victim := turn.bed.worker(worker.format(turn.stream))) is not None:
            os.kill(victim.pid, signal.SIGSTOP)
            time.sleep(seconds)
            if victim.is_running():
                os.kill(victim.pid, signal.SIGCONT)

    return make


def _worker_kinds() -> Iterator[Kind]:
    for worker in ("decode/{}", *WORKERS):
        hides: Hides = "nothing" if worker in SERVING else "frames"
        name = worker.partition("/")[0]
        of_camera, delays = name == "decode", worker not in SERVING
        after_s = RECOVERY_S if delays else 0.0
        yield Kind(f"kill -9 of {name}", _kill(worker), of_camera, hides, delays, after_s)
        yield Kind(
            f"{name} stopped for {SHORT_STOP_S:g} s", _stop(worker, SHORT_STOP_S), of_camera, hides, delays, after_s
        )


KINDS = (
    Kind("camera restarted", _restart),
    Kind("camera frozen for 6 s", _freeze),
    Kind("camera unreachable for 30 s", _disappear),
    Kind("packets lost for 15 s", _network("netsim drop-probability=0.01", 15.0), hides="packets", after_s=1.0),
    Kind(
        "slow network for 15 s",
        _network("netsim delay-probability=1 min-delay=20 max-delay=150 allow-reordering=false", 15.0),
        delays=True,
        after_s=1.0,
    ),
    Kind("frames damaged", _damage),
    Kind("frames dropped for 5 s", _drop),
    Kind("resolution changed for 15 s", _resize),
    Kind("codec changed for 20 s", _recode),
    Kind("time stamps jumped", _jump, hides="time stamps", after_s=1.0),
    Kind("time stamps stuck for 5 s", _until_restart("stick", 5.0), hides="time stamps", after_s=1.0),
    Kind("camera sent nothing for 10 s", _until_restart("mute", 10.0)),
    Kind("camera sent no pictures for 10 s", _until_restart("blank", 10.0)),
    Kind("wall clock set for 5 s", _step_clock, of_camera=False),
    *_worker_kinds(),
    Kind(f"detect stopped for {LONG_STOP_S:g} s", _stop("detect", LONG_STOP_S), False, "frames", True, 2 * RECOVERY_S),
    Kind(
        f"publish stopped for {LONG_STOP_S:g} s", _stop("publish", LONG_STOP_S), False, "frames", True, 2 * RECOVERY_S
    ),
)


def sequence(bed: Bed, seed: int) -> Iterator[tuple[Kind, Turn]]:
    """Yield faults for ever: all kinds in a random order, again and again, each to a random camera."""
    rng = random.Random(seed)
    while True:
        kinds = [kind for kind in KINDS if bed.clock is not None or kind.make != _step_clock]
        for kind in rng.sample(kinds, len(kinds)):
            yield kind, Turn(bed, rng.choice(sorted(bed.cameras)), rng)


class FaultThread(threading.Thread):
    """Makes one fault after the other until it is asked to end. made: so far. failure: what ended it early, if any."""

    def __init__(self, bed: Bed, seed: int, first_s: float, pause_s: float) -> None:
        """first_s: until the first fault. pause_s: between two."""
        super().__init__(name="faults")
        self.made: list[Fault] = []
        self.failure: str | None = None
        self._first_s, self._pause_s = first_s, pause_s
        self._sequence = sequence(bed, seed)
        self._ends = threading.Event()

    def end(self) -> None:
        """Let the present fault finish."""
        self._ends.set()
        self.join()

    def run(self) -> None:
        pause_s = self._first_s
        while not self._ends.wait(pause_s):
            pause_s = self._pause_s
            kind, turn = next(self._sequence)
            start_s = time.time()
            try:
                kind.make(turn)
            except (RuntimeError, AssertionError, OSError, psutil.Error) as error:
                self.failure = f"{kind.name}: {error}"
                return
            end_s = time.time() + kind.after_s
            concerned = turn.stream if kind.of_camera else None
            self.made.append(Fault(kind.name, start_s, end_s, concerned, kind.hides, kind.delays))
