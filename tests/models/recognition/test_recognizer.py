from functools import partial

import numpy as np
import pytest
import torch

from stream_ocr.models.backends.torch import TorchEngine
from stream_ocr.models.devices import BackendChoice, pick_device
from stream_ocr.models.recognition import crnn
from stream_ocr.models.recognition.charset import DEFAULT, Charset
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, greedy
from stream_ocr.models.recognition.long_lines import find_cuts
from stream_ocr.models.recognition.preprocess import PaddingResizer, StretchingResizer
from stream_ocr.models.recognition.recognizer import Recognizer, SpacePrior
from stream_ocr.models.recognition.rescoring import Rescorer
from stream_ocr.models.recognition.space_prior import apply_space_prior
from stream_ocr.models.recognition.thresholds import THRESHOLDS

STRETCHED = StretchingResizer()


class BrightColumnsEngine:
    """Engine that reads an "a" from each run of bright columns and records the shapes of its inputs."""

    backend = BackendChoice("onnx", "cpu", "fp32", 1, "for tests")

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, x: np.ndarray) -> np.ndarray:
        self.shapes.append(x.shape)
        bright_BT1 = x.mean(axis=(1, 2))[..., None] > 0.5
        return np.where(bright_BT1, np.float32([0.1, 0.9]), np.float32([0.8, 0.2]))


class WideGapsEngine(BrightColumnsEngine):
    """The same, and a space from each run of many dark columns."""

    def run(self, x: np.ndarray) -> np.ndarray:
        p_BTC = np.pad(super().run(x), ((0, 0), (0, 0), (0, 1)))
        for p_TC in p_BTC:
            dark_T = np.float32(p_TC[:, 1] < 0.5)
            p_TC[np.convolve(dark_T, np.ones(31), "same") > 30, 2] = 0.95
        return p_BTC


def reader(max_batch: int = 8, widths: tuple[int, ...] = (128, 256, 512)) -> Recognizer:
    return Recognizer(BrightColumnsEngine(), PaddingResizer(48, widths), Charset("a"), max_batch=max_batch)


def bars(count: int, height: int = 48) -> np.ndarray:
    """Return a crop of bright bars, a quarter of the height wide and as far apart."""
    quarter = height // 4
    crop = np.zeros((height, 2 * count * quarter), dtype=np.uint8)
    for i in range(count):
        crop[:, 2 * i * quarter + quarter // 2 : 2 * i * quarter + quarter // 2 + quarter] = 255
    return crop


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def test_read_returns_readings_in_the_order_of_the_crops() -> None:
    counts = [2, 9, 1, 3, 8, 2, 4]
    recognizer = reader()
    readings = recognizer.read([bars(count) for count in counts])
    assert [reading.text for reading in readings] == ["a" * count for count in counts]
    assert all(len(reading.char_confidences) == len(reading.text) for reading in readings)
    assert readings[0].confidence == pytest.approx(0.9)
    assert recognizer.read([]) == []


def test_read_batches_crops_of_one_width_up_to_max_batch() -> None:
    recognizer = reader(max_batch=2)
    recognizer.read([bars(2), bars(1), bars(16), bars(2)])
    assert recognizer.engine.shapes == [(2, 3, 48, 128), (1, 3, 48, 128), (1, 3, 48, 512)]


@pytest.mark.parametrize("height", [12, 24, 96, 200])
def test_read_accepts_crops_of_any_height(height: int) -> None:
    assert reader().read([bars(3, height)])[0].text == "aaa"


@pytest.mark.parametrize("shape", [(0, 0), (0, 20), (20, 0), (1, 1), (1, 50), (50, 1)])
def test_read_returns_no_text_for_degenerate_crops(shape: tuple[int, int]) -> None:
    for recognizer in (reader(), own()):
        assert recognizer.read([np.full(shape, 255, dtype=np.uint8)]) == [NO_TEXT]


@pytest.mark.parametrize("shape", [(2, 2), (2, 400), (300, 2), (3, 3)])
def test_read_accepts_tiny_crops(shape: tuple[int, int]) -> None:
    for recognizer in (reader(), own()):
        assert len(recognizer.read([noise(*shape, seed=1)])) == 1


def test_read_rejects_a_colour_crop() -> None:
    with pytest.raises(ValueError, match="shape"):
        reader().read([np.zeros((48, 100, 3), dtype=np.uint8)])


def test_read_splits_long_lines_between_words() -> None:
    words = [bars(count) for count in (8, 10, 6, 12, 8)]
    gap = np.zeros((48, 40), dtype=np.uint8)
    line = np.hstack([part for word in words for part in (word, gap)])
    engine = WideGapsEngine()
    recognizer = Recognizer(engine, PaddingResizer(48, (128, 256, 512)), Charset("a "), max_batch=8)
    assert line.shape[1] > 2 * recognizer.max_width
    (reading,) = recognizer.read([line])
    assert reading.text.replace(" ", "") == "a" * 44
    assert " " in reading.text
    assert "  " not in reading.text
    assert len(reading.char_confidences) == len(reading.text)
    cuts = len(find_cuts(line, recognizer.resizer.max_aspect))
    assert sum(batch for batch, *_ in engine.shapes) == 2 * cuts + 1, "each piece, and what lies round each cut"
    assert all(width <= 512 for *_, width in recognizer.engine.shapes)


def own(dtype: str = "fp32", max_batch: int = 16) -> Recognizer:
    """Return a recogniser with the untrained built-in network."""
    torch.manual_seed(0)
    net = crnn.CRNN(len(DEFAULT))
    torch.nn.init.normal_(net.classify.weight, std=2.0)
    engine = TorchEngine(crnn.InferenceCRNN(net), pick_device("cpu", dtype=dtype, threads=1))
    return Recognizer(engine, STRETCHED, DEFAULT, max_batch=max_batch)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_read_does_not_depend_on_the_rest_of_the_batch(dtype: str) -> None:
    crops = [noise(20 + i, 40 + 11 * i, seed=i) for i in range(12)]
    recognizer = own(dtype)
    together = recognizer.read(crops)
    alone = [recognizer.read([crop])[0] for crop in crops]
    assert any(reading.text for reading in together)
    assert [reading.text for reading in together] == [reading.text for reading in alone]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.char_confidences, other.char_confidences, atol=1e-4)


