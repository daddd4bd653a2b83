"""Settings of a fleet: many hosts that read the cameras of one settings file."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stream_ocr.config.base import ConfigModel
from stream_ocr.config.sources import SourceName

Tag = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]


class CameraDemand(ConfigModel):
    """Needs of a camera."""

    fps: float = Field(25.0, gt=0, description="Frames per second of the camera that count against the capacity.")
    needs: tuple[Tag, ...] = Field(
        (), description="Tags that the host must have: names of resources of its Ray node, such as a site, or GPU."
    )


class FleetSettings(ConfigModel):
    """Hosts of `stream-ocr fleet`, which are the nodes of a Ray cluster."""

    work: Path = Field(
        Path("~/.local/state/stream-ocr-fleet"),
        description="Folder on each host for its settings, with addresses of cameras, and events that wait for NATS. "
        "Hosts on one machine have folders of their own in it.",
    )
    fps: float | None = Field(
        None,
        ge=0,
        description="Capacity of each host, in frames per second of its cameras; a resource `frames_per_second` of a "
        "Ray node takes precedence. null: measured when the host starts.",
    )
    listen: str | None = Field(
        None,
        pattern=r"^[\w.-]+:\d{1,5}$",
        description="HTTP address HOST:PORT of /metrics and /healthz of the controller. null: no HTTP server.",
    )
    pictures: str = Field(
        "http://{address}:{port}",
        pattern=r"^https?://([A-Za-z0-9_.:\[\]-]|\{(host|address|port)\})+$",
        description="Where browsers reach `service.listen` of a host, or a proxy with TLS before it, for the pictures "
        "of the dashboard. {address}: IP address of the node, {host}: its name, {port}: that of service.listen.",
    )
    camera: CameraDemand = Field(CameraDemand(), description="What each camera needs that is not under cameras.")
    cameras: dict[SourceName, CameraDemand] = Field({}, description="What single cameras need, by name.")

    def demand(self, camera: str) -> CameraDemand:
        """Return what a camera needs."""
        return self.cameras.get(camera, self.camera)
