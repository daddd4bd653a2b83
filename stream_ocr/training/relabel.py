"""Complete labels that lack case or spaces: a crop keeps the teacher's reading where it agrees with its label.

``python -m stream_ocr.training.relabel --out FOLDER TAR...`` writes ``FOLDER/<set>/crops.tar`` as ``training.teacher``
does. Labels of `sroie_lines` are upper-cased, those of `wildreceipt_lines` have no spaces.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from stream_ocr.training.data.real_crops import read_archive
from stream_ocr.training.teacher import Teacher, TeacherThresholds, pack


def folded(text: str) -> str:
    """Return a text without case and spaces."""
    return "".join(text.upper().split())


def relabel(archive: Path, teacher: Teacher, out: Path) -> None:
    """Write the crops of a set whose label and reading differ in case and spaces at most."""
    folder = out / archive.stem
    if (folder / "crops.tar").is_file():
        print(f"{archive.stem}: already done")
        return
    (folder / "crops").mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = []
    count, begun = 0, time.monotonic()
    for name, image, text in read_archive(archive):
        count += 1
        line = teacher.read(image)
        if not text or folded(line.text) != folded(text):
            continue
        file = f"{Path(name).stem}.png"
        cv2.imwrite(str(folder / "crops" / file), image)
        crop = {"file": file, "text": line.text, "confidence": 1.0, "spaces": line.spaces, "margin": 0.0}
        records.append({"image": f"{archive.stem}/{name}", "crops": [crop]})
    pack(folder, records)
    print(f"{archive.stem}: {len(records)} of {count} labels completed, {time.monotonic() - begun:.0f} s", flush=True)


def main(archives: Sequence[Path], out: Path) -> None:
    """Complete the labels of every set."""
    cv2.setNumThreads(1)
    teacher = Teacher(TeacherThresholds())
    for archive in archives:
        relabel(archive, teacher, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Complete labels with PP-OCRv6.")
    parser.add_argument("archives", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    main(options.archives, options.out)
