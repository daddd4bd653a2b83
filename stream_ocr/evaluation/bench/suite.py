"""All contestants on all clips, in one run: what it costs them, and how right they are."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError, SourceError
from stream_ocr.evaluation.bench.machine import load_average, machine_info
from stream_ocr.evaluation.bench.process import measure
from stream_ocr.evaluation.event_score import Truth, median_and_p95, read_truth, score
from stream_ocr.events import read_jsonl
from stream_ocr.sources.files import open_file
from stream_ocr.synthetic import clips
from stream_ocr.synthetic.encode import Codec
from stream_ocr.synthetic.scene import render, truth

CONTESTANTS = ("ours", "decoding", "rapidocr", "everything")
"""``everything`` is ours with the gates open: the detector looks or glances at all frames that
differ, all texts that are at rest are read in them."""

OPEN_GATES = (
    "gating.change_threshold=0.001",
    "detection.idle_fps=1000",
    "detection.max_fps=1000",
    "recognition.max_readings=1000",
    "recognition.reread_interval_s=0",
    "recognition.reread=always",
    "recognition.max_readings_per_s=1000",
)

_LEAST_SIDE, _LEAST_S = 128, 2.0
_SUFFIX = {"libx264": ".mp4", "libx265": ".mp4", "libvpx-vp9": ".webm", "libvpx": ".webm", "mpeg4": ".avi"}
_PACKAGES = ("stream-ocr", "av", "mnn", "onnxruntime", "rapidocr", "torch")


@dataclass(frozen=True)
class Clip:
    """A video file, and the truth about it where there is one."""

    name: str
    path: Path
    truth: Truth | None


@dataclass(frozen=True)
class ClipOptions:
    """How the clips that are made here shall be."""

    folder: Path
    size: tuple[int, int] = (1280, 720)
    duration_s: float = 30.0
    codec: Codec = "libx264"

    @classmethod
    def parse(cls, folder: Path, size: str, duration_s: float, codec: str) -> Self:
        """From what a user typed. Raises SettingsError."""
        width, x, height = size.partition("x")
        if not (x and width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= _LEAST_SIDE):
            raise SettingsError(f"The size {size!r} is not of the form 1280x720, with sides from {_LEAST_SIDE} pixels.")
        if codec not in _SUFFIX:
            raise SettingsError(f"The codec {codec!r} is none of {', '.join(_SUFFIX)}.")
        if duration_s < _LEAST_S:
            raise SettingsError(f"Clips of {duration_s:g} s are too short to measure; take {_LEAST_S:g} s or more.")
        return cls(folder, (int(width) // 2 * 2, int(height) // 2 * 2), duration_s, codec)  # type: ignore[arg-type]


def contestants(against: str) -> list[str]:
    """Ours, and those that a user named with commas between. Raises SettingsError."""
    others = [name.strip() for name in against.split(",") if name.strip() and name.strip() != "none"]
    for name in others:
        if name not in CONTESTANTS:
            raise SettingsError(f"{name!r} cannot be compared with; there are {', '.join(CONTESTANTS[1:])}, and none.")
    return ["ours", *(name for name in others if name != "ours")]


def find_clips(names: Sequence[str], make: ClipOptions, tell: Callable[[str], None] = lambda _: None) -> Iterator[Clip]:
    """Files, with the truth in the .json beside them; or names of ``clips.CLIPS``, made unless they are there.

    Raises SourceError when a name is neither.
    """
    for name in names:
        path = Path(name)
        if name in clips.CLIPS:
            path = _made(name, make, tell)
        elif not path.is_file():
            raise SourceError(f"{name!r} is no file and none of the clips that can be made: {', '.join(clips.CLIPS)}.")
        beside = path.with_suffix(".json")
        yield Clip(name if name in clips.CLIPS else path.stem, path, read_truth(beside) if beside.is_file() else None)


def run(
    names: Sequence[str],
    contestants: Sequence[str],
    make: ClipOptions,
    overrides: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """The results, ready for JSON. names: of clips and files; all clips when there are none. tell: hears of each step.

    Clips and logs of events are put into the folder of ``make``.
    """
    settings = Settings.load(overrides=overrides)
    make.folder.mkdir(parents=True, exist_ok=True)
    found = list(find_clips(names or tuple(clips.CLIPS), make, tell))
    rows = []
    before = {**machine_info(), "packages": {name: _version(name) for name in _PACKAGES}}
    for clip in found:
        row = describe(clip)
        for contestant in contestants:
            tell(f"{clip.name}: {contestant}")
            row["runs"][contestant] = _run(clip, contestant, make.folder, settings, overrides, row["duration_s"])
        row["compared"] = _compared(row["runs"])
        rows.append(row)
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": before,
        "load_at_the_end": load_average(),
        "models": settings.models,
        "settings": list(overrides),
        "clips": rows,
        "together": {contestant: _together(rows, contestant) for contestant in contestants},
    }


def describe(clip: Clip) -> dict[str, Any]:
    """What sort of video it is."""
    with open_file(clip.path, stream=clip.name) as source:
        duration_s, size = source.duration_s, source.size
    if not duration_s:
        raise SourceError(f"{clip.path} does not say how long it is, so that no speed could be told; remux it.")
    return {"clip": clip.name, "size": list(size), "duration_s": round(duration_s, 3), "runs": {}}


def _run(
    clip: Clip, contestant: str, folder: Path, settings: Settings, overrides: Sequence[str], duration_s: float
) -> dict[str, Any]:
    """Cost, speed and score of one contestant on one clip."""
    log = folder / f"{clip.name}.{contestant}.jsonl"
    if contestant == "decoding":
        cost, told = measure("stream_ocr.evaluation.bench.decode_only", [clip.path, str(settings.decode.threads)])
    elif contestant == "rapidocr":
        cost, told = measure("stream_ocr.evaluation.bench.rapidocr", [clip.path, log])
    else:
        given = [*overrides, *OPEN_GATES] if contestant == "everything" else overrides
        cost, told = measure("stream_ocr.evaluation.bench.stream_ocr_runner", [clip.path, log, *given])
    speeds = {"speed": round(duration_s / cost.wall_s, 3), "running_speed": round(duration_s / told["running_s"], 3)}
    row: dict[str, Any] = {**asdict(cost), **speeds, **{name: round(value, 5) for name, value in told.items()}}
    if contestant == "decoding":
        return row
    events = list(read_jsonl(log))
    row["texts"] = sum(event.kind in ("appeared", "changed") for event in events)
    row["texts_per_minute"] = round(row["texts"] / duration_s * 60, 2)
    if clip.truth is not None:
        scored = score(clip.truth, events)
        row["score"] = scored.metrics()
        row["errors_ms"] = {"start": _plain(scored.start_errors_ms), "end": _plain(scored.end_errors_ms)}
        row["missed"] = [word.word for word in scored.missed]
        row["extra"] = [word.word for word in scored.extra]
    return row


def _compared(runs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Ours against the others: how many times as fast, whole processes and without their start."""
    return {
        f"{kind}_to_{other}": round(runs["ours"][kind] / runs[other][kind], 4)
        for other in runs
        if other != "ours" and "ours" in runs
        for kind in ("speed", "running_speed")
    }


