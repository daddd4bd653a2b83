"""Label real pictures with PP-OCRv6 as a teacher: lines for the detector, crops for the recogniser.

``python -m stream_ocr.training.teacher --out FOLDER TAR_OR_CLIP...`` writes ``FOLDER/<set>/truth.jsonl`` in the format
of the detection sets (`{image, quads, texts, ignored}`) beside the pictures, and ``FOLDER/<set>/crops.tar`` with
``labels.tsv`` and ``crops.jsonl``. Clips together form the set ``clips``. An interrupted run continues after the last
finished picture; while a set is unfinished its file is called ``truth.part.jsonl``.

A line counts as read surely when the mean confidence of its characters passes a bound; other lines are ``ignored``.
A crop is kept only when a second, augmented view of it is read alike.
"""

import argparse
import io
import json
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.color import frame_from_bgr
from stream_ocr.core.geometry import expand, from_flat, side_lengths
from stream_ocr.models import presets
from stream_ocr.models.detection.detector import Detector
from stream_ocr.models.recognition.calibration import calibrate
from stream_ocr.models.recognition.ctc import best_path, mean_confidence, min_char_confidence
from stream_ocr.models.recognition.recognizer import Recognizer
from stream_ocr.models.zoo import load_detector, load_recognizer
from stream_ocr.tracking.template_matching import rectify

PICTURES = (".jpg", ".jpeg", ".png")
CLIPS = "clips"


@dataclass(frozen=True)
class TeacherThresholds:
    """Bounds of the teacher. Confidences are calibrated means over the characters of a line."""

    long_side_px: int = 1280
    """Size at which pictures are searched; they are enlarged at most twice."""
    min_detection_score: float = 0.35
    """Lines below are not reported at all."""
    min_line_confidence: float = 0.80
    """Lines below go to ``ignored``."""
    min_crop_confidence: float = 0.80
    """Crops below are not kept, nor those of which a character is below ``min_character_confidence``."""
    min_character_confidence: float = 0.40
    min_line_height_px: float = 6.0
    crop_margin: float = 0.30
    """Room round the quad in a kept crop, in line heights, so that training can vary it."""
    view_margins: tuple[float, float] = (0.28, 0.16)
    """Room round the quad in the two views that must be read alike, in line heights."""
    max_crop_height_px: int = 64
    max_frames_per_clip: int = 24
    min_frame_interval_s: float = 0.5
    min_frame_change: float = 4.0
    """Mean absolute change of a frame, in grey levels, from which it is labelled as a new one."""
    thumbnail_px: int = 64
    """Both sides to which frames are reduced before they are compared: noise and small motion vanish."""


class Line(NamedTuple):
    """A reading, its mean and lowest character confidence, and where its spaces lie, as shares of the width."""

    text: str
    confidence: float
    lowest: float
    spaces: list[float]


