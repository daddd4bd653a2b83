import os
import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from stream_ocr.config.base import ConfigModel
from stream_ocr.config.loading import ENV_PREFIX
from stream_ocr.config.settings import SETTINGS_VERSION, Settings, setting_names
from stream_ocr.errors import SettingsError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)


def groups(group: type[BaseModel] = Settings):
    yield group
    for field in group.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, ConfigModel):
            yield from groups(field.annotation)


def test_load_without_arguments_gives_defaults():
    assert Settings.load() == Settings()


def test_load_prefers_overrides_to_environment_to_file(tmp_path, monkeypatch):
    file = tmp_path / "settings.yaml"
    file.write_text("models: builtin\ndetection: {max_fps: 2, max_boxes: 7}\ndecode: {threads: 2}\n")
    monkeypatch.setenv("STREAM_OCR_DETECTION__MAX_FPS", "3")
    monkeypatch.setenv("STREAM_OCR_DECODE__THREADS", "3")
    settings = Settings.load(file, ["decode.threads=4"])
    assert settings.models == "builtin"
    assert settings.detection.max_boxes == 7
    assert settings.detection.max_fps == 3
    assert settings.decode.threads == 4


def test_overrides_are_parsed_as_yaml():
    settings = Settings.load(None, ["detection.long_side=null", "threads=2", "detection.onnx=models/a.onnx"])
    assert settings.detection.long_side is None
    assert settings.threads == 2
    assert settings.detection.onnx == Path("models/a.onnx")


def test_load_reports_all_mistakes_at_once(tmp_path, monkeypatch):
    file = tmp_path / "settings.yaml"
    file.write_text("modles: own\ndetection: {max_per_second: 2}\n")
    monkeypatch.setenv("STREAM_OCR_TRACKING__MAX_LOST_S", "-1")
    with pytest.raises(SettingsError) as caught:
        Settings.load(file, ["decode.threads=x", "change", "logs=3", "device=["])
    report = str(caught.value)
    assert report.startswith("7 mistakes")
    assert f"modles ({file}) is not a setting; did you mean models?" in report
    assert f"detection.max_per_second ({file}) is not a setting; did you mean detection.max_fps?" in report
    assert "tracking.max_lost_s (STREAM_OCR_TRACKING__MAX_LOST_S) is -1" in report
    assert "decode.threads (--set) is 'x'" in report
    assert "'change' is not of the form name=value" in report
    assert "logs (--set) is 3, but it is a group of settings" in report
    assert "device (--set) is '['" in report


def test_load_reports_one_mistake_as_one_sentence():
    sentence = "models (--set) is 'best': input should be 'auto', 'builtin', 'multilingual' or 'ppocr'."
    with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}$"):
        Settings.load(None, ["models=best"])


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("detections.max_fps=1", "detection.max_fps"),
        ("max_lost_s=1", "tracking.max_lost_s"),
        ("detection.batch.max_item=1", "detection.batch.max_items"),
    ],
)
def test_unknown_name_gets_a_suggestion(wrong, right):
    with pytest.raises(SettingsError, match=f"did you mean {right}\\?$"):
        Settings.load(None, [wrong])


def test_unknown_name_without_similar_setting_gets_no_suggestion():
    with pytest.raises(SettingsError, match="`stream-ocr config` lists all settings"):
        Settings.load(None, ["zzzzzz=1"])


RELEASED = sorted(Path(__file__).parent.glob("settings_*.yaml"))


def test_the_current_version_has_a_file():
    """A new version needs readers of the settings that exist, and a file for the next test."""
    assert RELEASED[-1].stem == f"settings_{SETTINGS_VERSION}"


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_settings_of_a_released_version_are_read(path):
    settings = Settings.load(path)
    assert (settings.sources["gate"].transport, settings.sinks[1].name) == ("udp", "alarm")
    assert settings.events.fields["clock"].region[0] == (0.8, 0.0)


