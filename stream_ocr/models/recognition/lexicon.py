"""Lexicon decoding: correct the greedy reading to the most probable word near it, as in the CRNN paper.

Words within an edit distance of the greedy reading are candidates; the network's own probability of each decides.
Candidates are found by a scan of all words, not by a BK-tree: the letters of a word are a 64-bit set, and words at edit
distance d differ in at most 2 d elements of their sets, which rules out nearly all of 50,000 words in 0.1 ms. A BK-tree
visits most of its nodes at the distances that matter (docs/decisions).
"""

from collections.abc import Iterable

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from stream_ocr.models.recognition.charset import BLANK, Charset
from stream_ocr.models.recognition.ctc import Decoded, alignment_peaks, best_path, log_likelihoods, make_decoded
from stream_ocr.models.recognition.thresholds import THRESHOLDS


class Lexicon:
    """A list of words, compared without case.

    distance: largest number of edits, never more than half of a word's characters.

    A word replaces what was read only if the network finds it plausible (``lexicon_max_log_loss``), so names that are
    not in the list stay. Words longer than ``lexicon_max_length`` or with characters outside the charset are left out.
    """

    def __init__(self, words: Iterable[str], charset: Charset, *, distance: int) -> None:
        self.distance = distance
        self._charset = charset
        spellings = {word.lower(): word for word in words if 0 < len(word) <= THRESHOLDS.lexicon_max_length}
        classes_of = {c: _cases(c, charset) for c in set("".join(spellings))}
        self._words = [word for word in spellings if all(classes_of[c] for c in word)]
        self._spellings = [spellings[word] for word in self._words]
        self._choices = np.array(self._words, dtype=object)
        self._lengths = np.array([len(word) for word in self._words], np.intp)
        self._letter_sets = np.array([_letter_set(word) for word in self._words], np.uint64)

        # Both cases of a letter are one class for scoring.
        alphabet = sorted(c for c, classes in classes_of.items() if classes)
        numbers = {c: i for i, c in enumerate(alphabet, start=1)}
        self._lower = np.array([BLANK, *(classes_of[c][0] for c in alphabet)], np.intp)
        self._upper = np.array([BLANK, *(classes_of[c][-1] for c in alphabet)], np.intp)
        self._codes = np.zeros((len(self._words), max(map(len, self._words), default=1)), np.int16)
        for row, word in zip(self._codes, self._words, strict=True):
            row[: len(word)] = [numbers[c] for c in word]

    def __len__(self) -> int:
        return len(self._words)

    def near(self, word: str) -> np.ndarray:
        """Return the rows of words within the edit distance of a lower-case word, nearest first."""
        max_edits = min(self.distance, len(word) // 2)
        differing = np.bitwise_count(self._letter_sets ^ np.uint64(_letter_set(word)))
        rows = np.flatnonzero((differing <= 2 * max_edits) & (np.abs(self._lengths - len(word)) <= max_edits))
        if not len(rows):
            return rows
        edits = process.cdist(
            [word], self._choices[rows], scorer=Levenshtein.distance, score_cutoff=max_edits, dtype=np.uint8
        )[0]
        return np.asarray(rows[np.argsort(edits, kind="stable")[: np.count_nonzero(edits <= max_edits)]])

    def decode(self, p_TC: np.ndarray) -> Decoded:
        """Return the greedy reading with every word that has letters corrected; words with nothing near stay."""
        greedy, spans = best_path(p_TC, self._charset)
        text, confidences, end = "", list[float](), 0
        for begin, stop in _word_spans(greedy.text):
            word = self._corrected(p_TC, greedy, spans, begin, stop)
            text += greedy.text[end:begin] + word.text
            confidences += [*greedy.char_confidences[end:begin], *word.char_confidences]
            end = stop
        return make_decoded(text + greedy.text[end:], [*confidences, *greedy.char_confidences[end:]])

    def _corrected(self, p_TC: np.ndarray, greedy: Decoded, spans: np.ndarray, begin: int, stop: int) -> Decoded:
        """Correct the word at characters ``begin`` to ``stop`` of a reading, from the steps between its neighbours."""
        word = greedy.text[begin:stop]
        as_read = Decoded(word, 0.0, greedy.char_confidences[begin:stop])
        rows = self.near(word.lower())[: THRESHOLDS.lexicon_max_candidates]
        if not len(rows) or self._words[rows[0]] == word.lower() or len(word.lower()) != len(word):  # "İ" becomes two
            return as_read
        word_TC = p_TC[spans[begin - 1, 1] if begin else 0 : spans[stop, 0] if stop < len(spans) else len(p_TC)]
        p_TA = self._either_case(word_TC, self._lower, self._upper)
        classes = [
            _cases(c, self._charset) or _cases(d, self._charset) for c, d in zip(word.lower(), word, strict=True)
        ]
        read_TL = self._either_case(word_TC, *(np.array([c[i] for c in classes]) for i in (0, -1)))
        lengths = self._lengths[rows]
        chosen, gain = _most_likely(p_TA, self._codes[rows, : lengths.max()], lengths, read_TL, word.lower())
        if gain < -THRESHOLDS.lexicon_max_log_loss:
            return as_read
        row = rows[chosen]
        corrected = _in_case_of(word, self._spellings[row])
        if not self._charset.covers(corrected):
            corrected = self._spellings[row]
        return Decoded(corrected, 0.0, tuple(alignment_peaks(p_TA, self._codes[row, : self._lengths[row]].tolist())))

    def _either_case(self, p_TC: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Return the probabilities (T, A) of letters in either case, given the classes (A,) of each case."""
        return np.asarray(p_TC[:, lower] + np.where(lower != upper, p_TC[:, upper], 0))


def _most_likely(
    p_TA: np.ndarray, codes_NL: np.ndarray, lengths_N: np.ndarray, read_TL: np.ndarray, read: str
) -> tuple[int, float]:
    """Return the most probable candidate, and the difference of its log probability to that of what was read.

    read_TL: probabilities of the characters of ``read``, which the lexicon may lack.
    """
    own = p_TA.shape[1] + np.array([read.index(c) for c in read])
    codes = np.zeros((len(codes_NL) + 1, max(codes_NL.shape[1], len(own))), np.intp)
    codes[:-1, : codes_NL.shape[1]] = codes_NL
    codes[-1, : len(own)] = own
    log_N = log_likelihoods(np.hstack([p_TA, read_TL]), codes, np.append(lengths_N, len(own)))
    chosen = int(log_N[:-1].argmax())
    return chosen, float(log_N[chosen] - log_N[-1])


def _word_spans(text: str) -> Iterable[tuple[int, int]]:
    """Yield begin and end of each word that has letters, without the punctuation around it."""
    begin = 0
    for part in text.split(" "):
        stop = begin + len(part)
        inner = [i for i in range(begin, stop) if text[i].isalnum()]
        if any(text[i].isalpha() for i in inner):
            yield inner[0], inner[-1] + 1
        begin = stop + 1


def _in_case_of(read: str, word: str) -> str:
    """Return ``word`` in upper, lower or title case as ``read``."""
    if read.isupper():
        return word.upper()
    if read.islower():
        return word.lower()
    return word.capitalize() if read[0].isupper() and word.islower() else word


def _cases(character: str, charset: Charset) -> list[int]:
    """Return the classes of a letter in lower and upper case, as far as the charset knows them."""
    variants = dict.fromkeys((character, character.lower(), character.upper()))
    return [charset.encode(c)[0] for c in variants if len(c) == 1 and c in charset]


def _letter_set(word: str) -> int:
    """Return a set of 64 bits: 26 for the letters a to z, 26 for letters that occur twice, 12 for other characters."""
    bits = 0
    for character in word:
        place = ord(character) - ord("a")
        if 0 <= place < 26:
            bits |= 1 << (place + 26 if bits >> place & 1 else place)
        else:
            bits |= 1 << (52 + ord(character) % 12)
    return bits
