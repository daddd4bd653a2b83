"""Metamorphic tests: a harmless change of a video must not change the texts that are read in it."""

from stream_ocr.evaluation.metamorphic.differences import Differences, compare
from stream_ocr.evaluation.metamorphic.placement import Placement
from stream_ocr.evaluation.metamorphic.variants import VARIANTS, Change, Variant, write_variant

__all__ = ["VARIANTS", "Change", "Differences", "Placement", "Variant", "compare", "write_variant"]
