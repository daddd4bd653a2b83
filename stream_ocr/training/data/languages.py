"""Texts in the European languages: words by how frequent they are, caption sentences, and what screens show.

Word lists are files ``freq_<language>.txt`` (word and count a line), sentences ``captions_<language>.txt``. The last
``SPLITS.caption_sentences`` of each caption file are kept for validation.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.training.data.corpus import DAYS, Corpus
from stream_ocr.training.data.thresholds import SPLITS

_ELLIPSIS = "\u2026"
_EQUIVALENTS = str.maketrans({"´": "'", "`": "'", "ʼ": "’", "‐": "-", "‑": "-", "−": "-", "\u00a0": " ", "″": '"'})
_FIRST_PERSON = {"i": "I", "i'm": "I'm", "i'll": "I'll", "i've": "I've", "i'd": "I'd"}
_OPENED = {"es": (("¿", "?"), ("¡", "!")), "fr": (("« ", " »"),), "de": (("„", "“"), ("»", "«")), "en": (("“", "”"),)}
_CLUBS = (
    "BRA",
    "GER",
    "FRA",
    "ENG",
    "ESP",
    "ITA",
    "USA",
    "ARS",
    "MUN",
    "FCB",
    "RMA",
    "LAL",
    "BOS",
    "IND",
    "AUS",
    "NZL",
)


@dataclass(frozen=True)
class TextShares:
    """Shares of what single words and lines say; the rest are words of ``Corpus`` and its lines."""

    single_character: float = 0.05
    frequent_word: float = 0.30
    caption_line: float = 0.30
    frequent_line: float = 0.22
    screen_line: float = 0.10
    english: float = 0.4
    """Share of English among the languages; the others share the rest equally."""
    temper: float = 0.5
    """Exponent of the counts, so that rare words come up as well."""


def normalised(text: str) -> str:
    """Return a text with look-alike characters replaced by those of the charset and single spaces."""
    return " ".join(text.replace(_ELLIPSIS, "...").translate(_EQUIVALENTS).split())


class EuropeanCorpus(Corpus):
    """Draws texts in the languages of a folder beside the words of ``Corpus``; of all letters of ``EUROPEAN``."""

    def __init__(self, words: Path | None, texts: Path, rng: random.Random, shares: TextShares | None = None) -> None:
        super().__init__(words, rng)
        self._shares = shares or TextShares()
        self._words = {path.stem.removeprefix("freq_"): _frequencies(path) for path in sorted(texts.glob("freq_*.txt"))}
        self._totals = {
            language: list(accumulate(count**self._shares.temper for _, count in counts))
            for language, counts in self._words.items()
        }
        self._captions = {
            path.stem.removeprefix("captions_"): sentences(path)[: -SPLITS.caption_sentences]
            for path in sorted(texts.glob("captions_*.txt"))
        }

    def _language(self, of: dict[str, list]) -> str:
        others = [language for language in of if language != "en"]
        if not others or ("en" in of and self._rng.random() < self._shares.english):
            return "en"
        return self._rng.choice(others)

    def _frequent(self, language: str) -> str:
        counts, totals = self._words[language], self._totals[language]
        return self._rng.choices(counts, cum_weights=totals)[0][0]

    def _any_word(self) -> str:
        rng, u = self._rng, self._rng.random()
        if u < self._shares.single_character:
            return rng.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789I&?!%$€£+-#")
        if self._words and u < self._shares.single_character + self._shares.frequent_word:
            return self._punctuated(self._cased(self._frequent(self._language(self._words))))
        return super()._any_word()

    def _any_line(self) -> str:
        u, shares = self._rng.random(), self._shares
        kinds: tuple[tuple[float, Callable[[], str]], ...] = (
            (shares.caption_line if self._captions else 0, self._caption),
            (shares.frequent_line if self._words else 0, self._dialogue),
            (shares.screen_line, self._screen),
        )
        for share, make in kinds:
            if u < share:
                return make()
            u -= share
        return super()._any_line()

    def _caption(self) -> str:
        """Return a piece of a sentence as a subtitle line holds it, at times in capitals or with marks of speech."""
        rng = self._rng
        language = self._language(self._captions)
        words = rng.choice(self._captions[language]).split()
        start = 0 if rng.random() < 0.55 else rng.randrange(max(1, len(words) - 2))
        piece = self._marked(" ".join(words[start : start + rng.randint(2, 8)]), language)
        return piece.upper() if rng.random() < 0.15 and "ß" not in piece else piece

    def _dialogue(self) -> str:
        """Return frequent words of one language in a row, as spoken: "I" first, a mark at the end."""
        rng = self._rng
        language = self._language(self._words)
        words = [self._frequent(language) for _ in range(rng.randint(1, 7))]
        if language == "en" and rng.random() < 0.25:
            words.insert(0, rng.choice(("I", "I", "I", "I'm", "I'll", "I've", "I'd")))
        if rng.random() < 0.2:
            words.insert(rng.randrange(len(words) + 1), self.number())
        text = " ".join(words)
        u = rng.random()
        if u < 0.15:
            return text.upper() if "ß" not in text else text
        if u < 0.25:
            return " ".join(word[:1].upper() + word[1:] for word in words)
        text = text[:1].upper() + text[1:] if rng.random() < 0.75 else text
        text += rng.choice((".", ".", "?", "!", "...", ",", "", "", ":"))
        return self._marked(text, language)

    def _marked(self, text: str, language: str) -> str:
        """Add quotes, dashes, notes or opening marks by chance."""
        rng, u = self._rng, self._rng.random()
        if u < 0.05:
            opening, closing = rng.choice(_OPENED.get(language, (("“", "”"), ("„", "”"), ("«", "»"), ("»", "«"))))
            return opening + text.rstrip("?!") + closing
        if u < 0.13 and language == "es":
            opening, closing = rng.choice(_OPENED["es"])
            return opening + text.rstrip(".,?!") + closing
        if u < 0.17:
            return rng.choice(("- ", "– ", "-", "— ", "• ")) + text
        if u < 0.185:
            return rng.choice(("♪ {} ♪", "({})", "[{}]", '"{}"', "‘{}’", "{} —")).format(text)
        if u < 0.20:
            return text.replace("'", "’")
        return text

    def _screen(self) -> str:
        """Return what cameras, score boards and news screens show."""
        rng = self._rng
        h, m, s = rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59)
        d, month, y = rng.randint(1, 31), rng.randint(1, 12), rng.randint(1998, 2032)
        a, b = rng.sample(_CLUBS, 2)
        city = self._plain_word().upper()
        forms = (
            f"{y}-{month:02d}-{d:02d} {h:02d}:{m:02d}:{s:02d}",
            f"{y}/{month:02d}/{d:02d} {h:02d}:{m:02d}:{s:02d}",
            f"{d:02d}/{month:02d}/{y} {h:02d}:{m:02d}:{s:02d}",
            f"{d:02d}.{month:02d}.{y} {h:02d}:{m:02d}",
            f"{month:02d}-{d:02d}-{y} {rng.choice(DAYS[:7])} {h:02d}:{m:02d}:{s:02d}",
            f"CAM {rng.randint(1, 32):02d}",
            f"CH{rng.randint(1, 16)} {h:02d}:{m:02d}:{s:02d}",
            f"Camera {rng.randint(1, 64):02d}",
            f"REC {h:02d}:{m:02d}:{s:02d}",
            f"{a} {rng.randint(0, 9)} - {rng.randint(0, 9)} {b}",
            f"{a} {rng.randint(0, 9)}-{rng.randint(0, 9)} {b} {rng.randint(0, 90)}:{s:02d}",
            f"{a} {rng.randint(0, 400)}-{rng.randint(0, 10)} ({rng.randint(0, 50)}.{rng.randint(0, 5)})",
            f"{rng.randint(1, 4)}{rng.choice(('st', 'nd', 'rd', 'th'))} {m % 15}:{s:02d} {rng.randint(0, 24)}",
            f"{city} {rng.randint(-20, 45)}°C",
            f"{rng.randint(-20, 45)}° {city}",
            f"{rng.randint(1, 9999)} km/h",
            f"{city} NEWS",
            f"NEWS WITH {city}",
            f"BREAKING NEWS: {city}",
            f"LIVE {h:02d}:{m:02d}",
            f"{city} {rng.randint(0, 30000):,} {rng.choice('+-')}{rng.uniform(0, 9):.2f}%",
            f"{rng.choice('€£$')}{rng.uniform(0, 999):.2f}",
            f"{rng.uniform(0, 999):.2f} {rng.choice(('€', 'EUR', 'USD', 'zł', 'Kč', 'kr', 'Ft', 'lei', 'TL'))}".replace(
                ".", rng.choice(".,")
            ),
            f"© {y} {city.title()}",
            f"№ {rng.randint(1, 999)}",
            f"§ {rng.randint(1, 999)}",
        )
        return rng.choice(forms)


def sentences(path: Path) -> list[str]:
    """Return the sentences of a caption file that ``EUROPEAN`` covers."""
    lines = (normalised(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and EUROPEAN.covers(line)]


def _frequencies(path: Path) -> list[tuple[str, int]]:
    counts = []
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, count = line.rpartition(" ")
        word = normalised(word)
        if path.stem == "freq_en":
            word = _FIRST_PERSON.get(word, word)
        if word and " " not in word and len(word) <= 16 and count.isdigit() and EUROPEAN.covers(word):
            counts.append((word, int(count)))
    return counts
