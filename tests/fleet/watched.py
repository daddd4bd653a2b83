"""Answers of the controller of a fleet of two hosts."""

import time
from typing import Any

from stream_ocr.fleet.messages import CameraStatus, DashboardView, FleetStatus, HostStatus
from stream_ocr.fleet.watcher import Watch

NORTH, SOUTH = "http://10.0.0.7:9560", "https://south.example.org"
KEY = "key of tickets"


def watch(gate: str = "north", north: str | None = NORTH, south: str | None = SOUTH, **changes: Any) -> Watch:
    """Return an answer of the controller. gate: name of the host of a camera. north, south: where pictures are."""
    cameras = {
        "gate": CameraStatus(gate, 5, "up", 25.0, None),
        "yard": CameraStatus("south", 6, "down", 0.0, "Connection refused"),
        "roof": CameraStatus(None, None, "unassigned", 0.0, "No host has room and the tags for it."),
    }
    hosts = [
        HostStatus("north", 200.0, 25.0, frozenset({"GPU"}), 0.5, 1, north),
        HostStatus("south", 100.0, 25.0, frozenset(), 3.5, 1, south),
    ]
    view = DashboardView(FleetStatus(hosts, cameras, moves=3, waiting=False), "local", KEY)
    return Watch(view, **{"number": 7, "answered_s": time.monotonic()} | changes)
