"""Choice of the text of an unsure line, from several inputs of it and a language model.

The network reads a line from its crop, and from the crop trimmed and stretched. What it finds possible in any of these
is a candidate; its probability is the mean over the inputs. The language model then weighs the words (rescoring of an
n-best list, with the weight of shallow fusion: Gulcehre et al., arXiv 1503.03535).
"""

from collections.abc import Sequence

import numpy as np

from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, alignment_peaks, greedy, make_decoded, prefix_beam
from stream_ocr.models.recognition.language_model import LanguageModel
from stream_ocr.models.recognition.thresholds import LANGUAGE_MODEL, THRESHOLDS


class Rescorer:
    """Chooses among what a network finds possible. Without a language model the network alone decides."""

    def __init__(self, charset: Charset, language_model: LanguageModel | None) -> None:
        self._charset = charset
        self._language_model = language_model

    def choose(self, p_VTC: Sequence[np.ndarray]) -> Decoded:
        """Return the likeliest text of a line, given the probabilities p_TC of each of its inputs.

        The confidences are the network's, from the input in which it finds the text likeliest.
        """
        found = [self._candidates(p_TC) for p_TC in p_VTC]
        texts = [text for text in dict.fromkeys(text for each in found for text in each) if text.strip()]
        if not texts:
            return NO_TEXT
        log_NV = np.array([[each.get(text, -np.inf) for each in found] for text in texts])
        scores_N = np.logaddexp.reduce(log_NV, axis=1)  # the sum of probabilities is as good as their mean
        if self._language_model is not None:
            scores_N += LANGUAGE_MODEL.weight * np.array(self._language_model.text_scores(texts))
        best = int(scores_N.argmax())
        return self._decoded(texts[best], p_VTC[int(log_NV[best].argmax())])

    def _candidates(self, p_TC: np.ndarray) -> dict[str, float]:
        """Return the texts that the network finds possible, with their log probabilities."""
        return prefix_beam(
            p_TC,
            self._charset,
            width=THRESHOLDS.candidates,
            min_probability=THRESHOLDS.candidate_min_probability,
            min_classes=1,
        )

    def _decoded(self, text: str, p_TC: np.ndarray) -> Decoded:
        as_read = greedy(p_TC, self._charset)
        if text == as_read.text:
            return as_read
        return make_decoded(text, alignment_peaks(p_TC, self._charset.encode(text)))
