"""Content of generated pictures: words, figures and short lines as on signs, overlays and subtitles."""

import random
from collections.abc import Callable
from pathlib import Path


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COMMON = _split("""
    the of and to in a is it you that he was for on are with as his they at be this from have or by one had not but what
    all were we when your can said there use an each which she do how their if will up other about out many then them
    these so some her would make like him into time has look two more go see no way could my than been call who now find
    long down day did get come made may part i'm don't it's that's we're open closed sale exit stop live news free new
    taxi hotel bank street road city centre park police bar cafe shop menu order home away score goal final round speed
    lap player team start finish replay total level game
""")
MONTHS = _split("""
    Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec
    January February March April June July August September October November December
""")
DAYS = _split("Mon Tue Wed Thu Fri Sat Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
UNITS = _split("km m cm kg g km/h mph fps Hz kHz MB GB MB/s ms s min h W kW V A % kcal ml l ft in lb")
ORDINALS = _split("1st 2nd 3rd 4th 5th 10th 11th 12th 20th 21st 22nd 50th")
DOMAINS = _split(".com .org .net .de .fr .co.uk .tv .io")

# In patterns L is a capital, D a digit, and all else is itself.
CODES = _split("""
    LLDDLLL LLL-DDDD LLDDDD DLLLDDD LL-DD-LL LLDDLLDDDD LDDD LLDDD DDD-DDD LDLDLD DDLL LL LLL DDDDLL LL-LLDDDD
""")
PHONES = _split("DDD-DDDD DDD-DDD-DDDD +DD-DDD-DDDDDD (DDD)DDD-DDDD DDDDDDDDD 1-800-DDD-DDDD")

ACCENTED = {
    letter: forms
    for forms in _split("aàáâãäå eèéêë iìíîï oòóôõöø uùúûü cç nñ yý AÀÁÂÃÄÅ EÈÉÊË IÌÍÎÏ OÒÓÔÕÖØ UÙÚÛÜ CÇ NÑ YÝ")
    for letter in forms[0]
}
RARE = _split("ß æ Æ ð Ð þ Þ")

_LENGTHS = dict(enumerate((1, 5, 13, 18, 16, 13, 11, 8, 5.5, 3.5, 2, 1.2, 0.8, 0.6, 0.5, 0.4), start=1))
"""Weights of word lengths as in the street, where words are shorter than in a dictionary."""


class Corpus:
    """Draws texts in printable ASCII and, rarely, Latin-1 letters.

    `words` is a file with one word a line; without it the words are made of syllables.
    """

    def __init__(self, words: Path | None, rng: random.Random) -> None:
        self._rng = rng
        is_there = words is not None and words.is_file()
        listed = words.read_text(encoding="utf-8").split() if words and is_there else self._pseudo_words(20_000)
        by_length: dict[int, list[str]] = {}
        for word in listed:
            if word.isascii() and word.isprintable() and len(word) in _LENGTHS:
                by_length.setdefault(len(word), []).append(word)
        self._by_length = [by_length[n] for n in sorted(by_length)]
        self._length_weights = [_LENGTHS[n] for n in sorted(by_length)]
        self._figures: dict[Callable[[], str], float] = {
            self.number: 6,
            self.digit: 3,
            self.clock: 4,
            self.date: 2,
            self.price: 2,
            self.code: 3,
            self.score: 1.5,
            self.address: 1,
            self.phone: 0.7,
            self.quantity: 1.5,
            self.identifier: 1.2,
        }

    def word(self, max_characters: int = 25) -> str:
        """Return one text without a space: three in four are words in natural case, the rest figures."""
        return self._short_enough(self._any_word, max_characters)

    def line(self, max_characters: int = 48) -> str:
        """Return one to six words: sentences, captions, names, scoreboards, times with their labels."""
        return self._short_enough(self._any_line, max_characters)

    def figure(self) -> str:
        """Return a number, time, date, price, code, score, address, telephone number, quantity or name of a file."""
        return self._rng.choices(list(self._figures), weights=list(self._figures.values()))[0]()

    # Figures

    def digit(self) -> str:
        return str(self._rng.randint(0, 9))

    def number(self) -> str:
        rng = self._rng
        plain = str(rng.randrange(10 ** rng.randint(1, 7)))
        forms = (
            plain,
            plain,
            plain.zfill(rng.randint(2, 6)),
            f"{rng.randrange(10_000_000):,}",
            f"{rng.uniform(0, 999):.{rng.randint(1, 3)}f}",
            f"-{plain}",
            f"+{plain[:2]}",
            f"{rng.randint(0, 100)}%",
            f"{rng.randint(1, 60)}/{rng.randint(1, 60)}",
            f"#{rng.randint(1, 99)}",
            f"{rng.randint(1900, 2035)}",
            rng.choice(ORDINALS),
        )
        return rng.choice(forms)

    def clock(self) -> str:
        rng = self._rng
        h, m, s = rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59)
        whole = f"{h:02d}:{m:02d}:{s:02d}"
        forms = (
            whole,
            whole,
            f"{h:02d}:{m:02d}",
            f"{h}:{m:02d}",
            f"{m}:{s:02d}",
            f"{whole}.{rng.randint(0, 999):03d}",
            f"{whole}:{rng.randint(0, 29):02d}",
            f"{m}'{s:02d}\"",
            f"{h % 12 + 1}:{m:02d}{rng.choice(('am', 'pm', 'AM', 'PM'))}",
            f"{s}.{rng.randint(0, 99):02d}",
        )
        return rng.choice(forms)

    def date(self) -> str:
        rng = self._rng
        d, m, y = rng.randint(1, 31), rng.randint(1, 12), rng.randint(1950, 2035)
        forms = (
            f"{y}-{m:02d}-{d:02d}",
            f"{d:02d}.{m:02d}.{y}",
            f"{d:02d}/{m:02d}/{y}",
            f"{m}/{d}/{y % 100:02d}",
            f"{y}{m:02d}{d:02d}",
            f"{d}.{m}.",
            f"'{y % 100:02d}",
        )
        return rng.choice(forms)

    def price(self) -> str:
        rng = self._rng
        whole, cents = rng.randint(0, 99), rng.randint(0, 99)
        amount = rng.choice((f"{whole}.{cents:02d}", f"{whole},{cents:02d}", f"{whole}", f"{whole}.99", f"{whole}.-"))
        return rng.choice((f"${amount}", f"${amount}", amount, f"{amount}$", f"-{rng.randint(1, 9)}0%"))

    def code(self) -> str:
        """Return a plate, flight or serial number."""
        return self._filled(self._rng.choice(CODES))

    def score(self) -> str:
        rng = self._rng
        if rng.random() < 0.2:
            return rng.choice(("15", "30", "40", "AD", "Q1", "Q2", "Q3", "Q4", "HT", "FT", "OT"))
        return f"{rng.randint(0, 12)}{rng.choice('-:--')}{rng.randint(0, 12)}"

    def address(self) -> str:
        rng, a, b = self._rng, self._plain_word().lower(), self._plain_word().lower()
        end = rng.choice(DOMAINS)
        forms = (
            f"www.{a}{end}",
            f"{a}{end}",
            f"{a}@{b}{end}",
            f"http://{a}{end}",
            f"{a}{end}/{b}",
            f"@{a}_{b}",
            f"#{a}{b}",
            f"{a}_{b}.mp4",
        )
        return rng.choice(forms)

    def identifier(self) -> str:
        """Return the name of a camera, a file or a variable."""
        rng, a, b = self._rng, self._plain_word(), self._plain_word()
        number = f"{rng.randrange(10 ** rng.randint(1, 4)):0{rng.randint(1, 3)}d}"
        first, second = rng.choice(((a.lower(), b.lower()), (a.upper(), b.upper()), (a.capitalize(), b.capitalize())))
        mark = rng.choice("___-.")
        return rng.choice((f"{first}{mark}{second}", f"{first}{mark}{number}", f"{first}_{second}{mark}{number}"))

    def phone(self) -> str:
        return self._filled(self._rng.choice(PHONES))

    def quantity(self) -> str:
        rng = self._rng
        amount = rng.randint(1, 999) if rng.random() < 0.5 else round(rng.uniform(0, 99), 1)
        return f"{amount}{rng.choice(UNITS)}"

    def _filled(self, pattern: str) -> str:
        capitals, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
        return "".join(self._rng.choice({"L": capitals, "D": digits}.get(place, place)) for place in pattern)

    # Words

    def _any_word(self) -> str:
        if self._rng.random() < 0.26:
            return self.figure()
        return self._punctuated(self._accented(self._cased(self._plain_word())))

    def _plain_word(self) -> str:
        if self._rng.random() < 0.15:
            return self._rng.choice(COMMON)
        return self._rng.choice(self._rng.choices(self._by_length, weights=self._length_weights)[0])

    def _cased(self, word: str) -> str:
        u = self._rng.random()
        return word.upper() if u < 0.40 else word.capitalize() if u < 0.67 else word.lower()

    def _accented(self, word: str) -> str:
        if self._rng.random() > 0.03:
            return word
        places = [i for i, letter in enumerate(word) if letter in ACCENTED]
        if not places:
            return word
        i = self._rng.choice(places)
        letter = self._rng.choice(RARE) if self._rng.random() < 0.15 else self._rng.choice(ACCENTED[word[i]][1:])
        return word[:i] + letter + word[i + 1 :]

    def _punctuated(self, word: str) -> str:
        rng, u = self._rng, self._rng.random()
        if u < 0.10:
            return word + rng.choice(".,.,!?:;")
        if u < 0.115:
            return word + ("'S" if word.isupper() else "'s")
        if u < 0.125:
            opening, closing = rng.choice(('""', "()", "[]", "''", "<>", "**"))
            return opening + word + closing
        if u < 0.14:
            return word + rng.choice("-&/+") + self._cased(self._plain_word())
        if u < 0.145:
            return rng.choice("@#&-*~") + word
        return word

    # Lines

    def _any_line(self) -> str:
        kinds: dict[Callable[[], str], float] = {
            self._sentence: 50,
            self._capitals: 12,
            self._name: 12,
            self._label: 6,
            self._score_row: 4,
            self._long_date: 3,
            self._measurement: 3,
            lambda: f"{self.figure()} {self.figure()}": 4,
            lambda: f"{self.date()} {self.clock()}": 3,
            lambda: " ".join(self._any_word() for _ in range(self._rng.randint(2, 4))): 3,
        }
        return self._rng.choices(list(kinds), weights=list(kinds.values()))[0]()

    def _sentence(self) -> str:
        """Return a subtitle: a sentence with a capital, commas and a mark at its end, or only its middle."""
        rng = self._rng
        words = [self._sentence_word() for _ in range(rng.randint(2, 6))]
        if rng.random() < 0.25:
            words[rng.randrange(len(words))] = self.number()
        if rng.random() < 0.25 and len(words) > 2:
            words[rng.randrange(len(words) - 1)] += ","
        text = " ".join(words)
        if rng.random() < 0.7:
            text = text[0].upper() + text[1:]
        if rng.random() < 0.8:
            text += rng.choice((".", ".", ".", "?", "!", "...", ","))
        u = rng.random()
        return f"- {text}" if u < 0.04 else f'"{text}"' if u < 0.07 else text.upper() if u < 0.17 else text

    def _sentence_word(self) -> str:
        return self._rng.choice(COMMON) if self._rng.random() < 0.45 else self._accented(self._plain_word().lower())

    def _capitals(self) -> str:
        return " ".join(self._plain_word().upper() for _ in range(self._rng.randint(2, 4)))

    def _name(self) -> str:
        return " ".join(self._plain_word().capitalize() for _ in range(self._rng.randint(2, 4)))

    def _label(self) -> str:
        return f"{self._cased(self._plain_word())}{self._rng.choice((':', '', ' -', ' #', '='))} {self.figure()}"

    def _score_row(self) -> str:
        return f"{self._plain_word().upper()} {' '.join(self.digit() for _ in range(self._rng.randint(1, 4)))}"

    def _long_date(self) -> str:
        rng = self._rng
        day, month, year = rng.randint(1, 31), rng.choice(MONTHS), rng.randint(1950, 2035)
        return rng.choice((f"{month} {day}, {year}", f"{rng.choice(DAYS)} {day} {month}", f"{day} {month} {year}"))

    def _measurement(self) -> str:
        unit = self._rng.choice(UNITS) if self._rng.random() < 0.9 else self._plain_word()
        return f"{self.number()} {unit} {self._plain_word()}"

    def _short_enough(self, make: Callable[[], str], max_characters: int) -> str:
        for _ in range(20):
            text = make()
            if len(text) <= max_characters:
                return text
        return text[:max_characters].strip() or self.digit()

    def _pseudo_words(self, count: int) -> list[str]:
        rng = self._rng
        onsets = _split("b c d f g h j k l m n p qu r s t v w x y z br ch cl cr dr fl gr pl pr sh sl sp st str th tr")
        nuclei = _split("a e i o u ai ea ee ie oo ou")
        codas = ("", "", "", *_split("b d g k l m n p r s t x ck ft ld ll mp nd ng nt rd rk rn rt ss st th"))

        def syllable() -> str:
            return rng.choice(onsets) + rng.choice(nuclei) + rng.choice(codas)

        return ["".join(syllable() for _ in range(rng.randint(1, 3))) for _ in range(count)]
