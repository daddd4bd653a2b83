"""Measure how well a recogniser reads subtitles: lines over film, in several fonts, through x264 at CRF 28.

python benchmarks/lines.py [--models builtin] [--lines 400] [--fonts FILE]… [-o OUT.json]

Each line is visible for a quarter of a second and read in one frame, cut out with a little more margin than the
detector would leave.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

import av
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import expand, rectangle
from stream_ocr.models import presets, zoo
from stream_ocr.synthetic import footage
from stream_ocr.synthetic.encode import encode
from stream_ocr.synthetic.scene import Scene, Text, draw_frames
from stream_ocr.tracking.template_matching import rectify

SIZE, LINE_S, FPS, CRF = (1280, 720), 0.25, 12, 28
WORDS = [
    "the", "a", "of", "to", "and", "in", "it", "is", "was", "that", "he", "she", "we", "you", "they", "not", "no",
    "yes", "but", "so", "there", "here", "what", "when", "who", "never", "always", "good", "morning", "evening",
    "night", "friend", "train", "harbour", "mother", "brother", "question", "answer", "nothing", "something",
    "people", "water", "letter", "window", "garden", "mountain", "yesterday", "tomorrow", "together", "perhaps",
    "because", "before", "after", "again", "remember", "believe", "understand", "waiting", "listening", "quickly",
    "slowly", "Anna", "David", "Rome", "Paris", "don't", "it's", "I'm", "7", "12", "1984", "half", "past", "nine",
]  # fmt: skip


def sentences(count: int, rng: np.random.Generator) -> Iterator[str]:
    for _ in range(count):
        words = list(rng.choice(WORDS, rng.integers(2, 8)))
        words[0] = words[0][0].upper() + words[0][1:]
        yield " ".join(words) + str(rng.choice([".", "?", "!", "", ","]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="builtin")
    parser.add_argument("--lines", type=int, default=400)
    parser.add_argument("--fonts", nargs="*", default=[None], help="font files; Pillow's own where none is named")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    texts = [
        Text(sentence, n * LINE_S, (n + 1) * LINE_S, (640, rng.uniform(80, 600)), "middle", int(rng.integers(26, 52)),
             font=str(rng.choice(arguments.fonts)) if arguments.fonts != [None] else None)
        for n, sentence in enumerate(sentences(arguments.lines, rng))
    ]  # fmt: skip
    scene = Scene(texts=tuple(texts), duration_s=len(texts) * LINE_S, size=SIZE, fps=FPS, background=footage.film())
    settings = Settings.load(overrides=[f"models={arguments.models}", "threads=1"])
    settings = presets.with_model_defaults(settings)
    recognizer = zoo.load_recognizer(settings)
    (max_width, height), margin = presets.crop_size(settings), settings.recognition.margin or 0.0
    exact = places = kept_spaces = 0
    wrong: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.mp4"
        encode(draw_frames(scene), path, SIZE, FPS, crf=CRF)
        with av.open(str(path)) as container:
            for n, frame in enumerate(container.decode(video=0)):
                if n % 3 != 1:
                    continue
                text = texts[n // 3]
                box = rectangle(*text.box(n / FPS))
                quad = expand(box, margin + 0.1)
                across, tall = (np.linalg.norm(quad[1] - quad[0]), np.linalg.norm(quad[3] - quad[0]))
                crop = rectify(
                    frame.to_ndarray(format="gray"), quad, int(np.clip(height * across / tall, 8, max_width)), height
                )
                true, read = str(text.text), recognizer.read([crop])[0].text
                exact += read == true
                spaces = true.count(" ")
                places += max(spaces, read.count(" "))
                kept_spaces += spaces_kept(true, read)
                if read != true:
                    wrong.append((true, read))
    result = {
        "models": arguments.models,
        "lines": len(texts),
        "exact": round(exact / len(texts), 4),
        "spaces": round(kept_spaces / max(places, 1), 4),
        "examples": wrong[:12],
    }
    print(json.dumps(result, indent=1, ensure_ascii=False))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


def spaces_kept(true: str, read: str) -> int:
    """Return the number of spaces that stand between the same letters in both."""
    blocks = SequenceMatcher(None, true, read, autojunk=False).get_matching_blocks()
    return sum(true[block.a : block.a + block.size].count(" ") for block in blocks)


if __name__ == "__main__":
    main()
