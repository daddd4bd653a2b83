"""Run all contestants on all clips and report cost, speed and accuracy."""

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
from stream_ocr.evaluation.event_score import median_and_p95
from stream_ocr.evaluation.thresholds import THRESHOLDS
from stream_ocr.evaluation.truth import Truth, read_truth
from stream_ocr.evaluation.video_metrics import measure_events
from stream_ocr.events import read_jsonl
from stream_ocr.sources.files import open_file
from stream_ocr.synthetic import clips
from stream_ocr.synthetic.encode import Codec
from stream_ocr.synthetic.scene import render, truth

CONTESTANTS = ("ours", "decoding", "rapidocr", "everything")
"""``everything`` is ours with the gates open: every frame that differs is detected, every stable text is read in it."""

OPEN_GATES = (
    "gating.change_threshold=0.001",
    "detection.idle_fps=1000",
    "detection.max_fps=1000",
    "recognition.max_readings=1000",
    "recognition.reread_interval_s=0",
    "recognition.reread=always",
    "recognition.max_readings_per_s=1000",
)
"""Settings of ``everything``."""

_SUFFIX = {"libx264": ".mp4", "libx265": ".mp4", "libvpx-vp9": ".webm", "libvpx": ".webm", "mpeg4": ".avi"}
_PACKAGES = ("stream-ocr", "av", "mnn", "onnxruntime", "rapidocr", "torch")


@dataclass(frozen=True)
class Clip:
    """A video file and its truth, if there is one."""

    name: str
    path: Path
    truth: Truth | None