def test_read_takes_a_crop_of_max_width_as_one_piece() -> None:
    for recognizer in (reader(), own()):
        widest = noise(recognizer.crop_height, recognizer.max_width, seed=3)
        assert find_cuts(widest, recognizer.resizer.max_aspect) == []


class UnsureSpaceEngine:
    """Engine that reads an "a", perhaps a space, and a "b"."""

    backend = BackendChoice("onnx", "cpu", "fp32", 1, "for tests")

    def run(self, x: np.ndarray) -> np.ndarray:
        a, space, b = [0.1, 0.0, 0.9, 0.0], [0.7, 0.3, 0.0, 0.0], [0.1, 0.0, 0.0, 0.9]
        return np.broadcast_to(np.float32([a, space, b]), (len(x), 3, 4))


@pytest.mark.parametrize(("space_prior", "text"), [(None, "ab"), (apply_space_prior, "a b")])
def test_read_applies_the_space_prior(space_prior: SpacePrior | None, text: str) -> None:
    recognizer = Recognizer(
        UnsureSpaceEngine(), PaddingResizer(48, (128,)), Charset(" ab"), max_batch=1, space_prior=space_prior
    )
    assert recognizer.read([bars(1)])[0].text == text


LETTERS = Charset("abcdefgh")


class LetterByWidthEngine:
    """Engine that reads one letter with a given confidence, depending on the width of its input."""

    backend = BackendChoice("onnx", "cpu", "fp32", 1, "for tests")

    def __init__(self, letters: dict[int, tuple[str, float]]) -> None:
        self.letters, self.widths = letters, []

    def run(self, x: np.ndarray) -> np.ndarray:
        batch, width = x.shape[0], x.shape[-1]
        self.widths += [width] * batch
        letter, confidence = self.letters[width]
        p_C = np.full(len(LETTERS), (1 - confidence) / (len(LETTERS) - 1), dtype=np.float32)
        p_C["?abcdefgh".index(letter)] = confidence
        return np.tile(p_C, (batch, 1, 1))


def read_noise(letters: dict[int, tuple[str, float]], rescorer: Rescorer | None = None) -> tuple[Decoded, list[int]]:
    engine = LetterByWidthEngine(letters)
    recognizer = Recognizer(engine, STRETCHED, LETTERS, max_batch=8, rescorer=rescorer)
    (reading,) = recognizer.read([noise(32, 95, 1)])
    return reading, engine.widths


def test_read_does_not_retry_a_sure_line() -> None:
    reading, widths = read_noise({128: ("a", 0.98)})
    assert (reading.text, widths) == ("a", [128])


def test_read_retries_an_unsure_line_and_keeps_the_surest_reading() -> None:
    reading, widths = read_noise({128: ("a", 0.6), 160: ("b", 0.7)})
    assert widths[:2] == [128, 160]
    assert len(widths) == 1 + len(THRESHOLDS.retry_trims_and_stretches)
    assert (reading.text, reading.confidence) == ("b", pytest.approx(0.7))
    assert read_noise({128: ("a", 0.6), 160: ("b", 0.5)})[0].text == "a"


def test_read_does_not_retry_a_hopeless_line() -> None:
    reading, widths = read_noise({128: ("a", 0.19)})
    assert (reading.text, widths) == ("a", [128])
    assert read_noise({128: ("?", 0.9)}) == (NO_TEXT, [128])


def test_read_lets_all_inputs_of_an_unsure_line_decide_with_a_rescorer() -> None:
    rescorer = Rescorer(LETTERS, None)
    reading, _ = read_noise({128: ("a", 0.6), 160: ("b", 0.5)}, rescorer)
    assert (reading.text, reading.confidence) == ("b", pytest.approx(0.5)), "two inputs outweigh one"


def test_read_with_a_decoder_of_its_own_ignores_the_rescorer() -> None:
    engine = LetterByWidthEngine({128: ("a", 0.6), 160: ("b", 0.5)})
    recognizer = Recognizer(engine, STRETCHED, LETTERS, max_batch=8, rescorer=Rescorer(LETTERS, None))
    (reading,) = recognizer.read([noise(32, 95, 1)], partial(greedy, charset=LETTERS))
    assert reading.text == "a"
