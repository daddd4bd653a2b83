"""How well a recogniser reads a set of samples."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.crnn import normalise
from stream_ocr.models.recognition.ctc import Decoded, greedy
from stream_ocr.models.recognition.preprocess import fit

_BATCH = 64


class Sample(NamedTuple):
    """A grey picture of a line (H, W) and its text."""

    image: np.ndarray
    text: str


def exact(text: str) -> str:
    """Every character counts."""
    return text


def letters_and_digits(text: str) -> str:
    """What the field's word benchmarks compare: ASCII letters and digits, case aside."""
    return "".join(c for c in text.lower() if c.isascii() and c.isalnum())


def accuracy(net: nn.Module, charset: Charset, samples: Sequence[Sample], key: Callable[[str], str] = exact) -> float:
    """Share of samples whose reading equals their text as far as `key` looks; 0 without samples."""
    right = sum(key(decoded.text) == key(text) for decoded, text in read(net, charset, samples))
    return right / max(1, len(samples))


def read(net: nn.Module, charset: Charset, samples: Sequence[Sample]) -> Iterator[tuple[Decoded, str]]:
    """Every sample's reading and text, width by width. The net is put into evaluation mode."""
    net.eval()
    device = next(net.parameters()).device
    by_width: dict[int, list[Sample]] = {}
    for image, text in samples:
        fitted = fit(image)
        by_width.setdefault(fitted.shape[1], []).append(Sample(fitted, text))
    for group in by_width.values():
        for start in range(0, len(group), _BATCH):
            images, texts = zip(*group[start : start + _BATCH], strict=True)
            with torch.inference_mode():
                logits_TBC = net(normalise(np.stack(images)).to(device).contiguous(memory_format=torch.channels_last))
                p_BTC = logits_TBC.float().softmax(dim=2).transpose(0, 1).cpu().numpy()
            for p_TC, text in zip(p_BTC, texts, strict=True):
                yield greedy(p_TC, charset), text
