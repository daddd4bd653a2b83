"""Documents of cameras, sinks and subscribing agree with the code."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
import yaml
from pydantic import BaseModel

from stream_ocr.cli.app import app
from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import JsonlSettings, Match, MqttSettings, Rule, WebhookSettings
from stream_ocr.config.storage import SocketSettings, StoreSettings
from stream_ocr.testing import text_event

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DOCUMENTED = [
    *(("sinks.md", group) for group in (JsonlSettings, WebhookSettings, MqttSettings, Match, Rule)),
    *(("subscribe.md", group) for group in (StoreSettings, SocketSettings)),
]


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def example_in(text: str) -> Settings:
    """Return the settings in the only YAML block of a document."""
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return Settings.model_validate(yaml.safe_load(example))


def test_cameras_names_existing_tests_for_every_fault() -> None:
    text = read("cameras.md")
    faults = re.findall(r"^\| .* \| (.*) \|$", text.partition("| fault |")[2].partition("\n\n")[0], re.MULTILINE)
    assert len(faults) > 20
    assert all("`test_" in tests for tests in faults)
    named = set(re.findall(r"`(test_\w+)`", text))
    existing = {
        name
        for path in ROOT.glob("tests/**/test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert named - existing == set()


def test_sinks_example_is_valid() -> None:
    settings = example_in(read("sinks.md"))
    assert len(settings.sinks) == 5
    assert len(settings.rules) == 2


def test_subscribe_example_is_valid() -> None:
    settings = example_in(read("subscribe.md"))
    assert settings.store.crops
    assert settings.socket.events == "tcp://127.0.0.1:5560"


@pytest.mark.parametrize(("name", "group"), DOCUMENTED)
def test_document_names_every_setting(name: str, group: type[BaseModel]) -> None:
    words = set(re.findall(r"\w+", " ".join(re.findall(r"```.*?```|`[^`]+`", read(name), re.DOTALL))))
    assert set(group.model_fields) <= words


@pytest.mark.parametrize("group", [group for _, group in DOCUMENTED])
def test_every_setting_has_a_description(group: type[BaseModel]) -> None:
    assert all(field.description and field.description.endswith(".") for field in group.model_fields.values())


def test_subscribe_commands_have_their_options() -> None:
    commands = typer.main.get_command(app).commands
    lines = re.findall(r"^stream-ocr (\w+)([^|#\n]*)", read("subscribe.md"), re.MULTILINE)
    assert len(lines) > 10
    for name, rest in lines:
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", re.sub(r"'[^']*'", "", rest))) <= known, (name, rest)


def test_subscribe_links_exist() -> None:
    for link in re.findall(r"\]\(([^)#]+)", read("subscribe.md")):
        assert "*" in link or (DOCS / link).exists(), link


def test_architecture_names_existing_modules() -> None:
    table = read("architecture.md").partition("## Where to find it")[2].partition("## Adding")[0]
    named = set(re.findall(r"`([a-z_/]+\.py)`", table))
    assert len(named) > 10
    packages = [ROOT / "stream_ocr", *(path for path in (ROOT / "stream_ocr").iterdir() if path.is_dir())]
    assert {name for name in named if not any((package / name).is_file() for package in packages)} == set()


def test_events_example_validates_events(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", read("events.md"), re.DOTALL)
    events = tmp_path / "events.jsonl"
    example = example.replace("docs/events.schema.json", str(DOCS / "events.schema.json"))
    program = [sys.executable, "-c", example]
    for line, status in ((text_event().to_json(), 0), (b"{}", 1)):
        events.write_bytes(line + b"\n")
        assert subprocess.run(program, cwd=tmp_path, capture_output=True, check=False).returncode == status


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is missing: pip install '.[docs]'")
def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "site" / "concepts" / "index.html").is_file()
