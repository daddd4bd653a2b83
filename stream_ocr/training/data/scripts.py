"""Draw lines in scripts other than Latin: a detector finds text whatever it says.

The letters are drawn at random by how often they occur, since only their looks matter here. Fonts are found with
fontconfig (``fc-list``); without it, or without such fonts, there are no other scripts.
"""

import random
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stream_ocr.training.data.thresholds import FONTS


@dataclass(frozen=True, slots=True)
class Script:
    """language: as fontconfig names it. letters: earlier ones come up more often. words: lengths; none: no spaces.

    capitals: whether words may begin with one.
    """

    language: str
    letters: str
    words: tuple[int, int] | None
    capitals: bool = False
    weight: float = 1.0


def _of_codec(codec: str, rows: range) -> str:
    """Return characters of rows of a 94 × 94 national set, which lists the common ones first."""
    cells = (bytes((row, cell)).decode(codec, errors="ignore") for row in rows for cell in range(0xA1, 0xFF))
    return "".join(cells)


@cache
def scripts() -> tuple[Script, ...]:
    """Return the scripts that are drawn; Arabic and Indic ones, which need shaping, are left out."""
    kana = (
        "のいしたにてとるがなはかをらこれンストルアイラリクドシレジタフロカ"
        "ーっあうえおきくけさすせそちつなぬねひまみむめもやよわ"
    )
    return (
        Script("zh-cn", _of_codec("gb2312", range(0xB0, 0xD8)), None, weight=2.0),
        Script("ja", kana * 24 + _of_codec("euc_jp", range(0xB0, 0xD0)), None, weight=1.5),
        Script("ko", _of_codec("euc_kr", range(0xB0, 0xC9)), (1, 5)),
        Script("ru", "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё", (1, 11), capitals=True, weight=2.0),
        Script("el", "αοιετσνηυρπκμλωδγχθφβξζψάέίόήύώ", (1, 10), capitals=True, weight=0.5),
        Script("th", "านรอกเงมยลวดทสตะปบคหแจพชขใไโผถซธ", None, weight=0.5),
        Script("he", "יוהלארתבשמנדקפעחגצטזסךםןףץ", (2, 7), weight=0.5),
        Script("vi", "nhtcigaumloàáđâưôêơảạấệộếốủụớờựịữầẩậắặềểồổỗởợ", (1, 6), capitals=True),
    )


def find_script_fonts(folders: Sequence[Path] = ()) -> dict[str, list[Path]]:
    """Return font files by language, at most ``FONTS.max_per_script`` each, every family before a second one of any.

    folders: only fonts below one of these, unless empty.
    """
    if not (program := shutil.which("fc-list")):
        return {}
    found = {}
    for script in scripts():
        listed = subprocess.run(
            [program, f":lang={script.language}", "file"], capture_output=True, text=True, check=False
        ).stdout.splitlines()
        paths = sorted({Path(line.rstrip(": ")) for line in listed})
        usable = [p for p in paths if p.suffix in (".ttf", ".otf") and (not folders or _below(p, folders))]
        if usable:
            found[script.language] = _spread(usable)
    return found


def _below(path: Path, folders: Sequence[Path]) -> bool:
    return any(folder in path.parents for folder in folders)


def _spread(paths: Sequence[Path]) -> list[Path]:
    families: dict[str, list[Path]] = {}
    for path in paths:
        families.setdefault(path.stem.split("-")[0].lower()[:10], []).append(path)
    rank = {path: i for members in families.values() for i, path in enumerate(members)}
    return sorted(paths, key=lambda p: (rank[p], p))[: FONTS.max_per_script]


_IN_COLUMNS = ("zh-cn", "ja")


class OtherScripts:
    """Draws texts and fonts of other scripts. False when there are no fonts for any."""

    def __init__(self, fonts: Mapping[str, Sequence[Path]], rng: random.Random) -> None:
        self._rng, self._fonts = rng, fonts
        self._scripts = [script for script in scripts() if fonts.get(script.language)]

    def __bool__(self) -> bool:
        return bool(self._scripts)

    def draw(self) -> tuple[Script, Path]:
        """Return a script and one of its fonts."""
        script = self._rng.choices(self._scripts, [s.weight for s in self._scripts])[0]
        return script, self._rng.choice(self._fonts[script.language])

    @property
    def has_columns(self) -> bool:
        """Return True if there are fonts of a script that is also written from top to bottom."""
        return any(script.language in _IN_COLUMNS for script in self._scripts)

    def column(self) -> tuple[str, Path]:
        """Return a text to be written from top to bottom, and its font."""
        script = self._rng.choice([script for script in self._scripts if script.language in _IN_COLUMNS])
        return self.text(script, self._rng.randint(4, 20)), self._rng.choice(self._fonts[script.language])

    def text(self, script: Script, length: int) -> str:
        """Return about as many letters as wide Latin text of that length takes."""
        rng = self._rng
        if script.words is None:
            # Such letters are about twice as wide as Latin ones.
            return "".join(self._letter(script) for _ in range(max(1, length // (1 if script.language == "th" else 2))))
        words: list[str] = []
        while sum(map(len, words)) + len(words) < max(length, 1):
            words.append("".join(self._letter(script) for _ in range(rng.randint(*script.words))))
        text = " ".join(words)[: max(length, 1)].strip() or self._letter(script)
        case = rng.random()
        if script.capitals and case < 0.35:
            return text.upper()
        return text.title() if script.capitals and case < 0.7 else text

    def _letter(self, script: Script) -> str:
        """Return a letter, earlier ones more often: the square of a uniform number resembles letter frequencies."""
        return script.letters[int(len(script.letters) * self._rng.random() ** 2)]
