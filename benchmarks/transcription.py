"""Compare CTC decoders on labelled word crops: greedy, beam search, and a lexicon of 50,000 words.

python benchmarks/transcription.py CROPS WORDS [--models builtin] [--out benchmarks/results/transcription.json]

The lexicon is a random 50,000 of WORDS. Three sets are reported: all crops; those whose text is a word of the lexicon;
and those whose text is letters only, whether it is in the lexicon or not. Milliseconds are CPU time of decoding on one
core, without the network.
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
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, beam_search, greedy
from stream_ocr.models.recognition.lexicon import Lexicon
from stream_ocr.models.zoo import load_recognizer

Scores = list[tuple[np.ndarray, str]]


def main(data: Path, words: Path, models: str, out: Path | None) -> None:
    recognizer = load_recognizer(Settings.load(overrides=[f"models={models}", "threads=1"]))
    scores = recognizer_scores(data, recognizer)
    listed = {word.strip().lower() for word in words.read_text(encoding="utf-8", errors="replace").splitlines()}
    lexicon = random.Random(1).sample(sorted(listed - {""}), 50_000)
    known = set(lexicon)
    sets = {
        "all": scores,
        "in the lexicon": [s for s in scores if letters_and_digits(s[1]) in known],
        "letters only": [s for s in scores if s[1].isalpha()],
    }
    decoders: dict[str, Callable[[np.ndarray], Decoded]] = {
        "greedy": partial(greedy, charset=recognizer.charset),
        "beam 8": partial(beam_search, charset=recognizer.charset, width=8),
    }
    for distance in (1, 2, 3):
        decoders[f"lexicon, {distance} edits"] = Lexicon(lexicon, recognizer.charset, distance=distance).decode
    results = {}
    for name, chosen in sets.items():
        results[name] = {"crops": len(chosen)} | {name: measure(decode, chosen) for name, decode in decoders.items()}
        for decoder, (correct, milliseconds, slowest) in ((d, results[name][d]) for d in decoders):
            print(
                f"{name:<15} {decoder:<18} {correct:.1%} correct, {milliseconds:.2f} ms per word, {slowest:.1f} at most"
            )
    if out:
        out.write_text(json.dumps({"models": models, **results}, indent=1) + "\n")


def recognizer_scores(data: Path, recognizer) -> Scores:
    """Return the probabilities of every crop that is read in one piece, with its text."""
    recorded: list[np.ndarray] = []

    def record(p_TC: np.ndarray) -> Decoded:
        recorded.append(p_TC)
        return NO_TEXT  # is not retried

    recognizer.decode = record
    found: Scores = []
    for crop, text in load_labelled_crops(data):
        recorded.clear()
        recognizer.read([crop])
        if len(recorded) == 1:
            found.append((recorded[0], text))
    return found


def measure(decode: Callable[[np.ndarray], Decoded], scores: Scores) -> tuple[float, float, float]:
    """Return accuracy (letters and digits, any case), mean and maximum milliseconds."""
    spent, correct = [], 0
    for p_TC, text in scores:
        started = time.process_time_ns()
        reading = decode(p_TC)
        spent.append((time.process_time_ns() - started) / 1e6)
        correct += letters_and_digits(reading.text) == letters_and_digits(text)
    return round(correct / len(scores), 4), round(float(np.mean(spent)), 3), round(max(spent), 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compare CTC decoders.")
    parser.add_argument("crops", type=Path)
    parser.add_argument("words", type=Path)
    parser.add_argument("--models", default="builtin")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    main(options.crops, options.words, options.models, options.out)
