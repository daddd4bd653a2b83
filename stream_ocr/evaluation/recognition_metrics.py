"""Accuracy of a CRNN on samples in memory, as training validates it."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.crnn import normalise
from stream_ocr.models.recognition.ctc import Decoded, greedy
from stream_ocr.models.recognition.preprocess import resize_line

_BATCH_SIZE = 64  # crops of one width; changes no reading


class Sample(NamedTuple):
    """A grey image of a line, (H, W) uint8, and its text."""

    image: np.ndarray
    text: str


def exact(text: str) -> str:
    """Return the text itself: every character counts."""
    return text


def letters_and_digits(text: str) -> str:
    """Return the ASCII letters and digits of a text in lower case, which word benchmarks compare."""
    return "".join(c for c in text.lower() if c.isascii() and c.isalnum())


def accuracy(net: nn.Module, charset: Charset, samples: Sequence[Sample], key: Callable[[str], str] = exact) -> float:
    """Return the share of samples whose reading and text have the same ``key``; 0 without samples."""
    correct = sum(key(reading.text) == key(text) for reading, text in read(net, charset, samples))
    return correct / max(1, len(samples))


def read(net: nn.Module, charset: Charset, samples: Sequence[Sample]) -> Iterator[tuple[Decoded, str]]:
    """Yield the reading and the text of every sample, grouped by input width. Switches the net to eval mode."""
    net.eval()
    device = next(net.parameters()).device
    by_width: dict[int, list[Sample]] = {}
    for image, text in samples:
        resized = resize_line(image)
        by_width.setdefault(resized.shape[1], []).append(Sample(resized, text))
    for group in by_width.values():
        for start in range(0, len(group), _BATCH_SIZE):
            images, texts = zip(*group[start : start + _BATCH_SIZE], strict=True)
            with torch.inference_mode():
                logits_TBC = net(normalise(np.stack(images)).to(device).contiguous(memory_format=torch.channels_last))
                p_BTC = logits_TBC.float().softmax(dim=2).transpose(0, 1).cpu().numpy()
            for p_TC, text in zip(p_BTC, texts, strict=True):
                yield greedy(p_TC, charset), text
