"""Generated images on disk, so that each is used a few times while new ones are added."""

import json
import random
from pathlib import Path

import cv2
import numpy as np

from stream_ocr.training.data.scene import Scene
from stream_ocr.training.data.thresholds import CROPS


class Pool:
    """A folder of JPEG images with ``quads.jsonl``; crops come from the newest ``capacity`` of them.

    Opening a folder again finds its images. count: number of images to keep, to resume a run. spare: images kept beyond
    the capacity, since a run that was killed had added more of them than its last checkpoint counts.
    """

    def __init__(self, folder: Path, capacity: int, count: int | None = None, *, spare: int = 200) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._capacity, self._spare, self._index = folder, capacity, spare, folder / "quads.jsonl"
        lines = self._index.read_text().splitlines()[:count] if self._index.exists() else []
        self._quads = [np.array(json.loads(line), np.float32).reshape(-1, 4, 2) for line in lines]
        self._index.write_text("".join(line + "\n" for line in lines))
        self._oldest = min((int(path.stem) for path in folder.glob("*.jpg")), default=0)

    def __len__(self) -> int:
        return len(self._quads)

    def add(self, scene: Scene, quality: int) -> None:
        """Store one image at that JPEG quality, and delete the oldest beyond the capacity."""
        bgr = cv2.cvtColor(scene.picture, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        self._picture(len(self)).write_bytes(data.tobytes())
        line = json.dumps(scene.quads.round(2).tolist())
        with self._index.open("a") as index:
            index.write(line + "\n")
        # As it will be read again, so that a resumed run draws the same crops.
        self._quads.append(np.array(json.loads(line), np.float32).reshape(-1, 4, 2))
        self._picture(len(self) - 1 - self._capacity - self._spare).unlink(missing_ok=True)

    def draw(self, rng: random.Random, side: int, scales: tuple[float, float]) -> Scene:
        """Return a square crop of a random image, scaled within ``scales``, mostly around one of its lines."""
        number = rng.randrange(max(self._oldest, len(self) - self._capacity), len(self))
        scale = scales[0] * (scales[1] / scales[0]) ** rng.random()
        # Halving while decoding is cheaper than the warp, and does not alias.
        halved = scale < CROPS.halved_below
        data = np.frombuffer(self._picture(number).read_bytes(), np.uint8)
        bgr = np.asarray(cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2 if halved else cv2.IMREAD_COLOR))
        quads = self._quads[number]
        if halved:
            quads, scale = (quads / 2).astype(np.float32), scale * 2
        return crop(Scene(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), quads), rng, side, scale)

    def _picture(self, number: int) -> Path:
        return self._folder / f"{number:06d}.jpg"


def crop(scene: Scene, rng: random.Random, side: int, scale: float) -> Scene:
    """Return a crop of ``side`` × ``side`` pixels at about that scale, slightly rotated and stretched."""
    height, width = scene.picture.shape[:2]
    turn = np.deg2rad(rng.gauss(0, 3)) if rng.random() < 0.3 else 0.0
    wide, high = scale * np.exp(rng.gauss(0, 0.07)), scale * np.exp(rng.gauss(0, 0.07))
    matrix = np.array([[wide * np.cos(turn), -high * np.sin(turn)], [wide * np.sin(turn), high * np.cos(turn)]])
    if len(scene.quads) and rng.random() < CROPS.text_share:
        quad = scene.quads[rng.randrange(len(scene.quads))]
        along, across = rng.random(), rng.random()
        centre = (quad[0] * (1 - along) + quad[1] * along) * (1 - across) + quad[2] * across
    else:
        centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
    # Fill the crop with the image as far as it reaches; never mirror at the edge: mirrored text would be unlabelled.
    reach = side / 2 / scale
    for axis, length in enumerate((width, height)):
        free = min(reach, length / 2)
        centre[axis] = np.clip(centre[axis] + rng.uniform(-0.7, 0.7) * reach, free, length - free)
    offset = side / 2 - matrix @ centre
    warp = np.column_stack([matrix, offset])
    margin = (rng.randint(0, 255),) * 3 if rng.random() < 0.5 else (0, 0, 0)
    picture = cv2.warpAffine(scene.picture, warp, (side, side), flags=cv2.INTER_LINEAR, borderValue=margin)
    moved = ((quads @ matrix.T + offset).astype(np.float32) for quads in (scene.quads, scene.ignored))
    return Scene(picture, *moved)
