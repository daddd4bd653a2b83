"""Make labelled images for ``stream-ocr eval detector``: generated ones, or stills of clips with truth files.

python benchmarks/detector_sets.py scenes OUT [--count 200] [--words FILE] [--backgrounds FOLDER] [--real-words TAR…]
python benchmarks/detector_sets.py clips OUT TRUTH.json… [--every 0.5] [--most 8]
python benchmarks/detector_sets.py film OUT [--count 18]

Each writes PNG images and ``truth.json`` (see docs/measuring.md) into OUT, and with ``--list FILE`` the same truth
into a file elsewhere. ``film`` makes stills of generated film without text. Truth files of clips have the form of
``stream-ocr demo``'s; places that they ignore need not be detected.
"""

import argparse
import json
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.synthetic import backgrounds, footage
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.fonts import find_fonts
from stream_ocr.training.data.scene_images import Scenes
from stream_ocr.training.data.word_patches import RealWords

LabelledImage = tuple[str, np.ndarray, list[np.ndarray], list[str], list[np.ndarray]]
"""Name, (H, W, 3) RGB, quads, their texts, and quads that need not be detected."""


def generated_images(
    count: int, words: Path | None, photographs: Path | None, archives: Sequence[Path]
) -> Iterator[LabelledImage]:
    rng = random.Random(20_000_003)  # no training uses this seed
    grounds = Backgrounds(photographs, rng, procedural=0.14)
    real = RealWords(archives, rng, kept_aside=True) if archives else None
    scenes = Scenes(find_fonts(), Corpus(words, rng), grounds, rng, real)
    for i in range(count):
        scene = scenes.make()
        yield f"scene-{i:04d}", scene.picture, list(scene.quads), [], []


def stills(truth: Path, every_s: float) -> Iterator[LabelledImage]:
    document = json.loads(truth.read_text())
    with av.open(str(truth.with_name(document["video"]))) as container:
        next_s = 0.0
        for frame in container.decode(video=0):
            time_s = float(frame.time or 0.0)
            if time_s < next_s:
                continue
            next_s += every_s
            here = [s for s in document["segments"] if s["start_s"] <= time_s < s["end_s"]]
            ignored = [s["box"] for s in document["ignore"] if s["start_s"] <= time_s < s["end_s"]]
            quads, texts = [rectangle(*box_at(s, time_s)) for s in here], [s["text"] for s in here]
            name = f"{truth.stem}-{time_s:06.2f}"
            yield name, frame.to_ndarray(format="rgb24"), quads, texts, [rectangle(*box) for box in ignored]


def thinned(images: Iterator[LabelledImage], most: int | None) -> list[LabelledImage]:
    """Keep every k-th image, so that at most so many are left."""
    found = list(images)
    return found[:: max(1, -(-len(found) // most))] if most else found


def film(count: int) -> Iterator[LabelledImage]:
    textures = (backgrounds.texture, footage.bricks, footage.grille, footage.foliage, footage.stripes, footage.houses)
    image_at = footage.film(shot_s=1.0, textures=textures)((1280, 720), 77)
    for i in range(count):
        yield f"{i:02d}", image_at(i + 0.5), [], [], []


def box_at(segment: dict[str, Any], time_s: float) -> list[float]:
    rows = segment.get("boxes") or [[0.0, *segment["box"]]]
    times = [row[0] for row in rows]
    return [float(np.interp(time_s, times, [row[i] for row in rows])) for i in range(1, 5)]


def write(images: Iterable[LabelledImage], out: Path, listing: Path | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    entries = []
    for name, image, quads, texts, ignored in images:
        cv2.imwrite(str(out / f"{name}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        entry = {"image": f"{name}.png", "quads": to_lists(quads), "ignored": to_lists(ignored)}
        entries.append(entry | ({"texts": texts} if texts else {}))
    (out / "truth.json").write_text("\n".join(map(json.dumps, entries)) + "\n")
    if listing:
        elsewhere = [e | {"image": os.path.relpath(out / str(e["image"]), listing.parent)} for e in entries]
        listing.write_text("".join(json.dumps(entry) + "\n" for entry in elsewhere))
    print(f"{len(entries)} images in {out}")


def to_lists(quads: list[np.ndarray]) -> list[Any]:
    return [quad.round(2).tolist() for quad in quads]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make labelled images.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    scenes_parser, clips_parser = kinds.add_parser("scenes"), kinds.add_parser("clips")
    scenes_parser.add_argument("out", type=Path)
    scenes_parser.add_argument("--count", type=int, default=200)
    scenes_parser.add_argument("--words", type=Path)
    scenes_parser.add_argument("--backgrounds", type=Path)
    scenes_parser.add_argument("--real-words", type=Path, nargs="*", default=[], metavar="TAR")
    clips_parser.add_argument("out", type=Path)
    clips_parser.add_argument("truths", type=Path, nargs="+", metavar="TRUTH.json")
    clips_parser.add_argument("--every", type=float, default=0.5, help="seconds between stills")
    clips_parser.add_argument("--most", type=int, help="stills a clip")
    film_parser = kinds.add_parser("film")
    film_parser.add_argument("out", type=Path)
    film_parser.add_argument("--count", type=int, default=18)
    for kind in (scenes_parser, clips_parser, film_parser):
        kind.add_argument("--list", type=Path, help="write the truth here, too, as JSON lines")
    options = parser.parse_args()
    made: Iterable[LabelledImage]
    if options.kind == "scenes":
        made = generated_images(options.count, options.words, options.backgrounds, options.real_words)
    elif options.kind == "film":
        made = film(options.count)
    else:
        made = (image for truth in options.truths for image in thinned(stills(truth, options.every), options.most))
    write(made, options.out, options.list)
