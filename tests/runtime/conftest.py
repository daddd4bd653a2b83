from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).parent


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process and workers import the toy stages."""
    monkeypatch.syspath_prepend(HERE)


@pytest.fixture
def no_leftovers() -> Iterator[None]:
    """Check that no process and no file descriptor is left."""
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    yield
    assert psutil.Process().children(recursive=True) == []
    assert {path.name for path in Path("/proc/self/fd").iterdir()} <= before
