"""Confinement of processes that parse what strangers send: files, system calls, memory (docs/decisions/0030).

``confine`` is for a process that has one thread, because Landlock holds for the calling thread and those it starts.
"""

import os
import resource
from collections.abc import Iterator

import msgspec

from stream_ocr.confinement import landlock, limits, system_calls
from stream_ocr.confinement.paths import INSTALLATION, NETWORK
from stream_ocr.confinement.thresholds import THRESHOLDS
from stream_ocr.printable import text_to_path

__all__ = ["Access", "confine", "describe", "missing"]


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Files and sockets that a confined process may open beyond those that it inherits, and its memory.

    files: paths as text, see ``path_to_text``. network: it may connect to other
    machines, over TCP only to ``ports`` and the one of name servers, or to any port if there are none. memory_bytes:
    private memory on top of what it starts with; None: no limit.
    """

    files: tuple[str, ...] = ()
    network: bool = False
    ports: tuple[int, ...] = ()
    memory_bytes: int | None = None

    def state(self) -> tuple[tuple[int, int] | None, ...]:
        """Return which files exist at the paths now: another value means that they cannot be opened any more."""
        return tuple(_identity(path) for path in self._paths())

    def _paths(self) -> Iterator[str]:
        for path in self.files:
            yield text_to_path(path)
        if self.network:
            yield from NETWORK


def confine(access: Access) -> None:
    """Confine this process for good, as far as the kernel can. Raise OSError if it refuses what it offers."""
    limits.lower(resource.RLIMIT_CORE, 0)  # frames, and addresses with passwords
    limits.lower(resource.RLIMIT_NOFILE, THRESHOLDS.descriptors)
    if access.memory_bytes is not None:
        limits.lower(resource.RLIMIT_DATA, limits.data_bytes() + access.memory_bytes)
    readable = [*access._paths(), *INSTALLATION]
    landlock.restrict(readable, _tcp_ports(access))
    system_calls.restrict(network=access.network)


def missing() -> list[str]:
    """Return what the kernel lacks for confinement, or does not allow here."""
    lacks = [] if landlock.version() else ["Landlock"]
    return lacks if system_calls.is_available() else [*lacks, "seccomp"]


def describe() -> str:
    """Return a sentence on what the kernel offers."""
    if lacks := missing():
        return f"no {' and no '.join(lacks)} here; decoders are confined less, or not at all"
    version = landlock.version()
    tcp = "" if version >= landlock.TCP else "; TCP ports are not confined (Linux 6.7)"
    return f"decoders open nothing but their own file or camera (Landlock {version}, seccomp){tcp}"


def _tcp_ports(access: Access) -> list[int] | None:
    """Return the TCP ports to which connections are allowed; None: all."""
    if access.network:
        return [*access.ports, THRESHOLDS.name_server_port] if access.ports else None
    return []


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a string that need not be UTF-8
    except OSError:
        return None
    return status.st_dev, status.st_ino
