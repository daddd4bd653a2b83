"""A control group with a memory limit, of version 1 or 2, and a process that takes memory in it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
LONG_S = 60.0
_BALLOON = """
import sys
held = []
for line in sys.stdin:
    held.append(bytearray(b"x" * int(line)))
    print(len(held), flush=True)
"""


class MemoryGroup:
    """A new group; processes in it share a limit. Raise OSError if this machine does not allow it."""

    def __init__(self, name: str) -> None:
        self._is_v2 = (ROOT / "cgroup.controllers").exists()
        self.folder = (ROOT if self._is_v2 else ROOT / "memory") / name
        if self._is_v2:
            (ROOT / "cgroup.subtree_control").write_text("+memory")
        self.folder.mkdir()
        with suppress(OSError):  # a kernel without swap has no such file
            (self.folder / ("memory.swap.max" if self._is_v2 else "memory.swappiness")).write_text("0")

    @property
    def prefix(self) -> Sequence[str]:
        """Return the prefix of a command that runs in the group."""
        return ("sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$0" "$@"')

    @property
    def used_bytes(self) -> int:
        """Return the working set as Kubernetes defines it: without file pages that are not in use."""
        used = int(self._read("memory.current" if self._is_v2 else "memory.usage_in_bytes"))
        return used - self._row("memory.stat", "inactive_file" if self._is_v2 else "total_inactive_file")

    @property
    def kills(self) -> int:
        """Return how many processes were killed because of the limit."""
        return self._row("memory.events" if self._is_v2 else "memory.oom_control", "oom_kill")

    def limit(self, limit_bytes: int | None) -> None:
        """Set the limit; None: no limit."""
        name, none = ("memory.max", "max") if self._is_v2 else ("memory.limit_in_bytes", "-1")
        (self.folder / name).write_text(none if limit_bytes is None else str(limit_bytes))

    def remove(self) -> None:
        """Remove the group once all of its processes have ended."""
        deadline = time.monotonic() + LONG_S
        while self._read("cgroup.procs").strip() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.folder.rmdir()

    def _read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def _row(self, name: str, key: str) -> int:
        return next(int(row.split()[1]) for row in self._read(name).splitlines() if row.split()[0] == key)


@contextmanager
def memory_group() -> Iterator[MemoryGroup]:
    """Provide a group. Raise OSError."""
    group = MemoryGroup(f"stream-ocr-test-{os.getpid()}")
    try:
        yield group
    finally:
        group.remove()


class Balloon:
    """A process in a group that takes memory. The system kills it only if it is the largest there."""

    def __init__(self, group: MemoryGroup) -> None:
        self._process = subprocess.Popen(
            [*group.prefix, sys.executable, "-c", _BALLOON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def grow(self, size_bytes: int) -> None:
        """Take more memory, and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{size_bytes}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline(), "the balloon has burst"

    def close(self) -> None:
        """Release all of it."""
        self._process.kill()
        self._process.communicate()
