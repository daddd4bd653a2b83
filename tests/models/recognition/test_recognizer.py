from itertools import pairwise

import numpy as np
import pytest
import torch

from stream_ocr.models.backends.base import TorchEngine
from stream_ocr.models.devices import Picked, pick_device
from stream_ocr.models.recognition import crnn
from stream_ocr.models.recognition.charset import DEFAULT, Charset
from stream_ocr.models.recognition.ctc import NOTHING, Decoded
from stream_ocr.models.recognition.recognizer import Padded, Recognizer, Spacing, Stretched, join, split
from stream_ocr.models.recognition.space_prior import spaced

STRETCHED = Stretched()


class BrightIsA:
    """An engine that reads an "a" from each run of bright columns, and remembers what it was given."""

    picked = Picked("onnx", "cpu", "fp32", 1, "for tests")

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, x: np.ndarray) -> np.ndarray:
        self.shapes.append(x.shape)
        bright_BT1 = x.mean(axis=(1, 2))[..., None] > 0.5
        return np.where(bright_BT1, np.float32([0.1, 0.9]), np.float32([0.8, 0.2]))


def reader(max_batch: int = 8, widths: tuple[int, ...] = (128, 256, 512)) -> Recognizer:
    return Recognizer(BrightIsA(), Padded(48, widths), Charset("a"), max_batch=max_batch)


def bars(count: int, height: int = 48) -> np.ndarray:
    """Bright bars of a quarter of the height, as far apart."""
    quarter = height // 4
    crop = np.zeros((height, 2 * count * quarter), dtype=np.uint8)
    for i in range(count):
        crop[:, 2 * i * quarter + quarter // 2 : 2 * i * quarter + quarter // 2 + quarter] = 255
    return crop


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def test_answers_come_in_the_order_of_the_crops_whatever_their_widths() -> None:
    counts = [2, 9, 1, 3, 8, 2, 4]
    recognizer = reader()
    read = recognizer.read([bars(count) for count in counts])
    assert [reading.text for reading in read] == ["a" * count for count in counts]
    assert all(len(reading.char_confidences) == len(reading.text) for reading in read)
    assert read[0].confidence == pytest.approx(0.9)
    assert recognizer.read([]) == []


def test_crops_of_one_width_share_batches_of_limited_size() -> None:
    recognizer = reader(max_batch=2)
    recognizer.read([bars(2), bars(1), bars(16), bars(2)])
    assert recognizer.engine.shapes == [(2, 3, 48, 128), (1, 3, 48, 128), (1, 3, 48, 512)]


@pytest.mark.parametrize("height", [12, 24, 96, 200])
def test_crops_of_any_height_are_fitted(height: int) -> None:
    assert reader().read([bars(3, height)])[0].text == "aaa"


@pytest.mark.parametrize("shape", [(0, 0), (0, 20), (20, 0), (1, 1), (1, 50), (50, 1)])
def test_degenerate_crops_say_nothing(shape: tuple[int, int]) -> None:
    for recognizer in (reader(), own()):
        assert recognizer.read([np.full(shape, 255, dtype=np.uint8)]) == [NOTHING]


@pytest.mark.parametrize("shape", [(2, 2), (2, 400), (300, 2), (3, 3)])
def test_odd_crops_are_read_without_complaint(shape: tuple[int, int]) -> None:
    for recognizer in (reader(), own()):
        assert len(recognizer.read([noise(*shape, seed=1)])) == 1


def test_a_crop_is_grey() -> None:
    with pytest.raises(ValueError, match="shape"):
        reader().read([np.zeros((48, 100, 3), dtype=np.uint8)])


def test_long_lines_are_cut_in_the_gaps_between_words() -> None:
    words = [bars(count) for count in (8, 10, 6, 12, 8)]
    gap = np.zeros((48, 40), dtype=np.uint8)
    line = np.hstack([part for word in words for part in (word, gap)])
    recognizer = reader()
    assert line.shape[1] > recognizer.max_width
    (reading,) = recognizer.read([line])
    assert reading.text.replace(" ", "") == "a" * 44
    assert " " in reading.text
    assert len(reading.char_confidences) == len(reading.text)
    assert all(width <= 512 for *_, width in recognizer.engine.shapes)


def test_pieces_are_the_line_and_each_is_short_enough() -> None:
    line = noise(20, 913, seed=2)
    pieces = list(split(line, 6.0))
    np.testing.assert_array_equal(np.hstack([piece for piece, _ in pieces]), line)
    assert all(piece.shape[1] <= 120 for piece, _ in pieces)
    assert all(first.shape[1] >= 60 for (first, _), _ in pairwise(pieces))
    assert not any(spaced for _, spaced in pieces)  # noise has no gaps


def test_joined_readings_keep_a_confidence_for_each_character() -> None:
    joined = join(
        [(Decoded(" ab", 0.6, (0.5, 0.9, 0.4)), False), (NOTHING, True), (Decoded("c ", 0.7, (0.8, 0.7)), True)]
    )
    assert joined.text == "ab c"
    assert joined.char_confidences == (0.9, 0.4, 0.4, 0.8)
    assert joined.confidence == pytest.approx((0.9 * 0.4 * 0.4 * 0.8) ** 0.25)
    assert join([]) == NOTHING
    assert join([(Decoded("  ", 0.5, (0.5, 0.5)), False)]) == NOTHING


def own(dtype: str = "fp32", max_batch: int = 16) -> Recognizer:
    """Our own net, untrained."""
    torch.manual_seed(0)
    net = crnn.CRNN(len(DEFAULT))
    torch.nn.init.normal_(net.classify.weight, std=2.0)
    engine = TorchEngine(crnn.Probabilities(net), pick_device("cpu", dtype=dtype, threads=1))
    return Recognizer(engine, STRETCHED, DEFAULT, max_batch=max_batch)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_company_does_not_change_a_reading(dtype: str) -> None:
    crops = [noise(20 + i, 40 + 11 * i, seed=i) for i in range(12)]
    recognizer = own(dtype)
    together = recognizer.read(crops)
    alone = [recognizer.read([crop])[0] for crop in crops]
    assert any(reading.text for reading in together)
    assert [reading.text for reading in together] == [reading.text for reading in alone]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.char_confidences, other.char_confidences, atol=1e-4)