def _together(rows: Sequence[dict[str, Any]], contestant: str) -> dict[str, Any]:
    """Over all clips: speeds of all seconds together, means of the scores, the errors of all words together."""
    runs = [row["runs"][contestant] for row in rows]
    seconds = sum(row["duration_s"] for row in rows)
    result: dict[str, Any] = {
        name: round(seconds / sum(run[of] for run in runs), 3)
        for name, of in (("speed", "wall_s"), ("running_speed", "running_s"))
    } | {"cpu_s": round(sum(run["cpu_s"] for run in runs), 2), "peak_mb": max(run["peak_mb"] for run in runs)}
    scored = [run for run in runs if "score" in run and run["score"]["true_words"]]
    for name in ("f1", "cer", "duplicates"):
        values = [run["score"][name] for run in scored if run["score"][name] is not None]
        result[name] = round(sum(values) / len(values), 4) if values else None
    for name in ("start", "end"):
        result[f"{name}_ms"] = median_and_p95([error for run in scored for error in run["errors_ms"][name]])
    return result


def _made(name: str, make: ClipOptions, tell: Callable[[str], None]) -> Path:
    width, height = make.size
    stem = f"{name}-{width}x{height}-{make.duration_s:g}s-{make.codec}"
    path = make.folder / f"{stem}{_SUFFIX[make.codec]}"
    if not path.with_suffix(".json").exists():
        tell(f"{name}: making {path}")
        scene = clips.build_clip(name, make.size, make.duration_s)
        render(scene, path, codec=make.codec)
        path.with_suffix(".json").write_text(json.dumps(truth(scene, path.name)), encoding="utf-8")
    return path


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _plain(errors: Iterable[float]) -> list[float]:
    return [round(error, 1) for error in errors]
