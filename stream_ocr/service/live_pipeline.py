"""Cameras watched by a process per stage, and one for each of them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import structlog

from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Published, StreamClosed
from stream_ocr.errors import SettingsError, StreamOcrError
from stream_ocr.events import Event
from stream_ocr.models import presets
from stream_ocr.runtime import topology
from stream_ocr.runtime.live_supervisor import LiveSupervisor
from stream_ocr.runtime.run_counters import RunCounters
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.topology import Process, RingSize
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.http import Answer, StatusServer
from stream_ocr.service.lock import InstanceLock
from stream_ocr.service.metrics import Metrics
from stream_ocr.service.preview import Preview
from stream_ocr.service.systemd import Notifier
from stream_ocr.sinks import open_sinks
from stream_ocr.stages.base import frame_ring

_ALIVE_S = 15.0  # without a turn of the supervisor's loop, from which the run counts as hung
_LOOK_S = 2.0  # between two looks at whether the settings file has changed

log = structlog.get_logger(__name__)


class LivePipeline:
    """The sources of the settings, read until ``stop``.

        with LivePipeline.load("configs/live.yaml") as pipeline:
            for event in pipeline.events():
                ...

    ``events`` must be iterated, in the thread that entered the pipeline: that is what watches the workers. cameras:
    what is known of each. ledger: what the workers have counted. onlook: its pictures, for whoever looks.
    """

    def __init__(
        self,
        settings: Settings,
        sinks: Sequence[str | Path] = (),
        *,
        config: Path | None = None,
        overrides: Sequence[str] = (),
    ) -> None:
        """sinks: paths that events are written to, beside the sinks of the settings.

        config: where the settings are from. It is locked while they are run, and read again when it changes; what
        ``overrides`` say stays. Raises SettingsError and SinkError.
        """
        if not settings.sources:
            raise SettingsError("There is nothing to watch; name cameras under sources (see docs/cameras.md).")
        self._settings = presets.side_by_side(presets.resolve(settings))
        self._config, self._overrides = config, overrides
        open_sinks(sinks, self._settings)  # what is wrong with them is said here and not by a worker
        self.cameras = {name: Camera() for name in settings.sources}
        self._notifier = Notifier()
        self._metrics = Metrics(self)
        self.onlook = Preview(self)
        self._asked_to_reload = self._stopping = False
        self._looked_s, self._seen = time.monotonic(), _version(config)
        self._open = ExitStack()
        self._origin_s = time.monotonic()
        width, height = presets.crop_size(self._settings)
        batch = self._settings.detection.batch
        self._ring = RingSize(topology.CAMERA_SLOTS, self._settings.decode.max_pixels * 2)
        table = topology.five_stages(
            {},
            frame_bytes=self._ring.slot_bytes,
            crop_bytes=width * height,
            detect_items=batch.max_items,
            detect_wait_ms=batch.max_wait_ms,
            publish={"sinks": [str(sink) for sink in sinks]},
        )
        names = tuple(settings.sources)
        self._supervisor = LiveSupervisor(
            msgspec.structs.replace(
                table,
                processes=(*map(self._process, names), *table.processes),
                rings={**{frame_ring(name): self._ring for name in names}, **table.rings},
                streams=names,
            ),
            self._settings.for_workers(),
            hang_s=settings.service.heartbeat_timeout_s,
            drain_s=settings.service.shutdown_timeout_s,
            origin_s=self._origin_s,
            on_turn=self._turn,
        )

    @classmethod
    def load(cls, config: str | Path, sinks: Sequence[str | Path] = (), overrides: Sequence[str] = ()) -> Self:
        """The cameras of a settings file. Raises SettingsError."""
        path = Path(config)
        return cls(Settings.load(path, overrides), sinks, config=path, overrides=overrides)

    def __enter__(self) -> Self:
        """Start everything. Raises SettingsError (it runs already, the port is taken) and WorkerError."""
        with ExitStack() as opened:
            self._instance = opened.enter_context(InstanceLock(self._config)) if self._config else None
            opened.enter_context(self._supervisor)
            if listen := self._settings.service.listen:
                answers = {"/healthz": self._health, "/readyz": self._readiness, "/metrics": self._all_metrics}
                opened.enter_context(StatusServer(listen, answers, self.onlook.show))
            self._open = opened.pop_all()
        self._notifier.ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def ledger(self) -> RunCounters:
        return self._supervisor.ledger

    @property
    def notes(self) -> Mapping[str, Mapping[str, str]]:
        """What each stage says of itself: which models and device it took, and why."""
        return self._supervisor.notes

    @property
    def pids(self) -> Mapping[str, int]:
        """Process id of each worker that runs."""
        return self._supervisor.pids

    @property
    def restarts(self) -> Mapping[str, int]:
        """How often each worker has been replaced."""
        return self._supervisor.restarts

    @property
    def degraded(self) -> list[str]:
        """Workers that fail again and again."""
        return self._supervisor.degraded

    @property
    def rings(self) -> Mapping[str, Ring]:
        """The slots of pixels."""
        return self._supervisor.rings

    def events(self) -> Iterator[Event]:
        """What happens, as it happens, until ``stop``. Raises WorkerError when the end takes too long."""
        for message in self._supervisor.messages():
            if isinstance(message, Published):
                if message.stream in self.cameras:  # and not just taken out of the settings
                    self._hear(message, self.cameras[message.stream])
                yield from message.events
                yield from message.sources
            elif isinstance(message, StreamClosed) and message.stream in self.cameras:
                self.cameras[message.stream].state = "closed"

    def stop(self) -> None:
        """Read no further; ``events`` still gives what is under way. Safe in a signal handler."""
        self._stopping = True
        self._notifier.stopping()
        self._supervisor.stop()

    def reload(self) -> None:
        """Read the settings file again at the next turn. Safe in a signal handler."""
        self._asked_to_reload = True

    def _hear(self, message: Published, camera: Camera) -> None:
        camera.hear(message)
        if message.events and message.captured_ns:
            latency_s = max(time.time_ns() - message.captured_ns, 0) / 1e9
            self._metrics.latency.labels(message.stream).observe(latency_s)

    def _process(self, name: str) -> Process:
        """The row of a source in the process table."""
        return Process(
            name=f"decode/{name}",
            factory="stream_ocr.stages.decode_live:build",
            input=None,
            output="frames",
            rings=(frame_ring(name),),
            fills=frame_ring(name),
            counts_lives=True,
            arguments={"stream": name, "origin_s": self._origin_s},
        )

    def _turn(self) -> None:
        if not self._supervisor.missing:
            self._notifier.alive()
        now = time.monotonic()
        if now - self._looked_s >= _LOOK_S:
            self._looked_s = now
            seen, self._seen = self._seen, _version(self._config)
            self._asked_to_reload |= seen != self._seen
        if self._asked_to_reload and not self._stopping:
            self._asked_to_reload = False
            self._reload()

    def _reload(self) -> None:
        """Add, remove and replace sources as the file says now; what is wrong with it changes nothing."""
        if self._config is None or self._instance is None:
            return
        try:
            new = presets.side_by_side(presets.resolve(Settings.load(self._config, self._overrides)))
            if not new.sources:
                raise SettingsError("There is nothing to watch any more.")
            self._instance.renew()
        except (StreamOcrError, OSError) as error:
            log.error("settings are not taken over", reason=str(error))
            return
        old = self._settings
        fixed = {name for name in type(new).model_fields if name != "sources"}
        if later := [name for name in sorted(fixed) if getattr(new, name) != getattr(old, name)]:
            log.warning("these settings wait for the next start", settings=later)
        self._settings = old.model_copy(update={"sources": new.sources})
        dumped: dict[str, Any] = self._settings.for_workers()
        gone = sorted(old.sources.keys() - new.sources.keys())
        for name in gone:
            self._supervisor.drop_source(f"decode/{name}", dumped)
            del self.cameras[name]
        before = old.for_workers()["sources"]
        changed = [name for name, said in dumped["sources"].items() if said != before.get(name)]
        for name in changed:
            self._supervisor.set_source(self._process(name), self._ring, dumped)
            self.cameras[name] = Camera()
        log.info("settings are taken over", removed=gone, added_or_changed=changed)

    def _health(self) -> Answer:
        """Whether the supervisor's loop comes round; cameras play no part."""
        silent_s = time.monotonic() - self._supervisor.turned_s
        if silent_s < _ALIVE_S:
            return HTTPStatus.OK, b"ok\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, f"the supervisor has not come round for {silent_s:.0f} s\n".encode()

    def _readiness(self) -> Answer:
        """Whether all stages are up; cameras play no part."""
        sources = {f"decode/{name}" for name in list(self.cameras)}
        lacking = sorted({*self._supervisor.missing, *self._supervisor.degraded} - sources)
        if not lacking:
            return HTTPStatus.OK, b"ok\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {', '.join(lacking)}\n".encode()

    def _all_metrics(self) -> Answer:
        return HTTPStatus.OK, self._metrics.text()


def _version(config: Path | None) -> tuple[int, int] | None:
    """Changes with the file; None where there is none."""
    try:
        status = None if config is None else config.stat()
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_ino)
