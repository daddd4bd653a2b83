"""Clips of a benchmark: video files with their truth, or generated ones."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stream_ocr.errors import SettingsError, SourceError
from stream_ocr.evaluation.thresholds import THRESHOLDS
from stream_ocr.evaluation.truth import Truth, read_truth
from stream_ocr.sources import suffixes
from stream_ocr.synthetic import clips
from stream_ocr.synthetic.encode import Codec
from stream_ocr.synthetic.scene import render, truth

_SUFFIX = {"libx264": ".mp4", "libx265": ".mp4", "libvpx-vp9": ".webm", "libvpx": ".webm", "mpeg4": ".avi"}


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


def find_clips(
    names: Sequence[str],
    options: ClipOptions,
    truth_folder: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Clip]:
    """Yield the clips of these names: video files, folders of them, or names of ``clips.CLIPS``.

    The truth of a video is the .json file of its name in ``truth_folder``, or beside it. Videos in folders that have no
    truth are passed over. Generated clips are rendered unless they exist. Raise SourceError for a name that is none of
    these, for a folder without videos that have a truth, and for a missing truth where ``truth_folder`` is given.
    """
    for name in names:
        path = Path(name)
        if name in clips.CLIPS:
            path = _generate(name, options, progress)
            yield Clip(name, path, read_truth(path.with_suffix(".json")))
        elif path.is_dir():
            yield from _clips_in(path, truth_folder)
        elif path.is_file():
            yield _clip(path, truth_folder)
        else:
            raise SourceError(
                f"{name!r} is neither a file, nor a folder, nor one of the generated clips: {', '.join(clips.CLIPS)}."
            )


def _clips_in(folder: Path, truth_folder: Path | None) -> Iterator[Clip]:
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes.VIDEOS)
    with_truth = [path for path in videos if _truth_path(path, truth_folder).is_file()]
    if not with_truth:
        raise SourceError(f"No video in {folder} has a truth file NAME.json in {truth_folder or folder}.")
    yield from (_clip(path, truth_folder) for path in with_truth)


def _clip(path: Path, truth_folder: Path | None) -> Clip:
    truth_path = _truth_path(path, truth_folder)
    known = truth_folder is not None or truth_path.is_file()
    return Clip(path.stem, path, read_truth(truth_path) if known else None)


def _truth_path(video: Path, truth_folder: Path | None) -> Path:
    return (truth_folder or video.parent) / f"{video.stem}.json"


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
