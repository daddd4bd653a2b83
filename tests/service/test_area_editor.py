"""Areas of cameras in a settings file, read and changed in processes of their own."""

import json
import os
from pathlib import Path

import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.config.thresholds import THRESHOLDS
from stream_ocr.errors import SettingsConflictError, SettingsError
from stream_ocr.service.area_editor import AreaEditor

LEFT, TOP = [[0, 0], [0.5, 0], [0.5, 1]], [[0, 0], [1, 0], [1, 0.25]]
EMPTY = {"regions": [], "masks": [], "fields": {}}
TEXT = """\
# the site
detection:
  masks: [[[0, 0], [1, 0], [1, 0.25]]]  # all cameras have a clock
sources:
  gate:  # the main gate
    path: /dev/null
    regions:
      - [[0, 0], [0.5, 0], [0.5, 1]]  # left
  # the yard
  yard: {path: /dev/zero}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.yaml"
    path.write_text(TEXT)
    return path


def describe(editor: AreaEditor) -> dict:
    return json.loads(editor.describe())


def save(editor: AreaEditor, camera: str, **areas) -> dict:
    return json.loads(editor.save(camera, {**EMPTY, **areas}, describe(editor)["version"]))


def test_describe_returns_the_areas_of_all_cameras(file: Path) -> None:
    found = describe(AreaEditor(file, []))
    assert found["cameras"]["gate"] == {**EMPTY, "regions": [LEFT], "problem": None}
    assert found["cameras"]["yard"] == {**EMPTY, "problem": None}
    assert found["inherited"] == {**EMPTY, "masks": [TOP]}
    assert (found["file"], found["problem"]) == ("live.yaml", None)


def test_saved_areas_are_what_a_run_reads_and_all_else_stays(file: Path) -> None:
    editor = AreaEditor(file, [])
    before = describe(editor)["version"]
    fields = {"home_score": {"region": TOP, "pattern": r"\d+"}}
    answer = save(editor, "gate", regions=[LEFT, TOP], fields=fields)
    assert answer["version"] == describe(editor)["version"] != before
    added = r"""      - [[0, 0], [1, 0], [1, 0.25]]
    fields:
      home_score:
        region: [[0, 0], [1, 0], [1, 0.25]]
        pattern: \d+
"""
    mark = "# left\n"
    assert file.read_text() == TEXT.replace(mark, mark + added)
    gate = Settings.load(file).sources["gate"]
    assert gate.fields is not None
    assert gate.fields["home_score"].pattern == r"\d+"
    assert save(editor, "gate", regions=[LEFT])["version"] == before
    assert file.read_text() == TEXT


def test_nothing_is_written_if_nothing_changes(file: Path) -> None:
    before = file.stat().st_ino
    save(AreaEditor(file, []), "gate", regions=[LEFT])
    assert file.stat().st_ino == before


def test_a_change_of_the_file_in_the_meantime_is_a_conflict(file: Path) -> None:
    editor = AreaEditor(file, [])
    version = describe(editor)["version"]
    file.write_text(TEXT + "# mine\n")
    with pytest.raises(SettingsConflictError, match="has changed since this page read it"):
        editor.save("gate", EMPTY, version)
    assert file.read_text() == TEXT + "# mine\n"


@pytest.mark.parametrize(
    ("areas", "sentence"),
    [
        ({"regions": [[[0, 0], [1, 0], [1, 1.5]]]}, r"sources\.gate\.regions\.0\.2\.1: input should be less than"),
        ({"masks": [[[0, 0], [1, 0]]]}, r"sources\.gate\.masks\.0: tuple should have at least 3 items"),
        ({"fields": {"Home": {"region": TOP}}}, r"sources\.gate\.fields\.Home\.\[key\]: string should match pattern"),
        ({"fields": {"home": {"region": TOP, "pattern": "("}}}, "it is not a valid regular expression"),
        ({"fields": {"home": {"region": TOP, "pattern": "((a{1000}){1000})"}}}, "its repetitions"),
    ],
)
def test_mistakes_are_sentences_and_write_nothing(file: Path, areas: dict, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as caught:
        save(AreaEditor(file, []), "gate", **areas)
    assert len(str(caught.value)) < 300
    assert file.read_text() == TEXT
    assert list(file.parent.iterdir()) == [file]


def test_a_mistake_elsewhere_in_the_file_has_the_same_sentence_as_at_the_start(file: Path) -> None:
    file.write_text(TEXT + "  hall: {path: /dev/null, lexicon: /no/such/words}\n")
    with pytest.raises(SettingsError, match=r"recognition\.lexicon: /no/such/words cannot be read"):
        save(AreaEditor(file, []), "gate")
    file.write_text(TEXT + "gatting: {a: 1}\n")
    with pytest.raises(SettingsError) as started:
        Settings.load(file)
    with pytest.raises(SettingsError) as described:
        AreaEditor(file, []).describe()
    assert str(described.value) == str(started.value)


@pytest.mark.parametrize(
    ("text", "overrides", "camera", "sentence"),
    [
        (
            TEXT,
            ["sources.hall.path=/dev/null"],
            "hall",
            "The camera hall is not under sources in live",
        ),
        (TEXT, [f"sources.gate.masks={[TOP]}"], "gate", r"The areas of gate are also set by --set"),
        (TEXT + "sources.gate.masks: []\n", [], "gate", None),
        ("sources.gate.path: /dev/null\n", [], "gate", "is not under sources"),
        ("sources:\n  gate: &g {path: /dev/null}\n  yard: *g\n", [], "gate", "cannot be changed safely: .* is shared"),
        (TEXT, [], "nobody", "There is no camera 'nobody'"),
    ],
)
def test_what_the_file_alone_does_not_decide_is_refused(
    file: Path, text: str, overrides: list[str], camera: str, sentence: str | None
) -> None:
    file.write_text(text)
    editor = AreaEditor(file, overrides)
    if sentence is None:
        save(editor, camera, regions=[TOP])
        return
    with pytest.raises(SettingsError, match=sentence):
        save(editor, camera, regions=[TOP])
    assert file.read_text() == text


def test_environment_that_sets_areas_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_OCR_SOURCES__YARD__REGIONS", str([TOP]))
    assert "also set by --set, the environment" in describe(AreaEditor(file, []))["cameras"]["yard"]["problem"]


def test_read_only_file_is_described_with_the_problem(file: Path) -> None:
    file.chmod(0o444)
    editor = AreaEditor(file, [])
    assert "live.yaml is read-only" in describe(editor)["problem"]
    with pytest.raises(SettingsError, match="is read-only"):
        save(editor, "gate")


def test_description_is_read_again_only_if_the_file_has_changed(file: Path) -> None:
    editor = AreaEditor(file, [])
    first = editor.describe()
    assert editor.describe() is first
    save(editor, "gate")
    assert editor.describe() != first


def test_pipes_and_too_long_files_are_refused(file: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match="not a regular file"):
        AreaEditor(tmp_path / "pipe", []).describe()
    file.write_text(TEXT + "#" * THRESHOLDS.max_yaml_characters)
    with pytest.raises(SettingsError, match="longer than"):
        AreaEditor(file, []).describe()