class Teacher:
    """PP-OCRv6's detector and recogniser, on one thread."""

    def __init__(self, thresholds: TeacherThresholds) -> None:
        self.thresholds = thresholds
        settings = presets.with_model_defaults(Settings(models="ppocr", device="cpu", threads=1))
        self._temperature = settings.recognition.temperature or 1.0
        self._detector: Detector = load_detector(settings)
        self._detector.long_side = thresholds.long_side_px
        self._detector.box_thresh = thresholds.min_detection_score
        self._detector.min_height_px = thresholds.min_line_height_px
        self._recognizer: Recognizer = load_recognizer(settings)

    def label(self, name: str, picture: np.ndarray) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the record of one picture, (H, W, 3) uint8 BGR, and its kept crops by file name."""
        bounds = self.thresholds
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        record: dict[str, Any] = {"image": name, "quads": [], "texts": [], "ignored": []}
        record |= {"scores": [], "confidences": [], "crops": []}
        crops: dict[str, np.ndarray] = {}
        for i, region in enumerate(self._detector.detect([frame_from_bgr(picture)])[0]):
            quad = from_flat(region.quad)
            corners = [[round(x, 1), round(y, 1)] for x, y in quad.tolist()]
            line = self.read(cut(grey, quad, bounds.view_margins[0], bounds.max_crop_height_px))
            if not is_sure(line, bounds):
                record["ignored"].append(corners)
                continue
            record["quads"].append(corners)
            record["texts"].append(line.text)
            record["scores"].append(round(region.score, 3))
            record["confidences"].append(round(line.confidence, 4))
            if line.confidence < bounds.min_crop_confidence or line.lowest < bounds.min_character_confidence:
                continue
            second = self.read(augmented_view(cut(grey, quad, bounds.view_margins[1], bounds.max_crop_height_px)))
            if second.text != line.text:
                continue
            file = f"{Path(name).stem}_{i:03d}.png"
            crops[file] = cut(grey, quad, bounds.crop_margin, bounds.max_crop_height_px)
            sure = min(line.confidence, second.confidence)
            record["crops"].append(
                {"file": file, "text": line.text, "confidence": round(sure, 4), "spaces": line.spaces}
            )
        return record, crops

    def read(self, crop: np.ndarray) -> Line:
        """Read one grey crop; nothing where it is too small, or too long to be read in one piece."""
        recognizer = self._recognizer
        if min(crop.shape) < 4 or crop.shape[1] > recognizer.resizer.max_aspect * crop.shape[0]:
            return Line("", 0.0, 0.0, [])
        bucket = recognizer.resizer.input_width(crop)
        (p_TC,) = recognizer.engine.run(recognizer.resizer.batch([crop], bucket))
        reading, spans_N2 = best_path(p_TC, recognizer.charset)
        if not reading.text.strip():
            return Line("", 0.0, 0.0, [])
        characters = calibrate(reading.char_confidences, self._temperature)
        used = min(round(crop.shape[1] * recognizer.resizer.height / crop.shape[0]), bucket) / bucket * len(p_TC)
        spaces = [
            round(float(span.mean()) / used, 4)
            for character, span in zip(reading.text, spans_N2, strict=True)
            if character == " "
        ]
        return Line(reading.text, mean_confidence(characters), min_char_confidence(reading.text, characters), spaces)


def is_sure(line: Line, bounds: TeacherThresholds) -> bool:
    """Return whether a line holds a letter or digit and is read with enough confidence."""
    return line.confidence >= bounds.min_line_confidence and any(c.isalnum() for c in line.text)


def cut(grey: np.ndarray, quad: np.ndarray, margin: float, max_height_px: int) -> np.ndarray:
    """Cut a quad, grown by ``margin`` heights, out of a grey picture as an upright crop of its own resolution."""
    wider = expand(quad, margin)
    width, height = side_lengths(wider)
    scale = min(1.0, max_height_px / max(height, 1.0))
    return rectify(grey, wider, max(4, round(width * scale)), max(4, round(height * scale)))


def augmented_view(crop: np.ndarray) -> np.ndarray:
    """Return the crop sheared by 3 %, slightly blurred, with less contrast, and 6 % narrower."""
    height, width = crop.shape
    shear = np.array([[0.94, 0.03, -0.015 * height], [0, 1, 0]], np.float32)
    size = (max(4, round(0.94 * width)), height)
    seen = cv2.warpAffine(crop, shear, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    blurred = np.asarray(cv2.GaussianBlur(seen, (0, 0), 0.5), np.float32)
    return np.asarray(np.clip((blurred - 128) * 0.8 + 128, 0, 255), np.uint8)


def pictures_of(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and encoded bytes of every picture of a tar."""
    with tarfile.open(archive) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.lower().endswith(PICTURES) else None
            if file is not None:
                yield Path(member.name).name, file.read()


