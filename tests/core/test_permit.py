"""Permits between processes."""

import subprocess
import sys
import time

import pytest

from stream_ocr.core.permit import Permit, PermitFile, boottime_s
from stream_ocr.errors import SettingsError

_LOOK = (
    "import sys, pathlib; from stream_ocr.core.permit import Permit; print(Permit(pathlib.Path(sys.argv[1])).is_valid)"
)


def test_permit_expires_unless_it_is_extended(tmp_path):
    file = PermitFile(tmp_path / "permit")
    permit = Permit(tmp_path / "permit")
    assert not permit.is_valid
    file.extend(boottime_s() + 0.2)
    assert permit.is_valid
    time.sleep(0.25)
    assert not permit.is_valid


def test_permit_is_seen_by_another_process(tmp_path):
    file = PermitFile(tmp_path / "permit")
    for until_s, valid in ((boottime_s() + 60, "True"), (boottime_s() - 1, "False")):
        file.extend(until_s)
        shown = subprocess.check_output([sys.executable, "-c", _LOOK, str(tmp_path / "permit")], text=True)
        assert shown.strip() == valid


def test_permit_file_begins_expired_whatever_an_earlier_one_said(tmp_path):
    PermitFile(tmp_path / "permit").extend(boottime_s() + 1000)
    PermitFile(tmp_path / "permit")
    assert not Permit(tmp_path / "permit").is_valid


def test_permit_that_is_missing_or_empty_is_an_error(tmp_path):
    (tmp_path / "empty").touch()
    for name in ("missing", "empty"):
        with pytest.raises(SettingsError, match=rf"The permit .*{name} \(service.permit\) cannot be read"):
            Permit(tmp_path / name)
