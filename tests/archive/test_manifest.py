import pytest

from stream_ocr.archive.manifest import read_manifest
from stream_ocr.archive.sources import Sources
from stream_ocr.errors import SourceError


def test_text_manifests_have_a_path_a_line(tmp_path):
    manifest = tmp_path / "films.txt"
    manifest.write_text("# films\na/1.mp4\n\n/else/2.mp4\ns3://user:secret@bucket/3.mp4\n")
    lines = list(read_manifest(manifest))
    assert [line.address for line in lines] == [
        str(tmp_path / "a/1.mp4"),
        "/else/2.mp4",
        "s3://user:secret@bucket/3.mp4",
    ]
    assert [line.stream for line in lines] == ["a/1.mp4", "/else/2.mp4", "s3://bucket/3.mp4"]


def test_json_manifests_have_streams_and_settings(tmp_path):
    manifest = tmp_path / "films.jsonl"
    manifest.write_text(
        '{"path": "1.mp4"}\n'
        '{"path": "2.mp4", "stream": "two", "settings": {"detection.max_fps": 3, "recognition": {"pattern": "A+"}}}\n'
    )
    first, second = Sources([str(manifest)])
    assert (first.stream, first.settings) == ("1.mp4", {})
    assert second.stream == "two"
    assert second.settings == {"detection": {"max_fps": 3}, "recognition": {"pattern": "A+"}}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", r"Line 1 of .*films\.jsonl is not JSON"),
        ('{"file": "x"}', r"Line 1 of .*: path: Field required"),
        ('{"path": "x", "langage": "de"}', r"langage: Extra inputs"),
    ],
)
def test_lines_that_are_wrong_are_errors_with_their_number(tmp_path, line, sentence):
    manifest = tmp_path / "films.jsonl"
    manifest.write_text(line)
    with pytest.raises(SourceError, match=sentence):
        list(read_manifest(manifest))


def test_a_missing_manifest_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="There is no manifest"):
        list(read_manifest(tmp_path / "films.txt"))
