"""``stream-ocr read`` as its users call it: folders, patterns, addresses, standard input, and one output for each."""

import contextlib
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pysubs2
import pytest

from stream_ocr.events import TextEvent, read_jsonl
from stream_ocr.synthetic.scene import Scene, Text, render

SIZE = (640, 360)
MODELS = ["--set", "models=builtin", "--set", "device=cpu", "--set", "threads=1"]


def caption(text: str, start_s: float, end_s: float, y: int = 310) -> Text:
    return Text(text, start_s, end_s, (320, y), "middle", height=26)


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """A folder with two films, a text file, and a folder below with another film."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "more").mkdir()
    (folder / "notes.md").write_text("not a film")
    for name, text in (("one.mp4", "Good morning"), ("two.mkv", "Platform seven"), ("more/one.mp4", "Way out")):
        render(Scene((caption(text, 0.2, 0.8),), 1.0, SIZE, background="static"), folder / name)
    return folder


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A film with subtitles, a sign and a logo, as a transport stream that starts at 5,000 s."""
    texts = (
        caption("Where are you going", 0.4, 2.0, 280),
        caption("this evening?", 0.4, 2.0),
        caption("To the harbour.", 2.0, 3.2),
        caption("I shall be back at ten.", 3.6, 4.8),
        Text("GATE 4", 0.0, 5.2, (60, 90), height=24),
        Text("NEWS", 0.0, 5.2, (540, 20), height=22),
    )
    path = tmp_path_factory.mktemp("film") / "film.ts"
    render(Scene(texts, 5.2, SIZE, background="static", start_s=5000.0), path)
    return path


def stream_ocr(*arguments: str | Path, cwd: Path, stdin: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "stream_ocr.cli", *map(str, arguments)]
    with contextlib.ExitStack() as opened:
        given = opened.enter_context(stdin.open("rb")) if stdin else subprocess.DEVNULL
        return subprocess.run(command, cwd=cwd, stdin=given, capture_output=True, text=True, check=False)


def read(*arguments: str | Path, cwd: Path, stdin: Path | None = None) -> subprocess.CompletedProcess[str]:
    return stream_ocr("read", *arguments, *MODELS, "--in-process", cwd=cwd, stdin=stdin)


def cues(path: Path) -> list[str]:
    return [line.text for line in pysubs2.load(str(path))]


def texts(path: Path) -> set[tuple[str, str]]:
    return {(event.stream, event.text) for event in read_jsonl(path) if isinstance(event, TextEvent)}


@pytest.mark.parametrize("options", [(), ("--in-process",)])
def test_read_without_outputs_prints_a_line_per_event(films, options) -> None:
    done = read("one.mp4", "more/one.mp4", *options, cwd=films)
    printed = [line.split(maxsplit=4)[1:] for line in done.stdout.splitlines()]
    assert [(kind, text) for kind, _, _, text in printed] == [
        ("appeared", "Good morning"),
        ("ended", "Good morning"),
        ("appeared", "Way out"),
        ("ended", "Way out"),
    ]


def test_read_writes_an_output_for_each_film_of_a_folder(films, tmp_path):
    done = read(films, "-o", "{stem}.srt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert {path.name: cues(path) for path in tmp_path.iterdir()} == {
        "one.srt": ["Good morning"],
        "two.srt": ["Platform seven"],
    }


def test_read_takes_patterns_and_writes_beside_the_films(films, tmp_path):
    shown = films.relative_to(films.parent)
    done = read(f"{shown}/**/*.mp4", "-o", "{folder}/{name}.vtt", "-o", tmp_path / "all.jsonl", cwd=films.parent)
    assert done.returncode == 0
    assert [cues(films / name) for name in ("one.mp4.vtt", "more/one.mp4.vtt")] == [["Good morning"], ["Way out"]]
    assert {text for _, text in texts(tmp_path / "all.jsonl")} == {"Good morning", "Way out"}
    assert len({stream for stream, _ in texts(tmp_path / "all.jsonl")}) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["one.mp4", "two.mkv", "-o", "a.srt"], "a.srt would mix the texts of 2 videos; -o '{stem}.srt' writes"),
        (["one.mp4", "two.mkv", "--srt", "a.srt"], "a.srt would mix the texts of 2 videos"),
        (["one.mp4", "more/one.mp4", "-o", "{stem}.srt"], "one.srt would be written for one.mp4 and for more/one.mp4"),
        (["one.mp4", "-o", "{title}.srt"], "unknown field {title}"),
        (["one.mp4", "-o", "{.srt"], "single brace"),
        (["one.mp4", "two.mkv", "--set", "sinks=[{type: srt, path: a.srt}]"], "a.srt would mix the texts of 2 videos"),
    ],
)
def test_read_never_merges_films(films, arguments, sentence):
    done = read(*arguments, cwd=films)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(films.glob("*.srt"))


