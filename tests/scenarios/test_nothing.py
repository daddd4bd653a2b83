"""Film without text, read with our own networks: there is nothing to tell."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ocr import models
from stream_ocr.detection.detector import Detector
from stream_ocr.recognition.recognizer import Recognizer
from stream_ocr.settings import Settings
from stream_ocr.sources import scenery
from stream_ocr.sources.backdrop import texture
from stream_ocr.sources.rendering import Codec
from stream_ocr.sources.synthetic import Scene, render
from stream_ocr.testing import watch_with

WORLDS = (texture, scenery.bricks, scenery.foliage, scenery.stripes)
