from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).parent


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy stages are found, here and by workers."""
    monkeypatch.syspath_prepend(HERE)


@pytest.fixture
def nothing_stays() -> Iterator[None]:
    """No process and no descriptor."""
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    yield
    assert psutil.Process().children(recursive=True) == []
    assert {path.name for path in Path("/proc/self/fd").iterdir()} <= before
