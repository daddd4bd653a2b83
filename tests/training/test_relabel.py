import io
import tarfile
from pathlib import Path

import cv2
import numpy as np

from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.training.data.real_crops import CropLimits, load_teacher
from stream_ocr.training.relabel import folded, relabel
from stream_ocr.training.teacher import Line, Teacher


class FakeTeacher(Teacher):
    """Reads ``Total 5.00``, whatever it is shown."""

    def __init__(self) -> None:
        pass

    def read(self, crop: np.ndarray) -> Line:  # noqa: ARG002
        return Line("Total 5.00", 0.9, 0.9, [0.5])


def test_relabel_completes_labels_where_the_teacher_agrees(tmp_path: Path) -> None:
    data = cv2.imencode(".png", np.zeros((20, 80), np.uint8))[1].tobytes()
    labels = "00000.png\tTOTAL5.00\n00001.png\tTOTAL 5.00\n00002.png\tTOTAL 6.00\n"
    with tarfile.open(tmp_path / "receipts.tar", "w") as tar:
        for name, content in {"labels.tsv": labels.encode(), **{f"0000{i}.png": data for i in range(3)}}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    relabel(tmp_path / "receipts.tar", FakeTeacher(), tmp_path / "out")
    crops = load_teacher(tmp_path / "out/receipts", EUROPEAN, CropLimits(), part="all")
    assert [(crop.text, crop.margin, crop.spaces) for crop in crops] == [("Total 5.00", 0.0, (0.5,))] * 2


def test_relabel_ignores_case_and_spaces() -> None:
    assert folded("Total 5.00") == folded("TOTAL5.00")