def test_settings_of_a_newer_version_are_refused_in_one_sentence(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text(f"version: {SETTINGS_VERSION + 1}\nreaders: [fast]\n")
    with pytest.raises(SettingsError, match=f"^these settings have version {SETTINGS_VERSION + 1}, but .* written for"):
        Settings.load(file)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "a: [", "\xff\xfe"])
def test_load_rejects_files_without_a_mapping(tmp_path, text):
    file = tmp_path / "settings.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"settings\.yaml"):
        Settings.load(file)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("models: 2026-13-45", "models .* is '2026-13-45': input should be"),
        ("threads: " + "9" * 6000, "more than 64 bits"),
        ("sources: &a {b: *a}", "stands within the value"),
        ("models: " + "[" * 3000, "nested more than 20 deep"),
        ("recognition: {pattern: '" + "(" * 2000 + ")" * 2000 + "'}", "longer than 1000 characters"),
        ("recognition: {pattern: '" + "(" * 400 + ")" * 400 + "'}", "nested too deeply"),
        ("recognition: {pattern: '(a{1000}){1000}'}", "repetitions"),
        ("recognition: {pattern: 'a{1000000000000000000000}'}", "repetitions"),
        ("recognition: {pattern: 'a('}", "^recognition.pattern: it is not a valid regular expression"),
        ("a" * 300 + ": 1", "is not a setting"),
        ("a." * 90 + "b: 1", "is not a setting"),
        ("models: [" + "x, " * 900 + "]", "input should be"),
    ],
)
def test_load_rejects_hostile_files_with_a_short_sentence(tmp_path, text, reason):
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=reason) as caught:
        Settings.load(file)
    assert len(str(caught.value)) < 600


def test_load_shortens_long_values_and_counts_many_mistakes(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("".join(f"name{n}: 1\n" for n in range(2000)))
    with pytest.raises(SettingsError) as caught:
        Settings.load(file, ["models=" + "x" * 20_000_000])
    report = str(caught.value)
    assert report.startswith("2001 mistakes")
    assert report.endswith("…")
    assert len(report) < 4000


def test_load_rejects_a_mapping_in_place_of_a_value(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("models: {builtin: 1, auto: 2}")
    with pytest.raises(SettingsError, match=r"^models \(.*\) is \{'auto': 2, 'builtin': 1\}: input should be"):
        Settings.load(file)


def test_load_escapes_control_characters_in_names(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text('"\\e[31mmodels": 1')
    with pytest.raises(SettingsError, match=r"^\\u\{1b\}\[31mmodels"):
        Settings.load(file)


def test_load_rejects_a_missing_file(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        Settings.load(tmp_path / "none.yaml")


def test_load_accepts_empty_files_and_groups(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("# nothing yet\ndetection:\ntracking: {}\n")
    assert Settings.load(file) == Settings()


def test_settings_cannot_be_modified():
    with pytest.raises(ValidationError):
        Settings().models = "builtin"


def test_every_setting_has_a_description():
    for group in groups():
        for name, field in group.model_fields.items():
            assert field.description, f"{group.__name__}.{name}"
            assert field.description.endswith((".", ")")), f"{group.__name__}.{name}"


def test_to_yaml_is_loaded_back(tmp_path):
    settings = Settings.load(None, ["detection.onnx=a b.onnx", "tracking.max_lost_s=0.25", "models=builtin"])
    file = tmp_path / "settings.yaml"
    file.write_text(settings.to_yaml())
    assert Settings.load(file) == settings


def test_default_yaml_is_up_to_date():
    checked_in = Path(__file__).parents[2] / "configs" / "default.yaml"
    assert checked_in.read_text() == Settings().to_yaml(), "run: make docs"
    assert Settings.model_validate(yaml.safe_load(checked_in.read_text())) == Settings()


def test_example_of_cameras_is_valid():
    assert Settings.load(Path(__file__).parents[2] / "configs" / "live.yaml").sources


def test_setting_names_lists_settings_without_groups():
    assert "detection.batch.max_items" in setting_names()
    assert "detection.batch" not in setting_names()


def test_settings_survive_a_json_round_trip():
    settings = Settings.load(None, ["detection.onnx=a.onnx", "threads=3"])
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
