"""Measure recognisers of ours on the validation sets of a recipe.

``python benchmarks/recognizer_validation.py NAME[=FOLDER]... [--recipe CONFIG] [--sheets DIR]`` prints the accuracy on
each set and the mean of the sets (`training/recognizer_sets.py`): letters and digits in any case, subtitle lines
exactly. Each crop is read once, with greedy decoding, as in training. Most of the ICDAR 2015 and IIIT5K crops were in
the training data of the earlier `recognizer-small`; ``--unseen`` keeps only those that it was not trained on.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.evaluation.recognition_metrics import Sample, read
from stream_ocr.models import builtin
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.preprocess import resize_line
from stream_ocr.training.data.real_crops import read_archive
from stream_ocr.training.data.thresholds import SPLITS
from stream_ocr.training.data.word_crops import is_validation
from stream_ocr.training.recognizer_recipe import read_recipe
from stream_ocr.training.recognizer_sets import ValidationSet, load_sets

_COLUMNS, _CELL, _MOST = 5, (270, 64), 150


def unseen(sets: dict[str, ValidationSet], words: Path) -> dict[str, ValidationSet]:
    """Keep the crops of the split sets that the older split (``word_crops.is_validation``) keeps aside as well."""
    kept = dict(sets)
    for name, first in SPLITS.first_crop.items():
        images = {
            image.tobytes()
            for file, image, _ in read_archive(words / f"{name}.tar")
            if int(Path(file).stem) >= first and is_validation(f"{name}/{file}")
        }
        kept[name] = sets[name]._replace(samples=[s for s in sets[name].samples if s.image.tobytes() in images])
    return kept


def in_reading_order(samples: list[Sample]) -> list[np.ndarray]:
    """Return the crops in the order in which ``read`` gives their readings: width by width."""
    by_width: dict[int, list[np.ndarray]] = {}
    for image, _ in samples:
        by_width.setdefault(resize_line(image).shape[1], []).append(image)
    return [image for group in by_width.values() for image in group]


def sheet(errors: list[tuple[np.ndarray, str, str]]) -> np.ndarray:
    """Draw the errors, each crop above its text and its reading."""
    errors = errors[:: max(1, len(errors) // _MOST)][:_MOST]
    rows = -(-len(errors) // _COLUMNS)
    picture = Image.new("L", (_COLUMNS * _CELL[0], max(1, rows) * _CELL[1]), 40)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.truetype("DejaVuSans.ttf", 12)
    for i, (image, text, reading) in enumerate(errors):
        x, y = i % _COLUMNS * _CELL[0], i // _COLUMNS * _CELL[1]
        scale = min(36 / image.shape[0], (_CELL[0] - 8) / image.shape[1])
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        picture.paste(Image.fromarray(cv2.resize(image, size)), (x + 2, y + 2))
        draw.text((x + 2, y + 42), f"{text} | {reading}", 255, font)
    return np.asarray(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure recognisers of ours on the validation sets.")
    parser.add_argument("names", nargs="+", metavar="NAME[=FOLDER]")
    parser.add_argument("--recipe", type=Path, default=Path("configs/train/recognizer-base.yaml"))
    parser.add_argument("--unseen", action="store_true")
    parser.add_argument("--sheets", type=Path, help="folder for pictures of the errors")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipe = read_recipe(options.recipe)
    sets = load_sets(recipe.data, recipe.charset)
    if options.unseen:
        sets = unseen(sets, recipe.data.data / "words")
    for given in options.names:
        name, _, folder = given.partition("=")
        entry, net = builtin.load_net(name, Path(folder) if folder else None)
        charset, shares = Charset(entry["charset"]), []
        for set_name, part in sets.items():
            pairs = [(decoded.text, text) for decoded, text in read(net.net, charset, part.samples)]
            right = [part.key(reading) == part.key(text) for reading, text in pairs]
            shares.append(float(np.mean(right)))
            print(f"{name}  {set_name}  {len(right)} crops  {shares[-1]:.1%}", flush=True)
            if options.sheets:
                options.sheets.mkdir(parents=True, exist_ok=True)
                images = in_reading_order(part.samples)
                wrong = [(image, t, r) for image, (r, t), good in zip(images, pairs, right, strict=True) if not good]
                cv2.imwrite(str(options.sheets / f"{name}-{set_name}.png"), sheet(wrong))
        print(f"{name}  mean  {np.mean(shares):.1%}")


if __name__ == "__main__":
    main()
