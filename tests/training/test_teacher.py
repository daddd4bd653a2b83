import io
import json
import tarfile
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from stream_ocr.evaluation.datasets import load_labelled_images
from stream_ocr.training import teacher as module
from stream_ocr.training.teacher import (
    Line,
    Teacher,
    TeacherThresholds,
    augmented_view,
    cut,
    frames_of,
    is_sure,
    label_set,
    pictures_of,
    read_records,
)


class FakeTeacher(Teacher):
    """Finds one line in every picture, and dies at the one called ``fatal``."""

    def __init__(self, fatal: str = "") -> None:
        self.thresholds = TeacherThresholds()
        self.asked: list[str] = []
        self._fatal = fatal

    def label(self, name: str, picture: np.ndarray) -> tuple[dict[str, Any], dict[str, np.ndarray]]:  # noqa: ARG002
        if name == self._fatal:
            raise KeyboardInterrupt
        self.asked.append(name)
        quad = [[1, 1], [9, 1], [9, 5], [1, 5]]
        file = f"{Path(name).stem}_000.png"
        crop = {"file": file, "text": "hello", "confidence": 0.9, "spaces": []}
        record = {"image": name, "quads": [quad], "texts": ["hello"], "ignored": [quad], "crops": [crop]}
        return record, {file: np.full((20, 60), 7, np.uint8)}


def archive(path: Path, names: list[str]) -> Path:
    data = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    with tarfile.open(path, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_teacher_resumes_an_interrupted_set(tmp_path: Path) -> None:
    tar = archive(tmp_path / "set.tar", ["a.jpg", "b.jpg", "c.jpg"])
    with pytest.raises(KeyboardInterrupt):
        label_set("set", pictures_of(tar), FakeTeacher(fatal="b.jpg"), tmp_path / "out")
    part = tmp_path / "out/set/truth.part.jsonl"
    with part.open("a") as file:
        file.write('{"image": "b.jpg", "qua')  # killed while it wrote
    second = FakeTeacher()
    label_set("set", pictures_of(tar), second, tmp_path / "out")
    assert second.asked == ["b.jpg", "c.jpg"]
    truth = tmp_path / "out/set/truth.jsonl"
    assert [record["image"] for record in read_records(truth)] == ["a.jpg", "b.jpg", "c.jpg"]
    assert not part.exists()
    pictures = load_labelled_images(truth)  # as the evaluation of detectors reads it
    assert [picture.cares for picture in pictures] == [[True, False]] * 3
    assert all(picture.image.is_file() for picture in pictures)
    with tarfile.open(tmp_path / "out/set/crops.tar") as tar_file:
        names = tar_file.getnames()
        details = tar_file.extractfile("crops.jsonl")
        assert details is not None
        assert [json.loads(line)["image"] for line in details.read().splitlines()] == ["a.jpg", "b.jpg", "c.jpg"]
    assert names == ["labels.tsv", "crops.jsonl", "a_000.png", "b_000.png", "c_000.png"]
    third = FakeTeacher()
    label_set("set", pictures_of(tar), third, tmp_path / "out")
    assert third.asked == []


def test_teacher_is_unsure_of_lines_without_letters_and_unsure_readings() -> None:
    bounds = TeacherThresholds()
    assert is_sure(Line("Café 7", 0.9, 0.8, []), bounds)
    assert not is_sure(Line("Café 7", 0.5, 0.3, []), bounds)
    assert not is_sure(Line("---", 0.99, 0.99, []), bounds)


def test_teacher_crops_keep_their_resolution_up_to_a_height() -> None:
    grey = np.arange(200 * 400, dtype=np.uint32).reshape(200, 400).astype(np.uint8)
    quad = np.array([[100, 50], [300, 50], [300, 90], [100, 90]], float)
    assert cut(grey, quad, 0.25, 64).shape == (60, 220)
    assert cut(grey, quad, 0.25, 30).shape == (30, 110)
    assert augmented_view(cut(grey, quad, 0.25, 64)).shape == (60, 207)


def test_teacher_takes_differing_frames_of_a_clip(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(60):
            grey = np.full((48, 64, 3), 40 if i < 30 else 200, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    frames = list(frames_of(clip, TeacherThresholds()))
    assert [name for name, _ in frames] == ["clip_000000.jpg", "clip_003000.jpg"]
    assert cv2.imdecode(np.frombuffer(frames[1][1], np.uint8), cv2.IMREAD_GRAYSCALE).mean() > 150


def test_teacher_labels_a_picture_with_ppocr() -> None:
    pytest.importorskip("rapidocr")
    picture = np.full((200, 500, 3), 230, np.uint8)
    cv2.putText(picture, "Central Station", (30, 110), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (20, 20, 20), 4)
    record, crops = module.Teacher(TeacherThresholds(long_side_px=512)).label("a.jpg", picture)
    assert [text.replace(" ", "") for text in record["texts"]] == ["CentralStation"]
    (crop,) = record["crops"]
    assert crops[crop["file"]].shape[0] <= 64
    assert len(crop["spaces"]) == crop["text"].count(" ")
    assert all(0.3 < place < 0.7 for place in crop["spaces"])
