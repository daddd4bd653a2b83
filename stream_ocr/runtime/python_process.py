"""How a module of this package is started as a process of its own, with the same modules as in this one."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command for ``python -m module``, which imports nothing from the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def module_environment(further: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Return the environment in which it finds the modules of this process. further: variables to add."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    return {**os.environ, "PYTHONPATH": path, **further}
