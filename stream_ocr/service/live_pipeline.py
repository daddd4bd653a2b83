"""Run over cameras: a process per stage, and one for each camera."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Published, StreamClosed
from stream_ocr.core.permit import Permit
from stream_ocr.errors import SettingsError, StreamOcrError
from stream_ocr.events import Event
from stream_ocr.logs import get_logger
from stream_ocr.models import presets
from stream_ocr.runtime import topology
from stream_ocr.runtime.counters import RunCounters
from stream_ocr.runtime.live_supervisor import LiveSupervisor
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.thresholds import THRESHOLDS as RUNTIME
from stream_ocr.runtime.topology import Process, RingSize, Topology
from stream_ocr.service import reload
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.reload import ConfigFile, SourceChanges
from stream_ocr.service.run_status import RunSnapshot, SettingsSnapshot, take_snapshot
from stream_ocr.service.systemd import Notifier
from stream_ocr.service.thresholds import THRESHOLDS
from stream_ocr.service.web_link import WebLink
from stream_ocr.sinks import open_sinks
from stream_ocr.sources.access import source_access
from stream_ocr.stages.base import frame_ring

log = get_logger(__name__)

PERMIT_EXIT = 75  # EX_TEMPFAIL of sysexits.h


class LivePipeline:
    """Reads the sources of the settings until ``stop``.

        with LivePipeline.load("configs/live.yaml") as pipeline:
            for event in pipeline.events():
                ...

    Iterate ``events`` in the thread that entered the pipeline: the iteration watches the workers. cameras: status of
    each.
    """

    def __init__(
        self,
        settings: Settings,
        sinks: Sequence[str | Path] = (),
        *,
        config: Path | None = None,
        overrides: Sequence[str] = (),
        dashboard: str | None = None,
        on_status: Callable[[RunSnapshot], None] | None = None,
    ) -> None:
        """sinks: paths to which events are written, in addition to the sinks of the settings.

        config: file of the settings. It is locked during the run and read again when it changes. overrides:
        "name=value" settings that take precedence over it. dashboard: title of the dashboard to serve, if any.
        on_status: called about once a second by the thread that iterates ``events``. Raise SettingsError and SinkError.
        """
        if not settings.sources:
            raise SettingsError("There is nothing to watch; name cameras under sources (see docs/cameras.md).")
        settings.check_files()
        self._settings = reload.resolved(settings)
        open_sinks(sinks, self._settings)  # to report errors here and not in a worker
        self.cameras = {name: Camera() for name in settings.sources}
        self._notifier = Notifier()
        self._web = WebLink(self._settings, dashboard, config, overrides)
        self._config = None if config is None else ConfigFile(config, overrides)
        self._file = SettingsSnapshot(None if self._config is None else self._config.version)
        self._permit = None if settings.service.permit is None else Permit(settings.service.permit)
        self._on_status, self._status_s = on_status, 0.0
        self._reload_requested = self._stopping = False
        self._open = ExitStack()
        self._origin_s = time.monotonic()
        self._ring_size = RingSize(RUNTIME.camera_slots, self._settings.decode.max_pixels * 2)
        self._supervisor = LiveSupervisor(
            self._topology(sinks),
            self._settings.for_workers(),
            hang_s=settings.service.heartbeat_timeout_s,
            drain_s=settings.service.shutdown_timeout_s,
            origin_s=self._origin_s,
            on_check=self._on_check,
        )

    @classmethod
    def load(cls, config: str | Path, sinks: Sequence[str | Path] = (), overrides: Sequence[str] = ()) -> Self:
        """Return a pipeline for the cameras of a settings file. Raise SettingsError."""
        path = Path(config)
        return cls(Settings.load(path, overrides), sinks, config=path, overrides=overrides)

    def __enter__(self) -> Self:
        """Start everything. Raise SettingsError (the file is in use, the port is taken) and WorkerError."""
        with ExitStack() as opened:
            if self._config is not None:
                opened.enter_context(self._config)
            opened.enter_context(self._web)
            opened.enter_context(self._supervisor)
            if (process := self._web.process) is not None:
                self._supervisor.start_service(process)
            self._open = opened.pop_all()
        self._notifier.ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def counters(self) -> RunCounters:
        """Counters of the workers."""
        return self._supervisor.counters

    @property
    def notes(self) -> Mapping[str, Mapping[str, str]]:
        """``Stage.notes`` of each worker: which models and device it uses, and why."""
        return self._supervisor.notes

    @property
    def pids(self) -> Mapping[str, int]:
        """Process id of each running worker."""
        return self._supervisor.pids

    @property
    def dashboard_url(self) -> str | None:
        """Address of the dashboard for a browser; None without one."""
        return self._web.dashboard_url

    @property
    def port(self) -> int | None:
        """Port of ``service.listen``; None without an HTTP server."""
        return self._web.port

    @property
    def restarts(self) -> Mapping[str, int]:
        """Number of restarts of each worker."""
        return self._supervisor.restarts

    @property
    def degraded(self) -> list[str]:
        """Workers that fail again and again."""
        return self._supervisor.degraded

    @property
    def rings(self) -> Mapping[str, Ring]:
        """All rings by name."""
        return self._supervisor.rings

    @property
    def assignments(self) -> dict[str, int | None]:
        """``assignment`` of each source in the settings that are used."""
        return {name: source.assignment for name, source in self._settings.sources.items()}

    @property
    def is_reloading(self) -> bool:
        """Return whether the settings file is about to be used again."""
        return self._reload_requested or (self._config is not None and self._config.is_reading)

    def events(self) -> Iterator[Event]:
        """Yield events as they happen, until ``stop``. Raise WorkerError if the end takes too long."""
        for message in self._supervisor.messages():
            if isinstance(message, Published):
                if camera := self.cameras.get(message.stream):  # None if it was just removed from the settings
                    camera.update(message)
                self._web.show(message)
                yield from message.events
                yield from message.source_events
            elif isinstance(message, StreamClosed) and message.stream in self.cameras:
                self.cameras[message.stream].state = "closed"

    def stop(self) -> None:
        """Stop reading; ``events`` still yields what is on its way. Safe in a signal handler."""
        self._stopping = True
        self._notifier.stopping()
        self._supervisor.stop()

    def reload(self) -> None:
        """Read the settings file again at the next check. Safe in a signal handler."""
        self._reload_requested = True

    def _topology(self, sinks: Sequence[str | Path]) -> Topology:
        width, height = presets.crop_size(self._settings)
        batch = self._settings.detection.batch
        stages = topology.five_stages(
            {},
            frame_bytes=self._ring_size.slot_bytes,
            crop_bytes=width * height,
            detect_items=batch.max_items,
            detect_wait_ms=batch.max_wait_ms,
            publish={"sinks": [str(sink) for sink in sinks]},
            trace=self._settings.logs.trace,
        )
        names = tuple(self._settings.sources)
        return msgspec.structs.replace(
            stages,
            processes=(*map(self._process, names), *stages.processes),
            rings={**{frame_ring(name): self._ring_size for name in names}, **stages.rings, **self._web.rings},
            streams=names,
        )

    def _process(self, stream: str) -> Process:
        """Return the row of a source in the process table."""
        settings = self._settings
        source = settings.sources.get(stream)  # None for one that was removed
        return topology.source(
            stream,
            "stream_ocr.stages.decode_live:build",
            wants_incarnation=True,
            access=None if source is None else source_access(source, settings.decode),
            origin_s=self._origin_s,
        )

    def _on_check(self) -> None:
        if self._permit is not None and not self._permit.is_valid:
            log.error("the permit of this host has expired; another host may have its cameras now")
            os._exit(PERMIT_EXIT)  # at once: to close the streams would be to publish
        self._web.show_status(self._supervisor, self.cameras, self._file)
        if self._on_status is not None and time.monotonic() - self._status_s >= THRESHOLDS.report_interval_s:
            self._status_s = time.monotonic()
            self._on_status(take_snapshot(self._supervisor, self.cameras))
        if not self._supervisor.not_ready:
            self._notifier.alive()
        if self._config is None or self._stopping:
            return
        try:
            if self._reload_requested:
                self._reload_requested = False
                self._config.read()
            if (settings := self._config.poll()) is not None:
                self._apply(reload.compare(self._settings, settings))
                self._file = SettingsSnapshot(self._config.version)
        except (StreamOcrError, OSError) as error:
            self._file = SettingsSnapshot(self._config.version, str(error))
            log.error("settings are not reloaded", reason=str(error))

    def _apply(self, changes: SourceChanges) -> None:
        """Add, remove and replace sources."""
        if changes.need_restart:
            log.warning("these settings apply from the next start", settings=changes.need_restart)
        self._settings = changes.settings
        for_workers = changes.settings.for_workers()
        for name in changes.removed:
            self._supervisor.drop_source(self._process(name).name, for_workers)
            del self.cameras[name]
        for name in changes.set:
            self._supervisor.set_source(self._process(name), self._ring_size, for_workers)
            self.cameras[name] = Camera()
        log.info("settings are reloaded", removed=changes.removed, added_or_changed=changes.set)
