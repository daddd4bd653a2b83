from pathlib import Path

import pytest

from stream_ocr.errors import SettingsError
from stream_ocr.service.lock import InstanceLock


def test_lock_allows_one_run_per_file_even_when_editors_replace_it(tmp_path: Path) -> None:
    config = tmp_path / "live.yaml"
    config.write_text("sources: {}\n")
    with InstanceLock(config) as first:
        with pytest.raises(SettingsError, match=r"live\.yaml is in use by another run"), InstanceLock(config):
            pass
        replacement = tmp_path / "replacement"  # as editors do
        replacement.write_text("sources: {}\n")
        replacement.replace(config)
        first.renew()
        with pytest.raises(SettingsError, match="in use"), InstanceLock(config):
            pass
        replacement.write_text("sources: {}\n")
        open_fds = len(list(Path("/proc/self/fd").iterdir()))
        with InstanceLock(replacement):
            replacement.replace(config)
            with pytest.raises(SettingsError, match="in use"):
                first.renew()
        assert len(list(Path("/proc/self/fd").iterdir())) == open_fds
        first.renew()
        with pytest.raises(SettingsError, match="in use"), InstanceLock(config):
            pass
    with InstanceLock(config):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["live.yaml"]
