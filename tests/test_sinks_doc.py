"""docs/sinks.md says what is so."""

import re
from pathlib import Path

import pytest
import yaml

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import JsonlSettings, Match, MqttSettings, Rule, WebhookSettings

TEXT = (Path(__file__).parents[1] / "docs" / "sinks.md").read_text()


def test_its_example_is_good_settings():
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    settings = Settings.model_validate(yaml.safe_load(example))
    assert len(settings.sinks) == 4
    assert len(settings.rules) == 2


@pytest.mark.parametrize("section", [JsonlSettings, WebhookSettings, MqttSettings, Match, Rule])
def test_it_names_every_setting(section):
    words = set(re.findall(r"\w+", " ".join(re.findall(r"```.*?```|`[^`]+`", TEXT, re.DOTALL))))
    assert set(section.model_fields) <= words


@pytest.mark.parametrize("section", [JsonlSettings, WebhookSettings, MqttSettings, Match, Rule])
def test_every_setting_is_described(section):
    assert all(field.description and field.description.endswith(".") for field in section.model_fields.values())
