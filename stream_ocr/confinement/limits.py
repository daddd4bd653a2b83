"""Resource limits of this process."""

import re
import resource
from pathlib import Path


def lower(which: int, limit: int) -> None:
    """Set a limit, ``resource.RLIMIT_*``, unless a lower one holds."""
    _, hard = resource.getrlimit(which)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(which, (limit, limit))


def data_bytes() -> int:
    """Return the size of the private writable memory of this process, which RLIMIT_DATA limits."""
    found = re.search(r"^VmData:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return 0 if found is None else int(found[1]) << 10
