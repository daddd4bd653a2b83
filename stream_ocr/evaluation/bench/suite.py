"""Run all contestants on all clips and report cost, speed and accuracy."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import mean
from typing import Any, get_args

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError, SourceError
from stream_ocr.evaluation.bench.clips import Clip, ClipOptions, find_clips
from stream_ocr.evaluation.bench.machine import load_average, machine_info
from stream_ocr.evaluation.bench.process import measure
from stream_ocr.evaluation.event_score import median_and_p95
from stream_ocr.evaluation.video_metrics import measure_events
from stream_ocr.events import read_jsonl
from stream_ocr.models.presets import ModelsSetting
from stream_ocr.sources.files import open_file
from stream_ocr.synthetic.clips import CLIPS

PRESETS = get_args(ModelsSetting)
CONTESTANTS = ("ours", "decoding", "rapidocr", "everything", *PRESETS)
"""``everything`` is ours with the gates open: every frame that differs is detected, every stable text is read in it.
The names of presets are ours with those models."""

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

_MEANS = ("f1", "precision", "recall", "cer", "duplicates", "mota", "idf1", "time_weighted_cer")
_PACKAGES = ("stream-ocr", "av", "mnn", "onnxruntime", "rapidocr", "torch")


def contestants(against: str) -> list[str]:
    """Return ``ours`` and the contestants of a comma-separated list. Raise SettingsError for unknown names."""
    others = [name.strip() for name in against.split(",") if name.strip() and name.strip() != "none"]
    for name in others:
        if name not in CONTESTANTS:
            raise SettingsError(f"{name!r} is not a contestant; there are {', '.join(CONTESTANTS[1:])} and none.")
    return ["ours", *(name for name in others if name != "ours")]


def run(
    names: Sequence[str],
    contestants: Sequence[str],
    options: ClipOptions,
    overrides: Sequence[str] = (),
    truth_folder: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Run the contestants and return the results for JSON.

    names, truth_folder: see ``find_clips``; all generated clips if there are no names. progress: called with a line for
    each step. Generated clips and event logs are written into the folder of ``options``.
    """
    settings = Settings.load(overrides=overrides)
    options.folder.mkdir(parents=True, exist_ok=True)
    chosen = list(find_clips(names or tuple(CLIPS), options, truth_folder, progress))
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
        given = [*overrides, *_settings_of(contestant)]
        cost, counts = measure("stream_ocr.evaluation.bench.stream_ocr_runner", [clip.path, log, *given])
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


def _settings_of(contestant: str) -> Sequence[str]:
    """Return the settings by which a contestant differs from ``ours``."""
    if contestant in PRESETS:
        return (f"models={contestant}",)
    return OPEN_GATES if contestant == "everything" else ()


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
    for name in _MEANS:
        values = [run["score"][name] for run in scored if run["score"][name] is not None]
        result[name] = round(mean(values), 4) if values else None
    for name in ("start", "end"):
        result[f"{name}_ms"] = median_and_p95([error for run in scored for error in run["errors_ms"][name]])
    return result


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _rounded(errors: Iterable[float]) -> list[float]:
    return [round(error, 1) for error in errors]
