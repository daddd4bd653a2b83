"""The run of a host: keeps a process that reads the cameras of the last order, and knows what it may still publish."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from stream_ocr.core.backoff import Backoff
from stream_ocr.core.permit import boottime_s
from stream_ocr.events import DECODE_ERRORS
from stream_ocr.fleet.messages import CameraReport
from stream_ocr.fleet.run_process import PERMIT, SETTINGS, STATUS, TICKET_KEY, RunStatus
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.logs import get_logger
from stream_ocr.runtime.python_process import module_command, module_environment
from stream_ocr.sinks.base import encode_name

log = get_logger(__name__)


class HostRun:
    """Starts the process, changes its settings, and starts it again when it ends by itself. Call it in one thread."""

    def __init__(self, folder: Path, lock_fd: int, ticket_key: str) -> None:
        """folder: of this host. lock_fd: its lock, which the process holds as well. ticket_key: of ``Tickets``."""
        self._folder, self._lock_fd = folder, lock_fd
        self._replace(TICKET_KEY, ticket_key)
        self._popen: subprocess.Popen[bytes] | None = None
        self._ordered: dict[str, int] = {}
        self._settings: Mapping[str, Any] = {}
        self._unsure: dict[str, int] = {}  # ordered earlier; the process may not have let go of them
        self._void = 0  # assignments up to this number are over
        self._written_s = self._started_s = self._ready_s = 0.0  # boot clock
        self._backoff = Backoff(THRESHOLDS.first_restart_s, THRESHOLDS.longest_restart_s)
        self._failures, self._restart_s = 0, 0.0
        self._status = RunStatus(0.0)

    @property
    def running(self) -> dict[str, int]:
        """Number of the assignment of each camera of which events may still come."""
        return self._unsure | self._ordered

    @property
    def cameras(self) -> Mapping[str, CameraReport]:
        """Status of the cameras of the last order."""
        if (mistake := self._status.mistake) is not None:
            return {camera: CameraReport("down", 0.0, mistake) for camera in self._ordered}
        return {camera: self._status.cameras[camera] for camera in self._ordered if camera in self._status.cameras}

    @property
    def port(self) -> int | None:
        """Port of the HTTP server of the process; None while there is none."""
        return self._status.port

    def obey(self, cameras: Mapping[str, int], settings: Mapping[str, Any]) -> None:
        """Read these cameras, with the number of the assignment of each. settings: of the fleet, as JSON types."""
        self._check_end()
        cameras = {camera: number for camera, number in cameras.items() if number > self._void}
        if cameras == self._ordered and settings == self._settings:
            return
        self._unsure |= self._ordered
        self._ordered, self._settings = cameras, settings
        if not cameras:
            self.end()
            return
        self._write_settings()
        if self._popen is not None:
            self._signal()
        elif time.monotonic() >= self._restart_s:
            self._start()

    def check(self) -> None:
        """Take over the status of the process; replace it when it has ended or does not apply its settings."""
        self._read_status()
        self._check_end()
        if self._popen is not None and self._is_in_sync():
            self._unsure = {
                camera: each for camera, each in self._unsure.items() if camera in self._status.open_streams
            }
        elif self._popen is not None and self._is_ready:
            self._signal()  # it may have been starting when the last one was due
            if boottime_s() - max(self._written_s, self._ready_s) > THRESHOLDS.sync_s:
                log.error("the run of this host does not apply its settings and is started again")
                self._kill()
        if self._popen is None and self._ordered and time.monotonic() >= self._restart_s:
            self._start()

    @property
    def _is_ready(self) -> bool:
        """Return whether the process has started completely. Before, a signal would end it."""
        return self._ready_s > self._started_s

    def _signal(self) -> None:
        """Let the process read its settings again, if it is ready and not about to do so."""
        if self._popen is not None and self._is_ready and not self._status.is_reloading:
            self._popen.send_signal(signal.SIGHUP)

    def end(self) -> None:
        """Let the process deliver its events and end; kill it if that takes too long."""
        if self._popen is not None:
            self._popen.terminate()
            try:
                self._popen.wait(THRESHOLDS.stop_s)
            except subprocess.TimeoutExpired:
                self._kill()
        self._end_assignments()

    def revoke(self) -> None:
        """End the process at once: another host may have the cameras, and their assignments to this one are over."""
        self._kill()
        self._end_assignments()
        self._status = RunStatus(0.0)

    def _end_assignments(self) -> None:
        self._void = max([self._void, *self.running.values()])
        self._popen, self._ordered = None, {}
        self._unsure.clear()

    def _start(self) -> None:
        (self._folder / STATUS).unlink(missing_ok=True)
        self._started_s = boottime_s()
        self._popen = subprocess.Popen(
            module_command("stream_ocr.fleet.run_process", str(self._folder), str(os.getpid())),
            stdin=subprocess.DEVNULL,
            pass_fds=[self._lock_fd],
            process_group=0,
            env=module_environment(),
        )
        log.info("run is started", cameras=sorted(self._ordered))

    def _check_end(self) -> None:
        """If the process has ended by itself, wait before the next start.

        Another process numbers its events anew, so it needs other assignments.
        """
        if self._popen is None or (code := self._popen.poll()) is None:
            return
        lasted_s = boottime_s() - self._started_s
        self._failures = 1 if lasted_s > THRESHOLDS.healthy_s else self._failures + 1
        delay_s = self._backoff.delay_s(self._failures)
        self._restart_s = time.monotonic() + delay_s
        self._end_assignments()
        log.warning("run has ended", code=code, reason=self._status.mistake, restart_in_s=round(delay_s, 1))

    def _kill(self) -> None:
        if self._popen is not None:
            self._popen.kill()  # its workers end with it
            self._popen.wait()

    def _is_in_sync(self) -> bool:
        """Return whether the process uses the settings of the last order, and is not about to use earlier ones."""
        status = self._status
        return (
            status.boottime_s > self._written_s + THRESHOLDS.signal_s
            and not status.is_reloading
            and status.assignments == self._ordered
        )

    def _read_status(self) -> None:
        try:
            self._status = msgspec.json.decode((self._folder / STATUS).read_bytes(), type=RunStatus)
        except (OSError, *DECODE_ERRORS):  # it has just started
            self._status = RunStatus(0.0)
            return
        if not self._is_ready and self._status.boottime_s > self._started_s and self._status.mistake is None:
            self._ready_s = boottime_s()

    def _write_settings(self) -> None:
        values = {**self._settings, "sources": self._sources(), "sinks": self._sinks()}
        own = {"permit": str(self._folder / PERMIT), "ticket_key": f"file:{self._folder / TICKET_KEY}"}
        values["service"] = {**values["service"], **own}
        self._replace(SETTINGS, yaml.safe_dump(values, allow_unicode=True))
        self._written_s = boottime_s()

    def _replace(self, name: str, text: str) -> None:
        """Write a file of the folder that only the owner may read."""
        new = self._folder / f".{name}.new"
        new.touch(0o600)
        new.write_text(text)
        new.replace(self._folder / name)

    def _sources(self) -> dict[str, Any]:
        sources = self._settings["sources"]
        return {camera: {**sources[camera], "assignment": number} for camera, number in self._ordered.items()}

    def _sinks(self) -> list[dict[str, Any]]:
        """Return the sinks, each with a spool in the folder of this host."""
        sinks = []
        for sink in self._settings["sinks"]:
            name = encode_name(sink["name"] or sink["type"], "/")
            sinks.append({**sink, "spool": str(self._folder / f"spool-{name}")})
        return sinks
