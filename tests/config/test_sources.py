import traceback
from datetime import datetime

import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.config.sources import SourceSettings
from stream_ocr.errors import SettingsError

URL = "rtsp://user:s3cr3t@10.0.0.7/1"


def load(text, tmp_path):
    file = tmp_path / "live.yaml"
    file.write_text(text)
    return Settings.load(file)


def test_source_address_is_read_from_url_url_env_or_url_file(tmp_path, monkeypatch):
    monkeypatch.setenv("GATE_URL", URL)
    (tmp_path / "secret").write_text(f"{URL}\n")
    settings = load(
        f"sources:\n  a: {{url: '{URL}'}}\n  b: {{url_env: GATE_URL}}\n  c: {{url_file: {tmp_path}/secret}}\n"
        "  d: {path: /dev/video0}\n",
        tmp_path,
    )
    assert [source.address and source.address.reveal() for source in settings.sources.values()] == [*[URL] * 3, None]
    for shown in (repr(settings), settings.to_yaml(), settings.model_dump_json()):
        assert "s3cr3t" not in shown
    assert settings.scrubber("s3cr3t") == "***"

    monkeypatch.delenv("GATE_URL")
    (tmp_path / "secret").unlink()
    worker = Settings.model_validate(settings.for_workers())
    assert [source.address for source in worker.sources.values()] == [
        source.address for source in settings.sources.values()
    ], "workers started later do not depend on the file and the variable"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sources: {gate: {}}", r"sources: .*"),
        ("sources: {gate: {transport: tcp}}", "exactly one of url, url_env, url_file and path, not none"),
        (f"sources: {{gate: {{path: a.mp4, url: '{URL}'}}}}", "not url and path"),
        (f"sources: {{gate: '{URL}'}}", "group of settings"),
        (f"sources: {{gate: {{path: '{URL}'}}}}", "write it under url"),
        (f"sources: {{gate: {{url: '{URL}', loop: true}}}}", "loop is for video files"),
        (f"sources: {{gate: {{url: ['{URL}']}}}}", "an address must be a string"),
        (f"sources: {{gate: {{url: 'file:{URL}'}}}}", "starts with rtsp://"),
        ("sources: {gate: {url_env: NO_SUCH_VARIABLE}}", "the environment variable NO_SUCH_VARIABLE"),
        ("sources: {gate: {url_file: /no/such/file}}", "/no/such/file, which should contain the address"),
        ("sources: {gate/1: {path: a.mp4}}", "should match pattern"),
        ("sources: {gate: {path: a.mp4, trasport: tcp}}", r"did you mean sources\.NAME\.transport\?"),
        ("sources: {gate: {path: a.mp4, active: [7-8]}}", r"sources\.gate\.active\.0"),
        ("sources: {gate: {path: a.mp4, masks: [[[0, 0], [1, 2]]]}}", r"sources\.gate\.masks\.0"),
    ],
)
def test_errors_in_sources_do_not_contain_the_address(tmp_path, text, sentence):
    if text == "sources: {gate: {}}":  # empty, like any group without settings
        assert load(text, tmp_path).sources == {}
        return
    with pytest.raises(SettingsError, match=sentence) as caught:
        load(text, tmp_path)
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_includes_applies_regions_and_masks():
    left, top = ((0, 0), (0.5, 0), (0.5, 1), (0, 1)), ((0, 0), (1, 0), (1, 0.2), (0, 0.2))
    source = SourceSettings(path="a.mp4", regions=(left,), masks=(top,))
    assert [source.includes(point) for point in [(0.2, 0.5), (0.2, 0.1), (0.8, 0.5), (0.8, 0.1)]] == [
        True,
        *[False] * 3,
    ]
    assert SourceSettings(path="a.mp4").includes((0.99, 0.01))


@pytest.mark.parametrize(
    ("active", "hour", "is_active"),
    [
        ((), 3, True),
        (("07:00-19:30",), 7, True),
        (("07:00-19:30",), 20, False),
        (("22:00-06:00",), 23, True),
        (("22:00-06:00",), 5, True),
        (("22:00-06:00",), 12, False),
        (("00:00-24:00",), 12, True),
        (("08:00-08:00",), 12, True),
        (("08:00-12:00", "13:00-17:00"), 12, False),
        (("08:00-12:00", "13:00-17:00"), 13, True),
    ],
)
def test_is_active_follows_the_time_ranges(active, hour, is_active):
    now = datetime(2026, 3, 1, hour, 15)  # noqa: DTZ001 - local time
    assert SourceSettings(path="a.mp4", active=active).is_active(now) == is_active
