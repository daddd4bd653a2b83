"""The program ``stream-ocr``."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType

from stream_ocr.runtime import fork_client

_READING = {"read", "demo", "run"}


def main() -> None:
    """Run a command. What goes wrong is one sentence; STREAM_OCR_DEBUG=1 shows where."""
    atexit.register(gc.freeze)  # the collections of Python's end would visit all that was imported, for 0.2 s
    by_workers = sys.argv[1:2] and sys.argv[1] in _READING and "--in-process" not in sys.argv
    try:
        with _interrupted(), fork_client.early() if by_workers else nullcontext():
            _run()
    except KeyboardInterrupt:  # before a command could see to it
        sys.exit(128 + signal.SIGINT)


@contextmanager
def _interrupted() -> Iterator[None]:
    """What Python does at a Ctrl-C, done by ``_interrupt``; where it is ignored, as in the background of a script, it
    stays so."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """As Python does it, but never with an exception into an import: of the libraries that are imported some swallow
    it, some make another of it, and where it passes an exec() Python ends by the signal though it was caught."""
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(128 + number)
        frame = frame.f_back
    raise KeyboardInterrupt


def _run() -> None:
    # Here and not above: workers are being prepared while this is imported.
    from stream_ocr.cli.app import app
    from stream_ocr.config.settings import debug_enabled
    from stream_ocr.errors import StreamOcrError

    try:
        app()
    except Exception as error:
        if debug_enabled():
            raise
        surprise = "" if isinstance(error, StreamOcrError) else f"{type(error).__name__} (set STREAM_OCR_DEBUG=1): "
        sys.stderr.write(f"{surprise}{error}\n")
        sys.exit(1)