def test_read_reports_inputs_that_stand_for_nothing_and_reads_the_others(films, tmp_path):
    (tmp_path / "empty").mkdir()
    done = read("*.avi", "empty", films / "one.mp4", "-o", "a.txt", cwd=tmp_path)
    assert done.returncode == 1
    assert "There is no file '*.avi'" in done.stderr
    assert "'empty' has no videos and no images" in done.stderr
    assert (tmp_path / "a.txt").read_text() == "Good morning\n"


def test_read_takes_standard_input(films, tmp_path):
    done = read("-", "-o", "{stem}.jsonl", cwd=tmp_path, stdin=films / "one.mp4")
    assert done.returncode == 0, done.stderr
    assert texts(tmp_path / "stdin.jsonl") == {("stdin", "Good morning")}


def test_read_reports_standard_input_without_video(films, tmp_path):
    (tmp_path / "empty").touch()
    done = read("-", cwd=tmp_path, stdin=tmp_path / "empty")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "Standard input (-) is empty; pipe a video into it.")
    twice = read("-", "-", "-o", "a.jsonl", cwd=tmp_path, stdin=films / "one.mp4")
    assert twice.returncode == 1
    assert "can be read only once" in twice.stderr
    assert texts(tmp_path / "a.jsonl") == {("stdin", "Good morning")}


@pytest.mark.parametrize("mode", [["--in-process"], []])
def test_read_takes_addresses(films, tmp_path, mode):
    with serving(films) as host:
        address = f"http://user:s3cr3t@{host}/one.mp4?token=abcd"
        done = stream_ocr(
            "read", address, f"http://{host}/none.mp4", "-o", "{stem}.jsonl", *MODELS, *mode, cwd=tmp_path
        )
    assert done.returncode == 1
    assert texts(tmp_path / "one.jsonl") == {("one.mp4", "Good morning")}
    assert "one.mp4: 25 frames" in done.stderr
    assert f"http://{host}/none.mp4 has no such path; check the address." in done.stderr
    assert "s3cr3t" not in done.stderr
    assert "abcd" not in done.stderr


def test_read_prints_the_same_summary_in_one_process_as_in_several(films, tmp_path):
    lines = [
        stream_ocr("read", films / "one.mp4", "-o", "a.jsonl", *MODELS, *mode, cwd=tmp_path).stderr.splitlines()[-1]
        for mode in (["--in-process"], [])
    ]
    assert lines[0].startswith("one.mp4: 25 frames, 1.0 s of video in ")
    one, other = (re.sub(r"in [\d.]+ s \([\d.]+ ×", "", line) for line in lines)
    assert one == other


