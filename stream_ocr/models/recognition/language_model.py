"""Language model: how likely the words of a reading are, by the letters that follow each other in a language.

An n-gram model of letters with interpolated Witten-Bell smoothing (Chen and Goodman, 1999), trained by
``training.language_model`` on word frequencies. Only words of letters are judged. Numbers, codes, short words,
punctuation and words with letters that it does not know cost the same whatever they are, so that a model of words does
not turn ``TF1`` into ``TFI``.

The table holds a row for each n-gram: a 32-bit hash instead of its letters, the probability of its last letter, and the
weight of shorter n-grams after it. Its rows are found by binary search, all n-grams of all words at once.
"""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stream_ocr.errors import WeightsError
from stream_ocr.models.recognition.thresholds import LANGUAGE_MODEL, LanguageModelThresholds

STEP = 1 / 16
"""Unit in which the table holds negative natural logarithms, as uint8."""

BEGIN, END = "\x02", "\x03"
_TOKENS = re.compile(r"[\w'’]+|[^\w\s]+")
_MULTIPLIER, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


class LanguageModel:
    """An n-gram model of the letters of words, in any case.

    order: length of the longest n-grams. keys_N: their hashes, sorted, uint32. costs_N, back_off_N: negative log
    probability and back-off weight, uint8 in units of ``STEP``.
    """

    def __init__(
        self,
        order: int,
        keys_N: np.ndarray,
        costs_N: np.ndarray,
        back_off_N: np.ndarray,
        thresholds: LanguageModelThresholds = LANGUAGE_MODEL,
    ) -> None:
        self.order = order
        self._keys_N, self._costs_N, self._back_off_N = keys_N, costs_N, back_off_N
        self._thresholds = thresholds
        self._known: dict[str, bool] = {}

    @property
    def size(self) -> int:
        """Number of n-grams."""
        return len(self._keys_N)

    @classmethod
    def load(cls, path: Path) -> "LanguageModel":
        """Read a table that ``save`` wrote. Raise WeightsError if there is none."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as table:
                keys_N = np.cumsum(table["key_differences"], dtype=np.uint32)
                costs_N, back_off_N = (np.asarray(table[name], np.uint8) for name in ("costs", "back_off"))
                if not keys_N.shape == costs_N.shape == back_off_N.shape or not keys_N.size:
                    raise ValueError(f"its columns have the shapes {keys_N.shape}, {costs_N.shape}, {back_off_N.shape}")
                return cls(int(table["order"]), keys_N, costs_N, back_off_N)
        except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise WeightsError(
                f"The language model {path} cannot be read ({error}); set recognition.language_model to off, "
                "or build it again with python -m stream_ocr.training.language_model."
            ) from error

    def save(self, path: Path) -> None:
        """Write the table as ``.npz``."""
        differences_N = np.diff(self._keys_N, prepend=np.uint32(0))
        np.savez_compressed(
            path,
            order=self.order,
            key_differences=differences_N,
            costs=self._costs_N,
            back_off=self._back_off_N,
        )

    def text_scores(self, texts: Sequence[str]) -> list[float]:
        """Return the log probability of each text, relative to that of neutral characters: about 0 for any code."""
        tokens = [_TOKENS.findall(text.lower()) for text in texts]
        words = list({word for line in tokens for token in line if (word := self._word(token))})
        scores = dict(zip(words, self.word_scores(words), strict=True))
        spaces = [len(text.split()) - 1 for text in texts]
        return [
            sum(self._token_score(token, scores) for token in line) - self._thresholds.space_cost * count
            for line, count in zip(tokens, spaces, strict=True)
        ]

    def word_scores(self, words: Sequence[str]) -> list[float]:
        """Return the natural log probability of each word: of its letters, and of its end after them."""
        if not words:
            return []
        lengths_W = np.array([len(word) + 2 for word in words])
        codes_WL = np.zeros((len(words), lengths_W.max()), np.uint32)
        for codes_L, word in zip(codes_WL, words, strict=True):
            codes_L[: len(word) + 2] = list(map(ord, BEGIN + word + END))
        log_WL = np.full(codes_WL.shape, -self._thresholds.unknown_letter_cost)
        hashes_WL = np.zeros(codes_WL.shape, np.uint64)
        for n in range(min(self.order, codes_WL.shape[1])):
            if n:  # the context of the n-gram that ends at place i ends at place i - 1
                rows_WL, found_WL = self._rows(hashes_WL)
                back_off_WL = np.where(found_WL, self._back_off_N[rows_WL] * -STEP, 0.0)
                log_WL[:, n:] += back_off_WL[:, n - 1 : -1]
            longer_WL = codes_WL.astype(np.uint64)
            longer_WL[:, 1:] += hashes_WL[:, :-1]
            hashes_WL = longer_WL * _MULTIPLIER
            rows_WL, found_WL = self._rows(hashes_WL)
            found_WL[:, :n] = False
            log_WL = np.where(found_WL, self._costs_N[rows_WL] * -STEP, log_WL)
        inside_WL = np.arange(codes_WL.shape[1]) < lengths_W[:, None]
        inside_WL[:, 0] = False  # the beginning is given
        return np.where(inside_WL, log_WL, 0.0).sum(axis=1).tolist()

    def _rows(self, hashes_WL: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of n-grams in the table, and whether they are there."""
        keys_WL = hash_keys(hashes_WL)
        rows_WL = np.minimum(np.searchsorted(self._keys_N, keys_WL), len(self._keys_N) - 1)
        return rows_WL, self._keys_N[rows_WL] == keys_WL

    def _word(self, token: str) -> str:
        """Return the word in a token, without apostrophes round it; empty if the token is not judged."""
        word = token.strip("'’")
        letters = sum(map(str.isalpha, word))
        if letters < self._thresholds.min_letters or any(map(str.isdigit, word)):
            return ""
        return word if all(map(self._knows, word)) else ""

    def _knows(self, letter: str) -> bool:
        """Return True if the training texts had this letter."""
        if letter not in self._known:
            code_NL = np.array([[ord(letter)]], np.uint32)
            self._known[letter] = bool(self._rows(polynomial_hashes(code_NL))[1][0])
        return self._known[letter]

    def _token_score(self, token: str, word_scores: dict[str, float]) -> float:
        """Return the log probability of a token, relative to ``neutral_cost`` a character."""
        limits = self._thresholds
        bonus = limits.neutral_cost * len(token)
        if word := self._word(token):
            known = np.log(1 - limits.unknown_share) + word_scores[word]
            unknown = np.log(limits.unknown_share) - limits.unknown_cost * (len(word) + 1)
            score = np.logaddexp(known, unknown)
            return float(score - limits.punctuation_cost * (len(token) - len(word)) + bonus)
        has_digits, has_letters = any(map(str.isdigit, token)), any(map(str.isalpha, token))
        if has_digits:
            return bonus - len(token) * (limits.code_cost if has_letters else limits.digit_cost)
        return bonus - len(token) * (limits.short_word_cost if has_letters else limits.punctuation_cost)


def hash_keys(hashes: np.ndarray) -> np.ndarray:
    """Return the 32-bit keys of polynomial hashes of n-grams, uint64."""
    mixed = (hashes ^ (hashes >> np.uint64(31))) * _MIX
    return (mixed >> np.uint64(32)).astype(np.uint32)


def polynomial_hashes(codes_NL: np.ndarray) -> np.ndarray:
    """Return the hashes (N,) of n-grams of one length, given as code points (N, L)."""
    hashes_N = np.zeros(len(codes_NL), np.uint64)
    for codes_N in codes_NL.T:
        hashes_N = (hashes_N + codes_N.astype(np.uint64)) * _MULTIPLIER
    return hashes_N
