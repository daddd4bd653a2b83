"""What transcription costs and gains: greedy, beam, and a lexicon of 50,000 words, on labelled word crops.

python benchmarks/transcription.py CROPS WORDS [--models builtin] [--out benchmarks/results/transcription.json]

The lexicon is a random 50,000 of WORDS. Three sets are reported: all crops; those whose text is a word of the lexicon;
and those whose text is letters only, whether it is there or not. Milliseconds are CPU time of one core for turning
scores into text, the network's own time not counted.
"""

import argparse
import json
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.evaluation.recognition_metrics import letters_and_digits
from stream_ocr.evaluation.recognizer import load_labelled_crops
from stream_ocr.models.presets import load_recognizer
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, beam_search, greedy
from stream_ocr.models.recognition.lexicon import Lexicon

Scores = list[tuple[np.ndarray, str]]


def main(data: Path, words: Path, models: str, out: Path | None) -> None:
    reader = load_recognizer(Settings.load(overrides=[f"models={models}", "threads=1"]))
    scores = scored(data, reader)
    listed = {word.strip().lower() for word in words.read_text(encoding="utf-8", errors="replace").splitlines()}
    lexicon = random.Random(1).sample(sorted(listed - {""}), 50_000)
    known = set(lexicon)
    sets = {
        "all": scores,
        "in the lexicon": [s for s in scores if letters_and_digits(s[1]) in known],
        "letters only": [s for s in scores if s[1].isalpha()],
    }
    ways: dict[str, Callable[[np.ndarray], Decoded]] = {
        "greedy": partial(greedy, charset=reader.charset),
        "beam 8": partial(beam_search, charset=reader.charset, width=8),
    }
    for distance in (1, 2, 3):
        ways[f"lexicon, {distance} edits"] = Lexicon(lexicon, reader.charset, distance=distance).decode
    results = {}
    for name, chosen in sets.items():
        results[name] = {"crops": len(chosen)} | {way: measured(read, chosen) for way, read in ways.items()}
        for way, (right, milliseconds, slowest) in ((way, results[name][way]) for way in ways):
            print(f"{name:<15} {way:<18} {right:.1%} right, {milliseconds:.2f} ms a word, {slowest:.1f} at most")
    if out:
        out.write_text(json.dumps({"models": models, **results}, indent=1) + "\n")


def scored(data: Path, reader) -> Scores:
    """The scores of every crop that is read in one piece, with its text."""
    seen: list[np.ndarray] = []

    def remember(p_TC: np.ndarray) -> Decoded:
        seen.append(p_TC)
        return NO_TEXT  # which is not worth another view

    reader.decode = remember
    found: Scores = []
    for crop, text in load_labelled_crops(data):
        seen.clear()
        reader.read([crop])
        if len(seen) == 1:
            found.append((seen[0], text))
    return found


def measured(read: Callable[[np.ndarray], Decoded], scores: Scores) -> tuple[float, float, float]:
    """Share right (letters and digits, any case), mean and greatest milliseconds."""
    spent, right = [], 0
    for p_TC, text in scores:
        begun = time.process_time_ns()
        reading = read(p_TC)
        spent.append((time.process_time_ns() - begun) / 1e6)
        right += letters_and_digits(reading.text) == letters_and_digits(text)
    return round(right / len(scores), 4), round(float(np.mean(spent)), 3), round(max(spent), 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure transcription.")
    parser.add_argument("crops", type=Path)
    parser.add_argument("words", type=Path)
    parser.add_argument("--models", default="builtin")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    main(options.crops, options.words, options.models, options.out)
