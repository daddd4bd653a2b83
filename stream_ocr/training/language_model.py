"""Train the language model of the recogniser: n-grams of letters from word frequencies.

``python -m stream_ocr.training.language_model OUT.npz FILE...`` reads files of words with counts (``word count``) or of
text, one file a language. Counts are tempered, so that rare words matter as well. N-grams that shorter ones predict
nearly as well are left out (weighted difference pruning; Seymore and Rosenfeld, 1996).

If the folder of OUT has a manifest with an entry of its name, the checksum in it is updated.
"""

import argparse
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from stream_ocr.models import weights
from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.models.recognition.language_model import (
    BEGIN,
    END,
    STEP,
    LanguageModel,
    hash_keys,
    polynomial_hashes,
)
from stream_ocr.training.data.languages import normalised
from stream_ocr.training.thresholds import LANGUAGE_MODEL_TRAINING, LanguageModelTraining

Ngrams = dict[str, float]

_ENGLISH = re.compile(r".*_en|words_mjsynth")
"""Names of files with English words, without suffix."""
_COUNTED = re.compile(r"\S+\s+\d+")
_PUNCTUATION = "'’.,;:!?\"()"


def read_words(path: Path) -> Counter[str]:
    """Return the words of a file in lower case, with their counts.

    A file in which every line is a word and a number gives the counts; the words of any other file are counted.
    """
    lines = [normalised(line).lower() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    counts: Counter[str] = Counter()
    if all(map(_COUNTED.fullmatch, lines)):
        for word, count in map(str.split, lines):
            counts[word.strip(_PUNCTUATION)] += int(count)
    else:
        counts.update(word.strip(_PUNCTUATION) for line in lines for word in line.split())
    return Counter({w: n for w, n in counts.items() if any(map(str.isalpha, w)) and EUROPEAN.covers(w)})


def weigh(languages: Mapping[str, Counter[str]], recipe: LanguageModelTraining) -> Counter[str]:
    """Return the weight of each word over all languages: tempered counts that sum to the same for each.

    languages: words with counts by the name of their file. English counts more, see the recipe.
    """
    weighed: Counter[str] = Counter()
    for name, counts in languages.items():
        tempered = {word: count**recipe.temper for word, count in counts.items()}
        share = recipe.english_weight if _ENGLISH.fullmatch(name) else 1.0
        scale = share * recipe.words_per_language / max(sum(tempered.values()), 1.0)
        for word, weight in tempered.items():
            weighed[word] += weight * scale
    return weighed


def count_ngrams(words: Mapping[str, float], order: int) -> list[Ngrams]:
    """Return the weights of the n-grams of each length up to ``order``, the shortest first."""
    counts: list[Ngrams] = [defaultdict(float) for _ in range(order)]
    for word, weight in words.items():
        marked = BEGIN + word + END
        for end in range(1, len(marked)):
            for n in range(min(order, end + 1)):
                counts[n][marked[end - n : end + 1]] += weight
    return counts


def smooth(counts: list[Ngrams], recipe: LanguageModelTraining) -> tuple[dict[str, float], dict[str, float]]:
    """Return the log probability of each n-gram's last letter, and the log back-off weight of each context."""
    probabilities: dict[str, float] = {}
    back_off: dict[str, float] = {}
    for n, ngrams in enumerate(counts):
        totals: Ngrams = defaultdict(float)
        kinds: Counter[str] = Counter()
        for ngram, weight in ngrams.items():
            totals[ngram[:-1]] += weight
            kinds[ngram[:-1]] += 1
        for ngram, weight in ngrams.items():
            context = ngram[:-1]
            reserve = recipe.reserve * kinds[context]
            shorter = probabilities[ngram[1:]] if n else 1.0 / len(EUROPEAN)
            probabilities[ngram] = (weight + reserve * shorter) / (totals[context] + reserve)
            back_off[context] = math.log(reserve / (totals[context] + reserve))
    return {ngram: math.log(p) for ngram, p in probabilities.items()}, back_off


def prune(
    counts: list[Ngrams], probabilities: Mapping[str, float], back_off: Mapping[str, float], bound: float
) -> list[str]:
    """Return the n-grams whose absence would cost more than ``bound`` in all; those of up to three letters all stay."""
    kept: list[str] = []
    for n, ngrams in enumerate(counts):
        for ngram, weight in ngrams.items():
            without = probabilities[ngram[1:]] + back_off.get(ngram[:-1], 0.0) if n else -math.inf
            if n < 3 or weight * (probabilities[ngram] - without) > bound:
                kept.append(ngram)
    return kept


def train(words: Mapping[str, float], recipe: LanguageModelTraining = LANGUAGE_MODEL_TRAINING) -> LanguageModel:
    """Return the model of words with weights."""
    counts = count_ngrams(words, recipe.order)
    probabilities, back_off = smooth(counts, recipe)
    kept = [*prune(counts, probabilities, back_off, recipe.prune_below), BEGIN]
    keys = _keys(kept)
    costs = _quantised(probabilities.get(ngram, 0.0) for ngram in kept)
    weights_after = _quantised(back_off.get(ngram, 0.0) for ngram in kept)
    _, rows = np.unique(keys, return_index=True)
    return LanguageModel(recipe.order, keys[rows], costs[rows], weights_after[rows])


def _keys(ngrams: list[str]) -> np.ndarray:
    keys = np.zeros(len(ngrams), np.uint32)
    by_length: dict[int, list[int]] = defaultdict(list)
    for i, ngram in enumerate(ngrams):
        by_length[len(ngram)].append(i)
    for rows in by_length.values():
        codes_NL = np.array([list(map(ord, ngrams[i])) for i in rows], np.uint32)
        keys[rows] = hash_keys(polynomial_hashes(codes_NL))
    return keys


def _quantised(logarithms: Iterable[float]) -> np.ndarray:
    steps = np.round(np.array(list(logarithms)) / -STEP)
    return np.clip(steps, 0, np.iinfo(np.uint8).max).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the language model of the recogniser.")
    parser.add_argument("out", type=Path, metavar="OUT.npz")
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="words with counts, or text; one a language"
    )
    options = parser.parse_args()
    languages = {path.stem: read_words(path) for path in options.files}
    model = train(weigh(languages, LANGUAGE_MODEL_TRAINING))
    model.save(options.out)
    if options.out.stem in weights.manifest(options.out.parent):
        weights.update_entry(options.out.stem, {"sha256": weights.sha256(options.out)}, options.out.parent)
    words = sum(map(len, languages.values()))
    print(f"{options.out}: {words} words, {model.size} n-grams, {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