def frames_of(clip: Path, thresholds: TeacherThresholds) -> Iterator[tuple[str, bytes]]:
    """Yield name and JPEG bytes of the frames of a clip that differ from the ones before, evenly thinned."""
    thumbnail = (thresholds.thumbnail_px,) * 2
    changed: list[tuple[float, np.ndarray]] = []
    with av.open(str(clip)) as container:
        container.streams.video[0].thread_count = 1
        last: Any = None
        next_s = 0.0
        for frame in container.decode(video=0):
            if frame.time is None or frame.time < next_s:
                continue
            next_s = frame.time + thresholds.min_frame_interval_s
            picture = frame.to_ndarray(format="bgr24")
            small: np.ndarray = cv2.resize(picture, thumbnail, interpolation=cv2.INTER_AREA).astype(np.float32)
            if last is None or float(np.abs(small - last).mean()) >= thresholds.min_frame_change:
                changed.append((frame.time, picture))
                last = small
    every = max(1.0, len(changed) / thresholds.max_frames_per_clip)
    for i in range(min(len(changed), thresholds.max_frames_per_clip)):
        time_s, picture = changed[int(i * every)]
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        yield f"{clip.stem}_{round(time_s * 1000):06d}.jpg", encoded.tobytes()


def label_set(name: str, pictures: Iterator[tuple[str, bytes]], teacher: Teacher, out: Path) -> None:
    """Label a set into ``out / name``; a finished set is left alone, a part of one is continued."""
    folder = out / name
    part, done = folder / "truth.part.jsonl", folder / "truth.jsonl"
    if done.is_file():
        print(f"{name}: already done")
        return
    (folder / "crops").mkdir(parents=True, exist_ok=True)
    finished = {record["image"] for record in read_records(part)}
    begun = time.monotonic()
    with part.open("a", encoding="utf-8") as file:
        for image, data in pictures:
            if image in finished:
                continue
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if picture is None:
                print(f"{name}: {image} cannot be decoded; skipped")
                continue
            (folder / image).write_bytes(data)
            record, crops = teacher.label(image, np.asarray(picture))
            for crop_name, crop in crops.items():
                cv2.imwrite(str(folder / "crops" / crop_name), crop)
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
    pack(folder, read_records(part))
    part.replace(done)
    records = read_records(done)
    lines, kept = sum(len(r["quads"]) for r in records), sum(len(r["crops"]) for r in records)
    ignored = sum(len(r["ignored"]) for r in records)
    spent_s = time.monotonic() - begun
    print(
        f"{name}: {len(records)} pictures, {lines} lines, {ignored} ignored, {kept} crops, {spent_s:.0f} s", flush=True
    )


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a JSONL file, without a last line that was cut off; nothing if the file is missing."""
    if not path.is_file():
        return []
    content = path.read_text(encoding="utf-8")
    whole = content[: content.rfind("\n") + 1]
    if whole != content:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def pack(folder: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write ``crops.tar`` with the crops of a set, ``labels.tsv`` (path TAB text) and ``crops.jsonl``."""
    crops = [crop | {"image": record["image"]} for record in records for crop in record["crops"]]
    labels = "".join(f"{crop['file']}\t{crop['text']}\n" for crop in crops)
    details = "".join(json.dumps(crop, ensure_ascii=False) + "\n" for crop in crops)
    temporary = folder / ".crops.tar"
    with tarfile.open(temporary, "w") as tar:
        for name, text in (("labels.tsv", labels), ("crops.jsonl", details)):
            _add(tar, name, text.encode())
        for crop in crops:
            _add(tar, crop["file"], (folder / "crops" / crop["file"]).read_bytes())
    temporary.replace(folder / "crops.tar")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def main(sources: Sequence[Path], out: Path, thresholds: TeacherThresholds) -> None:
    """Label every source in order: tars become sets of their own, all clips together one."""
    cv2.setNumThreads(1)
    teacher = Teacher(thresholds)
    for archive in (path for path in sources if path.suffix == ".tar"):
        label_set(archive.stem, pictures_of(archive), teacher, out)
    if clips := [path for path in sources if path.suffix != ".tar"]:
        label_set(CLIPS, (frame for clip in clips for frame in frames_of(clip, thresholds)), teacher, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Label pictures and clips with PP-OCRv6.")
    parser.add_argument("sources", type=Path, nargs="+", help="tars of pictures, and clips")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--long-side", type=int, default=TeacherThresholds.long_side_px)
    options = parser.parse_args()
    main(options.sources, options.out, TeacherThresholds(long_side_px=options.long_side))