def test_a_crop_of_the_greatest_width_is_one_piece() -> None:
    for recognizer in (reader(), own()):
        widest = noise(recognizer.crop_height, recognizer.max_width, seed=3)
        assert len(list(split(widest, recognizer.fit.longest))) == 1


class NearlySpaced:
    """An engine that says a, then perhaps a space, then b."""

    picked = Picked("onnx", "cpu", "fp32", 1, "for tests")

    def run(self, x: np.ndarray) -> np.ndarray:
        a, perhaps, b = [0.1, 0.0, 0.9, 0.0], [0.7, 0.3, 0.0, 0.0], [0.1, 0.0, 0.0, 0.9]
        return np.broadcast_to(np.float32([a, perhaps, b]), (len(x), 3, 4))


@pytest.mark.parametrize(("spacing", "text"), [(None, "ab"), (spaced, "a b")])
def test_a_network_that_loses_spaces_can_be_helped(spacing: Spacing | None, text: str) -> None:
    recognizer = Recognizer(NearlySpaced(), Padded(48, (128,)), Charset(" ab"), max_batch=1, spacing=spacing)
    assert recognizer.read([bars(1)])[0].text == text


class ByWidth:
    """An engine that reads one letter, by the width of its input, as surely as it is told."""

    picked = Picked("onnx", "cpu", "fp32", 1, "for tests")

    def __init__(self, letters: dict[int, tuple[str, float]]) -> None:
        self.letters, self.seen = letters, []

    def run(self, x: np.ndarray) -> np.ndarray:
        batch, width = x.shape[0], x.shape[-1]
        self.seen += [width] * batch
        letter, sure = self.letters[width]
        p_C = np.full(5, (1 - sure) / 4, dtype=np.float32)
        p_C["?abcd".index(letter)] = sure
        return np.tile(p_C, (batch, 1, 1))


def shown(letters: dict[int, tuple[str, float]]) -> tuple[Decoded, list[int]]:
    engine = ByWidth(letters)
    (reading,) = Recognizer(engine, STRETCHED, Charset("abcd"), max_batch=8).read([noise(32, 95, 1)])
    return reading, engine.seen


def test_a_line_that_is_read_surely_is_shown_once() -> None:
    reading, seen = shown({128: ("a", 0.9)})
    assert (reading.text, seen) == ("a", [128])


def test_a_line_that_is_unsure_is_shown_again_closer_and_the_surer_reading_counts() -> None:
    reading, seen = shown({128: ("a", 0.6), 160: ("b", 0.7)})
    assert seen == [128, 160]
    assert (reading.text, reading.confidence) == ("b", pytest.approx(0.7))
    assert shown({128: ("a", 0.6), 160: ("b", 0.5)})[0].text == "a"


def test_a_line_that_is_hopeless_is_not() -> None:
    reading, seen = shown({128: ("a", 0.28)})
    assert (reading.text, seen) == ("a", [128])
    assert shown({128: ("?", 0.9)}) == (NOTHING, [128])


def test_a_crop_too_low_to_be_trimmed_has_one_view() -> None:
    assert STRETCHED.second(noise(10, 30, 1)) is None
    assert Padded(48, (128,)).second(noise(32, 95, 1)) is None
