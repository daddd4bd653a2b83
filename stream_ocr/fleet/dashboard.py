"""One dashboard for all hosts of a fleet: events by NATS, pictures from the hosts themselves."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

import msgspec

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import NatsConnection
from stream_ocr.fleet.messages import CameraStatus
from stream_ocr.fleet.nats_feed import NatsFeed
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.fleet.watcher import FleetWatcher, Watch
from stream_ocr.service.ticket import Tickets
from stream_ocr.viz.dashboard import server

_ORIGIN = re.compile(r"https?://[A-Za-z0-9._\[\]:-]{1,253}", re.ASCII)
"""Nothing else goes into the policy of the page."""


def serve(
    connection: NatsConnection, ray_address: str | None, settings: Settings, report: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C. ray_address: of the cluster of the fleet; None: events only.

    report: called with a line that names the URL. Raise SourceError, WorkerError, and the errors of ``server.serve``.
    """
    feed = NatsFeed(connection)
    with ExitStack() as opened:
        watcher = None if ray_address is None else opened.enter_context(FleetWatcher(ray_address))

        def watch() -> Watch | None:
            return None if watcher is None else watcher.latest

        server.serve(feed, None, settings, report, FleetHosts(lambda: feed.trouble, watch))


class FleetHosts:
    """State of a fleet for the page, and where the pictures of its cameras are: ``viz.dashboard.context.Hosts``."""

    def __init__(self, trouble: Callable[[], str], watch: Callable[[], Watch | None]) -> None:
        """trouble: returns why no events come, "" if they do. watch: returns the last answer of the controller."""
        self._trouble, self._watch = trouble, watch

    def status(self) -> Mapping[str, Any]:
        """Return the status of cameras and hosts, for JSON."""
        events = {"trouble": self._trouble()}
        if (watch := self._watch()) is None:
            return {"cameras": {}, "events": events, "fleet": None}
        view, origins = watch.view, _origins(watch)
        cameras = {
            f"{view.site}/{name}": _camera(camera, watch.number if _has_picture(camera, origins) else 0)
            for name, camera in view.status.cameras.items()
        }
        fleet = {
            "hosts": msgspec.to_builtins(view.status.hosts),
            "moves": view.status.moves,
            "waiting": view.status.waiting,
            "mistake": view.status.mistake,
            "silent_s": watch.age_s if watch.age_s > THRESHOLDS.silent_s else None,
            "reason": watch.mistake,
        }
        return {"cameras": cameras, "events": events, "fleet": fleet}

    def picture_url(self, stream: str, width_px: str) -> str | None:
        """Return where the latest picture of a camera is now, with a ticket; None if there is none."""
        if (watch := self._watch()) is None:
            return None
        view, origins, (site, _, name) = watch.view, _origins(watch), stream.partition("/")
        camera = view.status.cameras.get(name) if site == view.site else None
        if camera is None or not _has_picture(camera, origins):
            return None
        query = Tickets(view.ticket_key.encode()).issue(name, time.time())
        return f"{origins[camera.host]}/picture?{urlencode({'width': width_px, **query})}"

    def picture_origins(self) -> Sequence[str]:
        """Return the origins of the hosts of now."""
        watch = self._watch()
        return [] if watch is None else sorted({*_origins(watch).values()})


def _origins(watch: Watch) -> dict[str | None, str]:
    """Return the origin of the pictures of each host that serves some."""
    hosts = watch.view.status.hosts
    return {
        host.name: host.pictures for host in hosts if host.pictures is not None and _ORIGIN.fullmatch(host.pictures)
    }


def _has_picture(camera: CameraStatus, origins: Mapping[str | None, str]) -> bool:
    return camera.state == "up" and camera.host in origins


def _camera(camera: CameraStatus, number: int) -> dict[str, Any]:
    """Return the status of a camera as of ``service.preview``; positions of texts come with the events."""
    return {
        "state": camera.state,
        "reason": camera.reason,
        "host": camera.host,
        "fps": round(camera.fps, 1),
        "age_s": 0.0,
        "dropped": 0,
        "frame_number": number,  # changes with each picture to load
        "positions": [],
        "positions_s": 0.0,
        "lead_s": 0.0,
    }
