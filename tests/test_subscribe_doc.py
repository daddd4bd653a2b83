"""docs/subscribe.md says what is so."""

import re
from pathlib import Path

import pytest
import typer
import yaml

from stream_ocr.cli.app import app
from stream_ocr.config.settings import Settings
from stream_ocr.config.storage import SocketSettings, StoreSettings

DOC = Path(__file__).parents[1] / "docs" / "subscribe.md"
TEXT = DOC.read_text(encoding="utf-8")


def test_its_example_is_good_settings():
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    settings = Settings.model_validate(yaml.safe_load(example))
    assert settings.store.crops
    assert settings.socket.events == "tcp://127.0.0.1:5560"


@pytest.mark.parametrize("section", [StoreSettings, SocketSettings])
def test_it_names_every_setting(section):
    words = set(re.findall(r"\w+", " ".join(re.findall(r"```.*?```|`[^`]+`", TEXT, re.DOTALL))))
    assert set(section.model_fields) <= words


def test_its_commands_have_the_options_that_it_gives_them():
    commands = typer.main.get_command(app).commands
    lines = re.findall(r"^stream-ocr (\w+)([^|#\n]*)", TEXT, re.MULTILINE)
    assert len(lines) > 10
    for name, rest in lines:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", re.sub(r"'[^']*'", "", rest))) <= known, (name, rest)


def test_its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)", TEXT):
        assert "*" in link or (DOC.parent / link).exists(), link
