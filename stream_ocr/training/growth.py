"""Grow a recogniser by residual blocks without changing what it computes (Net2Net; Chen et al., arXiv 1511.05641).

The last batch norm of an added block has the weight zero, so that the block passes on its input until training changes
it (Goyal et al., arXiv 1706.02677).
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from stream_ocr.models.recognition.residual_crnn import ResidualBlock, ResidualCRNN


def grow(net: ResidualCRNN, parameters: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Load the weights of a net that has fewer residual blocks in its stages, and is the same otherwise.

    parameters, state: of that net. Raise RuntimeError if it is another net.
    """
    smaller = ResidualCRNN(net.classify.out_features, **parameters)
    smaller.load_state_dict(state)
    found = list(smaller.features)
    for layer in net.features:
        if isinstance(layer, ResidualBlock) and not (found and isinstance(found[0], ResidualBlock)):
            last = layer.inner[-1]
            assert isinstance(last, nn.BatchNorm2d)
            nn.init.zeros_(last.weight)
        elif found:
            layer.load_state_dict(found.pop(0).state_dict())
        else:
            raise RuntimeError(f"it has no layer for {layer}")
    if found:
        raise RuntimeError(f"it has {found[0]} in addition")
    net.sequence.load_state_dict(smaller.sequence.state_dict())
    net.classify.load_state_dict(smaller.classify.state_dict())