@dataclass(frozen=True)
class ClipOptions:
    """Properties of generated clips. folder: of clips and logs. size: (width, height) in pixels."""

    folder: Path
    size: tuple[int, int] = (1280, 720)
    duration_s: float = 30.0
    codec: Codec = "libx264"

    @classmethod
    def parse(cls, folder: Path, size: str, duration_s: float, codec: str) -> Self:
        """Return the options that a user typed, such as a size of 1280x720. Raise SettingsError."""
        width, x, height = size.partition("x")
        if not (
            x
            and width.isdecimal()
            and height.isdecimal()
            and min(int(width), int(height)) >= THRESHOLDS.min_clip_side_px
        ):
            raise SettingsError(
                f"The size {size!r} is not of the form 1280x720, with sides from {THRESHOLDS.min_clip_side_px} pixels."
            )
        if codec not in _SUFFIX:
            raise SettingsError(f"The codec {codec!r} is not one of {', '.join(_SUFFIX)}.")
        if duration_s < THRESHOLDS.min_clip_s:
            raise SettingsError(
                f"Clips of {duration_s:g} s are too short to measure; take {THRESHOLDS.min_clip_s:g} s or more."
            )
        return cls(folder, (int(width) // 2 * 2, int(height) // 2 * 2), duration_s, codec)  # type: ignore[arg-type]


def contestants(against: str) -> list[str]:
    """Return ``ours`` and the contestants of a comma-separated list. Raise SettingsError for unknown names."""
    others = [name.strip() for name in against.split(",") if name.strip() and name.strip() != "none"]
    for name in others:
        if name not in CONTESTANTS:
            raise SettingsError(f"{name!r} is not a contestant; there are {', '.join(CONTESTANTS[1:])} and none.")
    return ["ours", *(name for name in others if name != "ours")]


def find_clips(
    names: Sequence[str], options: ClipOptions, progress: Callable[[str], None] = lambda _: None
) -> Iterator[Clip]:
    """Yield the clips of these names: files, with their truth in a .json beside them, or names of ``clips.CLIPS``.

    The latter are generated unless they exist. Raise SourceError for a name that is neither.
    """
    for name in names:
        path = Path(name)
        if name in clips.CLIPS:
            path = _generate(name, options, progress)
        elif not path.is_file():
            raise SourceError(f"{name!r} is neither a file nor one of the generated clips: {', '.join(clips.CLIPS)}.")
        truth_path = path.with_suffix(".json")
        clip_truth = read_truth(truth_path) if truth_path.is_file() else None
        yield Clip(name if name in clips.CLIPS else path.stem, path, clip_truth)


def run(
    names: Sequence[str],
    contestants: Sequence[str],
    options: ClipOptions,
    overrides: Sequence[str] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run the contestants and return the results for JSON.

    names: clips and files; all clips if empty. progress: called with a line for each step. Clips and event logs are
    written into the folder of ``options``.
    """
    settings = Settings.load(overrides=overrides)
    options.folder.mkdir(parents=True, exist_ok=True)
    chosen = list(find_clips(names or tuple(clips.CLIPS), options, progress))
    rows = []
    machine = {**machine_info(), "packages": {name: _version(name) for name in _PACKAGES}}
    for clip in chosen:
        row = describe(clip)
        for contestant in contestants:
            progress(f"{clip.name}: {contestant}")
            row["runs"][contestant] = _run(clip, contestant, options.folder, settings, overrides, row["duration_s"])
        row["compared"] = _ratios(row["runs"])
        rows.append(row)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "load_at_end": load_average(),
        "models": settings.models,
        "settings": list(overrides),
        "clips": rows,
        "total": {contestant: _total(rows, contestant) for contestant in contestants},
    }


def describe(clip: Clip) -> dict[str, Any]:
    """Return name, size in pixels and duration in seconds of a clip. Raise SourceError if its duration is unknown."""
    with open_file(clip.path, stream=clip.name) as source:
        duration_s, size = source.duration_s, source.size
    if not duration_s:
        raise SourceError(f"{clip.path} has no duration, so its speed cannot be computed; remux it.")
    return {"clip": clip.name, "size": list(size), "duration_s": round(duration_s, 3), "runs": {}}


def _run(
    clip: Clip, contestant: str, folder: Path, settings: Settings, overrides: Sequence[str], duration_s: float
) -> dict[str, Any]:
    """Run one contestant on one clip; return its cost, speed and score."""
    log = folder / f"{clip.name}.{contestant}.jsonl"
    if contestant == "decoding":
        cost, counts = measure("stream_ocr.evaluation.bench.decode_only", [clip.path, str(settings.decode.threads)])
    elif contestant == "rapidocr":
        cost, counts = measure("stream_ocr.evaluation.bench.rapidocr", [clip.path, log])
    else:
        settings_given = [*overrides, *OPEN_GATES] if contestant == "everything" else overrides
        cost, counts = measure("stream_ocr.evaluation.bench.stream_ocr_runner", [clip.path, log, *settings_given])
    speeds = {"speed": round(duration_s / cost.wall_s, 3), "running_speed": round(duration_s / counts["running_s"], 3)}
    row: dict[str, Any] = {**asdict(cost), **speeds, **{name: round(value, 5) for name, value in counts.items()}}
    if contestant == "decoding":
        return row
    events = list(read_jsonl(log))
    row["texts"] = sum(event.kind in ("appeared", "changed") for event in events)
    row["texts_per_minute"] = round(row["texts"] / duration_s * 60, 2)
    if clip.truth is not None:
        scored, row["score"] = measure_events(clip.truth, events)
        row["errors_ms"] = {"start": _rounded(scored.start_errors_ms), "end": _rounded(scored.end_errors_ms)}
        row["missed"] = [word.word for word in scored.missed]
        row["extra"] = [word.word for word in scored.extra]
    return row


def _ratios(runs: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Return how many times as fast as each other contestant ours is, with and without the start of the processes."""
    return {
        f"{kind}_to_{other}": round(runs["ours"][kind] / runs[other][kind], 4)
        for other in runs
        if other != "ours" and "ours" in runs
        for kind in ("speed", "running_speed")
    }


def _total(rows: Sequence[dict[str, Any]], contestant: str) -> dict[str, Any]:
    """Return the results over all clips: speed over their total duration, mean scores, errors of all words."""
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


def _generate(name: str, options: ClipOptions, progress: Callable[[str], None]) -> Path:
    """Render a clip and its truth unless they exist; return the path of the video."""
    width, height = options.size
    stem = f"{name}-{width}x{height}-{options.duration_s:g}s-{options.codec}"
    path = options.folder / f"{stem}{_SUFFIX[options.codec]}"
    if not path.with_suffix(".json").exists():
        progress(f"{name}: rendering {path}")
        scene = clips.build_clip(name, options.size, options.duration_s)
        render(scene, path, codec=options.codec)
        path.with_suffix(".json").write_text(json.dumps(truth(scene, path.name)), encoding="utf-8")
    return path


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _rounded(errors: Iterable[float]) -> list[float]:
    return [round(error, 1) for error in errors]
