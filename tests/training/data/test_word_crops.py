import io
import random
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.models.recognition.charset import DEFAULT
from stream_ocr.models.recognition.input_sizes import HEIGHT, WIDTHS
from stream_ocr.training.data.word_crops import augment, is_validation, load_crops


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def picture(height: int, width: int) -> bytes:
    image = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


def test_every_crop_is_in_one_part_and_stays_there(tmp_path: Path) -> None:
    names = [f"{i:03d}.png" for i in range(60)]
    labels = "\n".join(f"{name}\tword{i}" for i, name in enumerate(names)).encode()
    write_tar(tmp_path / "set.tar", {"labels.tsv": labels} | {name: picture(200, 300) for name in names})
    crops = load_crops(tmp_path / "set.tar", DEFAULT)
    texts = {s.text for s in crops.training}, {s.text for s in crops.validation}
    assert len(texts[0]) + len(texts[1]) == 60
    assert not texts[0] & texts[1]
    assert 3 <= len(texts[1]) <= 24
    assert {s.text for s in load_crops(tmp_path / "set.tar", DEFAULT).validation} == texts[1]
    assert crops.training[0].image.shape == (64, 96)


def test_crops_without_a_usable_label_or_picture_are_left_out(tmp_path: Path) -> None:
    labels = "a.png\tgood\nb.png\t漢字\nmissing.png\tword\nbroken.png\tword\nempty.png\t".encode()
    files = {"a.png": picture(20, 50), "b.png": picture(20, 50), "broken.png": b"?", "empty.png": picture(20, 20)}
    write_tar(tmp_path / "set.tar", {"labels.tsv": labels} | files)
    crops = load_crops(tmp_path / "set.tar", DEFAULT)
    assert [s.text for s in (*crops.training, *crops.validation)] == ["good"]


def test_a_fifth_is_kept() -> None:
    assert 0.17 < np.mean([is_validation(f"set/{i}.jpg") for i in range(5000)]) < 0.23


@pytest.mark.parametrize("shape", [(5, 4), (12, 40), (64, 20), (64, 600)])
def test_augmented_crops_fit_the_net(shape: tuple[int, int]) -> None:
    rng = random.Random(0)
    sample = Sample(np.random.default_rng(0).integers(0, 256, shape, np.uint8), "x")
    for _ in range(50):
        image, text = augment(sample, rng)
        assert text == "x"
        assert image.dtype == np.uint8
        assert image.shape[0] == HEIGHT
        assert image.shape[1] in WIDTHS


def test_the_words_at_hand_load() -> None:
    archive = Path(__file__).parents[3] / "../shared/data/words/iiit5k_train.tar"
    if not archive.is_file():
        pytest.skip("no real crops here")
    crops = load_crops(archive, DEFAULT)
    assert len(crops.training) + len(crops.validation) > 1900
