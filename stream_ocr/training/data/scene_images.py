"""Generated images with lines of text for the detector: overlays, text in the scene, words of photographs.

Every block of lines (a subtitle, a clock, a score board, a sign) is laid out flat as an alpha mask with exact line
quads, then warped by one homography onto the picture. Lines, not words, are what is to be found; gaps between the
words of a line may be wide, columns of a table are lines of their own.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.training.data import degradation
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.compositing import Block, Canvas, Style, column, ink, paint
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.discs import add_discs
from stream_ocr.training.data.distractors import add_distractor
from stream_ocr.training.data.perspective import view
from stream_ocr.training.data.scene import Scene
from stream_ocr.training.data.scripts import OtherScripts
from stream_ocr.training.data.styles import overlay_style, scene_style
from stream_ocr.training.data.thresholds import SCENES, SceneRecipe
from stream_ocr.training.data.word_patches import RealWords, paste


class Scenes:
    """Generates labelled images without end. Deterministic for a seeded ``rng`` (and its helpers' own)."""

    def __init__(
        self,
        fonts: Sequence[Path],
        corpus: Corpus,
        backgrounds: Backgrounds,
        rng: random.Random,
        words: RealWords | None = None,
        others: OtherScripts | None = None,
        recipe: SceneRecipe = SCENES,
    ) -> None:
        self._fonts, self._corpus, self._backgrounds, self._rng, self._words = fonts, corpus, backgrounds, rng, words
        self._others, self._recipe = others, recipe
        self._numpy = np.random.default_rng(rng.getrandbits(64))
        self._kinds: tuple[tuple[Callable[[Canvas], None], float], ...] = (
            (self._subtitle, 10),
            (self._overlay, 18),
            (self._clock, 9),
            (self._score_board, 9),
            (self._ticker, 4),
            (self._sign, 18),
            (self._written, 18),
            (self._incidental, 16),
            (self._poster, 6),
            (self._title, 9),
            (self._character, 10),
            (self._watermark, 5),
            (self._real_words, 18 if words else 0),
            (self._column, 5 if others and others.has_columns else 0),
        )

    def make(self) -> Scene:
        """Return one image as a camera or video would show it."""
        rng = self._rng
        width, height = rng.choice(self._recipe.sizes_px)
        picture = self._backgrounds.patch(height, width).astype(np.float32)
        picture = (picture - 128) * rng.uniform(0.6, 1.25) + 128 + rng.uniform(-40, 40)
        for _ in range(rng.choices((0, 1, 2, 4), (48, 24, 18, 10))[0]):
            add_distractor(picture, self._numpy)
        if rng.random() < self._recipe.disc_share:
            add_discs(picture, self._numpy)
        canvas = Canvas(np.clip(picture, 0, 255))
        if rng.random() >= self._recipe.text_free_share:
            makers, weights = zip(*self._kinds, strict=True)
            for make in rng.choices(makers, weights, k=rng.choices((1, 2, 3, 4, 6, 9), (10, 20, 24, 22, 14, 10))[0]):
                make(canvas)
        taken = degradation.capture(canvas.picture, rng, self._numpy)
        return Scene(taken, np.array(canvas.quads, np.float32).reshape(-1, 4, 2))

    def _subtitle(self, canvas: Canvas) -> None:
        rng, (width, height) = self._rng, canvas.size
        size = height * rng.uniform(0.035, 0.1)
        texts = [self._text(size, width * 0.9, 44) for _ in range(rng.choice((1, 1, 2)))]
        block = self._block(texts, size, gap=rng.uniform(0.25, 0.6), align=0.5)
        boxed = rng.random() < 0.2
        style = Style(
            plate=rng.uniform(0.4, 1) if boxed else 0, outline=0 if boxed else rng.uniform(0.04, 0.14), captions=True
        )
        y = height * rng.uniform(0.8, 0.98) if rng.random() < 0.85 else height * rng.uniform(0.1, 0.3)
        self._paste(canvas, block, (width / 2, y - block.mask.shape[0] / 2), style)

    def _overlay(self, canvas: Canvas) -> None:
        """Add small labels: names, captions, bit rates, watermarks."""
        rng, width = self._rng, canvas.size[0]
        size = rng.uniform(8, 17) if rng.random() < 0.65 else rng.uniform(14, 36)
        texts = [self._text(size, width * 0.6, 40) for _ in range(rng.choices((1, 2, 3, 5), (55, 22, 15, 8))[0])]
        block = self._block(texts, size, gap=rng.uniform(0.25, 1.0), align=rng.choice((0, 0, 0.5, 1)))
        self._paste(canvas, block, self._corner(canvas, block), overlay_style(self._rng))

    def _watermark(self, canvas: Canvas) -> None:
        """Add a large translucent word over whatever is there, as agencies and editors mark their pictures."""
        rng, (width, height) = self._rng, canvas.size
        size = height * rng.uniform(0.05, 0.2)
        text = self._text(size, width * 0.9, 14)
        block = self._block([text.upper() if rng.random() < 0.6 else text], size, gap=0, align=0.5)
        style = Style(
            opacity=rng.uniform(0.15, 0.45),
            outline=rng.uniform(0.02, 0.06) if rng.random() < 0.3 else 0,
            captions=rng.random() < 0.8,
            least_contrast=12,
            least_contrast_to_unrest=0.7,
        )
        self._paste(canvas, block, (width * rng.uniform(0.35, 0.65), height * rng.uniform(0.2, 0.8)), style)

    def _clock(self, canvas: Canvas) -> None:
        rng, corpus = self._rng, self._corpus
        size = rng.uniform(8, 20) if rng.random() < 0.5 else rng.uniform(16, 60)
        make = rng.choice((corpus.clock, corpus.clock, corpus.number, corpus.date, corpus.digit, corpus.score))
        block = self._block([make()], size, gap=0, align=0)
        self._paste(canvas, block, self._corner(canvas, block), overlay_style(self._rng))

    def _score_board(self, canvas: Canvas) -> None:
        """Add rows of a name and single figures in columns, each column on a plate of its own."""
        rng, corpus = self._rng, self._corpus
        size, rows = rng.uniform(9, 30), rng.choice((1, 2, 2, 2, 3, 5))
        font, gap = rng.choice(self._fonts), rng.uniform(0.4, 1.0)
        columns = [[corpus.word(14) for _ in range(rows)]]
        for _ in range(rng.randint(1, 4)):
            figures = rng.random()
            columns.append([corpus.digit() if figures < 0.7 else str(rng.randrange(100)) for _ in range(rows)])
        blocks = [
            self._block(texts, size, gap=gap, align=0.5 if i else 0, font=font) for i, texts in enumerate(columns)
        ]
        style = replace(overlay_style(self._rng), plate=rng.uniform(0.6, 1) if rng.random() < 0.8 else 0)
        x, y = self._corner(canvas, blocks[0])
        x -= blocks[0].mask.shape[1] / 2
        spacing = size * rng.choice((0, 0, 0.5, 1.5))
        for block in blocks:
            width = block.mask.shape[1]
            self._paste(canvas, block, (x + width / 2, y), style)
            x += width + spacing

    def _ticker(self, canvas: Canvas) -> None:
        rng, (width, height) = self._rng, canvas.size
        size = height * rng.uniform(0.025, 0.06)
        line = rng.choice(("   ", " · ", "  ", " | ")).join(self._corpus.line(30) for _ in range(4))
        block = self._block(
            [line[: int(width * 0.92 / (size * self._recipe.letter_width))].strip()], size, gap=0, align=0
        )
        style = Style(plate=rng.uniform(0.5, 1), captions=rng.random() < 0.5)
        self._paste(canvas, block, (width / 2, height * rng.choice((0.06, 0.9, 0.95))), style)

    def _sign(self, canvas: Canvas) -> None:
        size = self._size(10, 120)
        block = self._paragraph(canvas, size)
        self._place(canvas, block, replace(scene_style(self._rng), plate=self._rng.uniform(0.75, 1)), smoothest=False)

    def _written(self, canvas: Canvas) -> None:
        """Add text directly on surfaces: walls, shirts, cars."""
        size = self._size(9, 110)
        self._place(canvas, self._paragraph(canvas, size), scene_style(self._rng), smoothest=self._rng.random() < 0.75)

    def _incidental(self, canvas: Canvas) -> None:
        """Add small words in the distance, out of focus, in poor light: shop fronts, number plates, notices."""
        rng = self._rng
        for _ in range(rng.randint(1, 4)):
            size = self._size(7, 26)
            style = replace(
                scene_style(self._rng),
                plate=rng.uniform(0.6, 1) if rng.random() < 0.6 else 0,
                opacity=rng.uniform(0.5, 1),
                blur=rng.uniform(0.5, 0.09 * size) if size > 8 and rng.random() < 0.7 else 0,
                least_contrast=rng.uniform(18, 40),
            )
            texts = [self._text(size, canvas.size[0] * 0.5, 14) for _ in range(rng.choice((1, 1, 1, 2, 3)))]
            block = self._block(texts, size, gap=rng.uniform(0.1, 0.8), align=rng.choice((0, 0.5)))
            self._place(canvas, block, style, smoothest=rng.random() < 0.6)

    def _poster(self, canvas: Canvas) -> None:
        """Add a large line with lines of a half and a quarter of its size below it, close to each other."""
        rng, width = self._rng, canvas.size[0]
        size = self._size(28, 90)
        sizes = [size, *(size * rng.uniform(0.2, 1) for _ in range(rng.randint(1, 4)))]
        texts = [self._text(max(s, 8), width * 0.6, 24) for s in sizes]
        block = self._block(texts, sizes, gap=self._little(), align=rng.choice((0, 0.5, 1)))
        plate = rng.uniform(0.8, 1) if rng.random() < 0.6 else 0
        self._place(canvas, block, replace(scene_style(self._rng), plate=plate), smoothest=not plate)

    def _real_words(self, canvas: Canvas) -> None:
        assert self._words is not None
        for _ in range(self._rng.randint(1, 4)):
            paste(canvas, self._words.draw(), self._rng)

    def _title(self, canvas: Canvas) -> None:
        """Add lines up to the height of the image that may touch each other, often half faded in."""
        rng, (width, height) = self._rng, canvas.size
        size = self._size(60, height * 0.7)
        texts = [self._text(size, width * 1.3, 14) for _ in range(rng.choice((1, 1, 2, 2)))]
        block = self._block(texts, size, gap=self._little(), align=0.5)
        style = replace(scene_style(self._rng), captions=rng.random() < 0.4)
        if rng.random() < 0.35:
            style = replace(style, opacity=rng.uniform(0.25, 0.7), least_contrast=28)
        self._place(canvas, block, style, smoothest=rng.random() < 0.3)

    def _character(self, canvas: Canvas) -> None:
        """Add one or two isolated digits or letters: a shirt number, a gate, a platform."""
        rng = self._rng
        text = rng.choice((self._corpus.digit(), str(rng.randrange(100)), rng.choice("ABCDEFGHKLMNPRSTUX")))
        block = self._block([text], self._size(9, 200), gap=0, align=0)
        plate = rng.uniform(0.7, 1) if rng.random() < 0.5 else 0
        self._place(canvas, block, replace(scene_style(self._rng), plate=plate), smoothest=True)

    def _column(self, canvas: Canvas) -> None:
        """Add a line that is written from top to bottom."""
        assert self._others is not None
        rng, size = self._rng, self._size(9, 60)
        block = column(*self._others.column(), size, rng.uniform(0, 0.4), int(size * rng.uniform(0.15, 0.7)) + 2)
        plate = rng.uniform(0.7, 1) if rng.random() < 0.5 else 0
        self._place(canvas, block, replace(scene_style(rng), plate=plate), smoothest=not plate)

    def _size(self, low: float, high: float) -> float:
        """Return a text height, log-uniform."""
        return float(low * (high / low) ** self._rng.random())

    def _little(self) -> float:
        """Return a gap between lines that are close to each other, or touch."""
        return self._rng.uniform(0, 0.35) if self._rng.random() < 0.6 else self._rng.uniform(-0.1, 0)

    def _text(self, size: float, width: float, most: int) -> str:
        return self._corpus.line(max(2, min(most, int(width / (size * self._recipe.letter_width)))))

    def _paragraph(self, canvas: Canvas, size: float) -> Block:
        rng, width = self._rng, canvas.size[0]
        count = rng.choices((1, 2, 3, 5), (58, 24, 12, 6))[0] if size < 60 else 1
        most = rng.choice((6, 12, 12, 20, 34))
        texts = [self._text(size, width * 0.9, most) for _ in range(count)]
        return self._block(texts, size, gap=rng.uniform(0.2, 1.1), align=rng.choice((0, 0.5, 0.5, 1)))

    def _block(
        self, texts: list[str], size: float | list[float], *, gap: float, align: float, font: Path | None = None
    ) -> Block:
        """Lay out lines of text, aligned left (0) to right (1).

        size: pixels high, of all or of each. gap: text heights between them; from 0 down ink touches ink.
        """
        rng = self._rng
        if self._others and font is None and rng.random() < self._recipe.other_script_share:
            script, font = self._others.draw()
            texts = [self._others.text(script, len(text)) for text in texts]
        font = font or rng.choice(self._fonts)
        sizes = size if isinstance(size, list) else [size] * len(texts)
        spread = rng.uniform(0.05, 0.4) if rng.random() < 0.08 else 0.0
        wide_gaps = rng.randint(2, 5) if rng.random() < 0.08 else 1
        stretch = rng.uniform(0.7, 1.35) if rng.random() < 0.3 else 1.0
        smallest = self._recipe.min_height_px
        spaced = [text.replace(" ", " " * wide_gaps) for text in texts]
        inks = [ink(text, font, max(s, smallest), spread, stretch) for text, s in zip(spaced, sizes, strict=True)]
        pad = int(max(sizes) * rng.uniform(0.15, 0.7)) + 2
        width = max(i.shape[1] for i in inks) + 2 * pad
        steps = [
            max(int(1.1 * i.shape[0]) + 2, int(s * (1 + gap))) if gap > 0 else int(i.shape[0] * (1 + gap))
            for i, s in zip(inks, sizes, strict=True)
        ]
        mask = np.zeros((sum(steps) + inks[-1].shape[0] + 2 * pad, width), np.uint8)
        quads, y = [], pad
        for line, step in zip(inks, steps, strict=True):
            h, w = line.shape
            x = pad + int((width - 2 * pad - w) * align)
            here = mask[y : y + h, x : x + w]
            np.maximum(here, line, out=here)
            margin = 0.05 * h + 0.5 if gap > 0 else 0.0
            quads.append(rectangle(x - margin, y - margin, w + 2 * margin, h + 2 * margin))
            bottom, y = y + h, y + step
        return Block(mask[: bottom + pad], np.array(quads, np.float32), max(sizes))

    def _corner(self, canvas: Canvas, block: Block) -> tuple[float, float]:
        """Return a centre for an overlay: mostly near the edges of the image."""
        rng, (width, height) = self._rng, canvas.size
        h, w = block.mask.shape
        x, y = (w / 2 + 4, width - w / 2 - 4), (h / 2 + 4, height - h / 2 - 4)
        centre_x, centre_y = rng.uniform(*x), rng.uniform(*y)
        if rng.random() < 0.6:
            centre_y = y[rng.randrange(2)] * 0.9 + centre_y * 0.1
        if rng.random() < 0.6:
            centre_x = x[rng.randrange(2)] * 0.9 + centre_x * 0.1
        return centre_x, centre_y

    def _paste(self, canvas: Canvas, block: Block, centre: tuple[float, float], style: Style) -> None:
        """Put a block upright at ``centre``, unless that place is taken."""
        rng, (h, w) = self._rng, block.mask.shape
        corners = rectangle(round(centre[0] - w / 2), round(centre[1] - h / 2), w, h)
        if canvas.take(corners):
            paint(canvas, block, corners, style, rng)

    def _place(self, canvas: Canvas, block: Block, style: Style, *, smoothest: bool) -> None:
        """Put a block somewhere in the scene, turned and in perspective; ``smoothest``: where the ground is calm."""
        rng, (width, height) = self._rng, canvas.size
        h, w = block.mask.shape
        corners = view(w, h, rng)
        reach = corners.max(axis=0)
        fit = min(1.0, (width - 8) / 2 / reach[0], (height - 8) / 2 / reach[1])
        if block.height * fit < self._recipe.min_height_px:
            return
        corners, reach = corners * fit, reach * fit
        spots = []
        for _ in range(self._recipe.placement_tries):
            x, y = rng.uniform(reach[0], width - reach[0]), rng.uniform(reach[1], height - reach[1])
            rows = slice(int(y - reach[1]), int(y + reach[1]) + 1, 4)
            columns = slice(int(x - reach[0]), int(x + reach[0]) + 1, 4)
            spots.append((float(canvas.picture[rows, columns, 1].std()), x, y))
        for _, x, y in sorted(spots) if smoothest else spots:
            there = corners + np.array([x, y])
            if canvas.take(there):
                paint(canvas, block, there, style, rng)
                return
