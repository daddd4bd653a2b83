"""Streams of ONVIF devices as a table, and as ``sources`` of a settings file.

Names of devices and streams are texts of strangers: they are escaped, and in YAML they stand in comments only.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import yaml

from stream_ocr.printable import escape_unprintable

if TYPE_CHECKING:
    from stream_ocr.sources.onvif import Device, VideoStream

_MAX_NAME = 56  # characters; a name of a source has at most 64, and a number may follow
_PIPE_COLUMNS = 1000  # of a table that is not shown on a terminal, in which no address is broken


def print_table(devices: "Sequence[Device]") -> None:
    """Print a row for each stream on standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table("camera", "stream", "size", "codec", "fps", box=None)
    table.add_column("address", overflow="fold")
    for device in devices:
        for stream in device.streams:
            cells = (_title(device, stream), f"{stream.role} {stream.name}", _size(stream), stream.codec)
            table.add_row(*map(escape_unprintable, (*cells, str(stream.fps or "-"), stream.url)))
    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    Console(highlight=False, markup=False, emoji=False, width=width).print(table)


def sources_yaml(devices: "Sequence[Device]") -> str:
    """Return ``sources`` with a source for each channel of each device, and its further streams as comments.

    An address that needs a password is taken from an environment variable, which a comment describes.
    """
    taken: set[str] = set()
    lines = [line for device in devices for line in _device_lines(device, taken)]
    return "\n".join(["sources:", *lines, ""]) if lines else "sources: {}\n"


def _device_lines(device: "Device", taken: set[str]) -> Iterator[str]:
    for stream in device.streams:
        facts = f"{_size(stream)} {stream.codec}" + (f", {stream.fps} fps" if stream.fps else "")
        if stream.role == "sub":
            yield _comment(f"smaller stream {stream.name}: {facts}, {stream.url}")
            continue
        name = _source_name(device, stream, taken)
        yield f"  {name}:"
        yield _comment(f"{_title(device, stream)}: {facts}")
        if stream.protected:
            variable = f"{name.upper().replace('-', '_')}_URL"
            scheme, _, rest = stream.url.partition("://")
            yield f"    url_env: {variable}"
            yield _comment(f"{variable}={scheme}://USER:PASSWORD@{rest}")
        else:
            yield f"    {yaml.safe_dump({'url': stream.url}, allow_unicode=False, width=10**6).strip()}"


def _source_name(device: "Device", stream: "VideoStream", taken: set[str]) -> str:
    """Return a name that no other source has, and that may begin the name of an environment variable."""
    words = re.findall("[a-z0-9]+", (device.name or device.model or device.address).lower())
    name = "-".join(words)[:_MAX_NAME].strip("-")
    name = name if name[:1].isalpha() else f"camera-{name}".strip("-")
    name = f"{name}-{stream.channel}" if stream.channel > 1 else name
    free = next(each for each in (name, *(f"{name}-{number}" for number in range(2, 10**6))) if each not in taken)
    taken.add(free)
    return free


def _title(device: "Device", stream: "VideoStream") -> str:
    name = device.name or " ".join(filter(None, (device.manufacturer, device.model))) or device.address
    return f"{name} [{stream.channel}]" if stream.channel > 1 else name


def _size(stream: "VideoStream") -> str:
    return f"{stream.width}×{stream.height}" if stream.width and stream.height else "?"


def _comment(text: str) -> str:
    return f"    # {escape_unprintable(text)}"