def test_subtitles_leave_out_signs_and_count_from_the_start_of_the_film(film, tmp_path):
    outputs = [part for suffix in ("srt", "ass", "vtt", "txt") for part in ("-o", f"{{stem}}.{suffix}")]
    done = read(film, "--subtitles", *outputs, "-o", "a.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = ["Where are you going\\Nthis evening?", "To the harbour.", "I shall be back at ten."]
    for suffix in ("srt", "vtt"):
        found = pysubs2.load(str(tmp_path / f"film.{suffix}"))
        assert [line.text for line in found] == expected
        times = [(line.start, line.end) for line in found]
        for (start, end), (true_start, true_end) in zip(times, [(400, 2000), (2000, 3200), (3600, 4800)], strict=True):
            assert abs(start - true_start) <= 40, times
            assert abs(end - true_end) <= 40, times
    placed = [line.text for line in pysubs2.load(str(tmp_path / "film.ass"))]
    assert [re.sub(r"\{.*?\}", "", text) for text in placed] == expected
    (x, y), *_ = (map(int, re.search(r"pos\((\d+),(\d+)\)", text).groups()) for text in placed)
    assert abs(x - 320) < 10
    assert 280 < y < 345
    assert (tmp_path / "film.txt").read_text() == "\n".join(f"{text}\n" for text in expected).replace("\\N", "\n")
    assert {"GATE 4", "NEWS"} <= {text for _, text in texts(tmp_path / "a.jsonl")}
    assert min(event.start for event in read_jsonl(tmp_path / "a.jsonl")) >= 5000


def test_exported_subtitles_count_from_the_start_of_the_video_that_is_named(film, tmp_path):
    assert read(film, "-o", "a.jsonl", cwd=tmp_path).returncode == 0
    assert stream_ocr("export", "a.jsonl", "--subtitles", "-o", "raw.srt", cwd=tmp_path).returncode == 0
    done = stream_ocr("export", "a.jsonl", "--subtitles", "-o", "a.srt", "--video", film, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    raw, moved = (pysubs2.load(str(tmp_path / name)) for name in ("raw.srt", "a.srt"))
    assert cues(tmp_path / "a.srt") == cues(tmp_path / "raw.srt")
    assert moved[0].start <= 440
    assert raw[0].start >= 5_000_000
    (tmp_path / "b.jsonl").write_text((tmp_path / "a.jsonl").read_text().replace("film.ts", "other.ts"))
    both = tmp_path / "both.jsonl"
    both.write_text((tmp_path / "a.jsonl").read_text() + (tmp_path / "b.jsonl").read_text())
    refused = stream_ocr("export", both, "-o", "b.srt", cwd=tmp_path)
    assert refused.returncode == 1
    assert "b.srt would mix the texts of 2 streams (film.ts, other.ts); choose one with --stream." in refused.stderr
    assert not (tmp_path / "b.srt").exists()


def test_all_texts_count_from_the_start_of_the_film_in_several_processes(film, tmp_path):
    done = stream_ocr(
        "read",
        film,
        "-o",
        "a.srt",
        "--set",
        "sinks=[{type: srt, path: b.srt, select: captions}]",
        *MODELS,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found = [pysubs2.load(str(tmp_path / name)) for name in ("a.srt", "b.srt")]
    assert all(line.end <= 5300 for each in found for line in each)
    assert "GATE 4" in found[0].to_string("srt")
    assert cues(tmp_path / "b.srt")[1:] == ["To the harbour.", "I shall be back at ten."]


def test_regions_masks_and_patterns_apply_to_files(film, tmp_path):
    areas = [["--region", "0,0,0.5,0.4"], ["--mask", "0,0.5,1,1"], ["--pattern", r"GATE \d"]]
    found = []
    for area in areas:
        assert read(film, *area, "-o", "a.jsonl", cwd=tmp_path).returncode == 0
        found.append({text for _, text in texts(tmp_path / "a.jsonl")})
    assert found == [{"GATE 4"}, {"GATE 4", "NEWS"}, {"GATE 4"}]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["film.mp4", "--region", "0,0,1"], "'0,0,1' is not an area"),
        (["film.mp4", "--region", "0,0,1280,720"], "is not an area"),
        (["film.mp4", "--mask", "0.5,0,0.5,1"], "is empty"),
        (["film.mp4", "--language", "ru"], "there is no model for 'ru'"),
        (["film.mp4", "--subtitles", "-o", "a.jsonl"], "name a .srt, .vtt, .ass or .txt file"),
        (["-", "--annotate", "a.mp4"], "only a video file can be annotated"),
        (["film.png", "--in-process"], "--in-process needs a video"),
        (["film.png", "--set", "tracking.max_lost_s=2"], "tracking.max_lost_s (--set) has no effect on this command"),
        (
            ["film.mp4", "--in-process", "--set", "detection.batch.max_items=2"],
            "detection.batch.max_items (--set) has no effect",
        ),
        (["film.mp4", "--in-process", "--trace", "trace.json"], "there are no workers to trace"),
        (["film.png", "--trace", "trace.json"], "--trace needs a video"),
        (["film.mp4", "--language", "ja", "--set", "models=builtin"], "--language ja needs models=multilingual"),
    ],
)
def test_options_without_effect_are_refused(films, tmp_path, arguments, sentence):
    done = stream_ocr("read", *arguments, cwd=tmp_path, stdin=films / "one.mp4")
    assert done.returncode in (1, 2)
    assert sentence in " ".join(done.stderr.replace("│", " ").split())


@contextlib.contextmanager
def serving(folder: Path):
    """Serve a folder as web servers do: with parts of files, which a film with its index at the end needs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = folder / self.path.partition("?")[0].lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            data = path.read_bytes()
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            first = int(wanted[1]) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - first))
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data[first:])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
