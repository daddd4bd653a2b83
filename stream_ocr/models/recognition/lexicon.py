"""Reading with a list of words: what was read, corrected to the most probable word near it (as in the CRNN paper).

The words within an edit distance of the greedy reading are candidates; the network's own probability of each decides.
Candidates are found by a scan of all words, not by a BK-tree: a set of letters is one 64-bit number, and words at a
distance of d differ in at most 2 d letters of these sets, which rules out nearly all of 50,000 words in 0.1 ms. A
BK-tree must visit most of its nodes at the distances that matter (docs/decisions).
"""

from collections.abc import Iterable

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from stream_ocr.models.recognition.charset import BLANK, Charset
from stream_ocr.models.recognition.ctc import Decoded, best_path, decoded, log_likelihoods, peaks

MOST_CANDIDATES = 256
"""At most so many words are scored, the nearest ones."""

LONGEST = 64

CREDIT = 5.0
"""How far (in logarithms) a word may be less probable than what was read and still be taken for it: 150 times. More
gains nothing where the word is in the list, and ruins what is not (benchmarks/transcription.py)."""


class Lexicon:
    """Words in any case, each once. ``distance``: edits at most, and never more than half of a word's characters.

    A word replaces what was read only where the network finds it possible (``CREDIT``): names that no list has stay.
    Words longer than ``LONGEST`` and those that the charset cannot spell are never read.
    """

    def __init__(self, words: Iterable[str], charset: Charset, *, distance: int) -> None:
        self.distance = distance
        self._charset = charset
        spellings = {word.lower(): word for word in words if 0 < len(word) <= LONGEST}
        both = {c: _cases(c, charset) for c in set("".join(spellings))}
        self._words = [word for word in spellings if all(both[c] for c in word)]
        self._spellings = [spellings[word] for word in self._words]
        self._choices = np.array(self._words, dtype=object)
        self._lengths = np.array([len(word) for word in self._words], np.intp)
        self._letters = np.array([_letters(word) for word in self._words], np.uint64)

        # Each letter is one class for the scoring, whatever its case.
        alphabet = sorted(c for c, classes in both.items() if classes)
        numbers = {c: i for i, c in enumerate(alphabet, start=1)}
        self._first = np.array([BLANK, *(both[c][0] for c in alphabet)], np.intp)
        self._second = np.array([BLANK, *(both[c][-1] for c in alphabet)], np.intp)
        self._codes = np.zeros((len(self._words), max(map(len, self._words), default=1)), np.int16)
        for row, word in zip(self._codes, self._words, strict=True):
            row[: len(word)] = [numbers[c] for c in word]

    def __len__(self) -> int:
        return len(self._words)

    def near(self, word: str) -> np.ndarray:
        """Rows of the words within the distance of a word in small letters, nearest first."""
        most = min(self.distance, len(word) // 2)
        differing = np.bitwise_count(self._letters ^ np.uint64(_letters(word)))
        rows = np.flatnonzero((differing <= 2 * most) & (np.abs(self._lengths - len(word)) <= most))
        if not len(rows):
            return rows
        edits = process.cdist(
            [word], self._choices[rows], scorer=Levenshtein.distance, score_cutoff=most, dtype=np.uint8
        )[0]
        return np.asarray(rows[np.argsort(edits, kind="stable")[: np.count_nonzero(edits <= most)]])

    def transcribe(self, p_TC: np.ndarray) -> Decoded:
        """The greedy reading with every word that has letters corrected; words with nothing near stay as they are."""
        plain, spans = best_path(p_TC, self._charset)
        text, characters, end = "", list[float](), 0
        for begin, stop in _words_of(plain.text):
            fixed = self._corrected(p_TC, plain, spans, begin, stop)
            text += plain.text[end:begin] + fixed.text
            characters += [*plain.char_confidences[end:begin], *fixed.char_confidences]
            end = stop
        return decoded(text + plain.text[end:], [*characters, *plain.char_confidences[end:]])

    def _corrected(self, p_TC: np.ndarray, plain: Decoded, spans: np.ndarray, begin: int, stop: int) -> Decoded:
        """One word of a reading, by the steps between its neighbours."""
        word = plain.text[begin:stop]
        as_read = Decoded(word, 0.0, plain.char_confidences[begin:stop])
        rows = self.near(word.lower())[:MOST_CANDIDATES]
        if not len(rows) or self._words[rows[0]] == word.lower() or len(word.lower()) != len(word):  # "İ" becomes two
            return as_read
        here_TC = p_TC[spans[begin - 1, 1] if begin else 0 : spans[stop, 0] if stop < len(spans) else len(p_TC)]
        p_TA = self._either_case(here_TC, self._first, self._second)
        classes = [
            _cases(c, self._charset) or _cases(d, self._charset) for c, d in zip(word.lower(), word, strict=True)
        ]
        read_TL = self._either_case(here_TC, *(np.array([c[i] for c in classes]) for i in (0, -1)))
        lengths = self._lengths[rows]
        chosen, gain = _most_likely(p_TA, self._codes[rows, : lengths.max()], lengths, read_TL, word.lower())
        if gain < -CREDIT:
            return as_read
        row = rows[chosen]
        fixed = _in_case_of(word, self._spellings[row])
        if not self._charset.covers(fixed):
            fixed = self._spellings[row]
        return Decoded(fixed, 0.0, tuple(peaks(p_TA, self._codes[row, : self._lengths[row]].tolist())))

    def _either_case(self, p_TC: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.asarray(p_TC[:, first] + np.where(first != second, p_TC[:, second], 0))


def _most_likely(
    p_TA: np.ndarray, codes_NL: np.ndarray, lengths_N: np.ndarray, read_TL: np.ndarray, read: str
) -> tuple[int, float]:
    """The most probable candidate, and by how much (a difference of logarithms) it is more so than what was read.

    read_TL: scores of the characters of ``read``, which the lexicon may not know.
    """
    own = p_TA.shape[1] + np.array([read.index(c) for c in read])
    codes = np.zeros((len(codes_NL) + 1, max(codes_NL.shape[1], len(own))), np.intp)
    codes[:-1, : codes_NL.shape[1]] = codes_NL
    codes[-1, : len(own)] = own
    log_N = log_likelihoods(np.hstack([p_TA, read_TL]), codes, np.append(lengths_N, len(own)))
    chosen = int(log_N[:-1].argmax())
    return chosen, float(log_N[chosen] - log_N[-1])


def _words_of(text: str) -> Iterable[tuple[int, int]]:
    """From where to where the words with letters are, without the punctuation round them."""
    begin = 0
    for part in text.split(" "):
        stop = begin + len(part)
        inner = [i for i in range(begin, stop) if text[i].isalnum()]
        if any(text[i].isalpha() for i in inner):
            yield inner[0], inner[-1] + 1
        begin = stop + 1


def _in_case_of(read: str, word: str) -> str:
    if read.isupper():
        return word.upper()
    if read.islower():
        return word.lower()
    return word.capitalize() if read[0].isupper() and word.islower() else word


def _cases(character: str, charset: Charset) -> list[int]:
    """Classes of a letter, small and capital, of those that the charset knows."""
    both = dict.fromkeys((character, character.lower(), character.upper()))
    return [charset.encode(c)[0] for c in both if len(c) == 1 and c in charset]


def _letters(word: str) -> int:
    """A set of 64 bits: 26 for the letters a to z, 26 for those that are there twice, 12 for all other characters."""
    bits = 0
    for character in word:
        place = ord(character) - ord("a")
        if 0 <= place < 26:
            bits |= 1 << (place + 26 if bits >> place & 1 else place)
        else:
            bits |= 1 << (52 + ord(character) % 12)
    return bits
