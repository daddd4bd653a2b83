"""The command ``stream-ocr``."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType

from stream_ocr.runtime import fork_client

_GC_THRESHOLD = 50_000  # by default a collection for every 700 objects takes 20 ms of the imports
_COMMANDS_WITH_WORKERS = {"read", "demo", "run"}


def main() -> None:
    """Run a command. Errors are printed as one sentence; STREAM_OCR_DEBUG=1 shows the traceback."""
    _open_closed_streams()
    gc.set_threshold(_GC_THRESHOLD)
    atexit.register(gc.freeze)  # the final collections of the interpreter would visit all modules, for 0.2 s
    uses_workers = sys.argv[1:2] and sys.argv[1] in _COMMANDS_WITH_WORKERS and "--in-process" not in sys.argv
    try:
        with _safe_interrupts(), fork_client.prestart() if uses_workers else nullcontext():
            _run()
    except KeyboardInterrupt:  # before a command handles it
        sys.exit(128 + signal.SIGINT)


def _open_closed_streams() -> None:
    """Open /dev/null for standard streams that the caller closed: the next file or socket would become one of them."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            while os.open(os.devnull, os.O_RDWR) < number:
                pass
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode))


@contextmanager
def _safe_interrupts() -> Iterator[None]:
    """Handle Ctrl-C with ``_interrupt``. Where SIGINT is ignored, as in background jobs of a script, keep that."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, or exit at once during an import.

    Some libraries swallow or replace the exception while they are imported, and where it passes an exec() Python ends
    by the signal although it was caught.
    """
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(128 + number)
        frame = frame.f_back
    raise KeyboardInterrupt


def _run() -> None:
    # Imported here, not above: the workers are prepared meanwhile.
    from stream_ocr.cli.app import app
    from stream_ocr.cli.options import print_status
    from stream_ocr.config.settings import debug_enabled
    from stream_ocr.errors import StreamOcrError

    try:
        app()
    except Exception as error:
        if debug_enabled():
            raise
        if isinstance(error, OSError) and error.strerror:  # such as a full disk
            sentence = f"{error.filename or 'The output'}: {error.strerror}."
        elif isinstance(error, StreamOcrError):
            sentence = str(error)
        else:
            sentence = f"{type(error).__name__} (set STREAM_OCR_DEBUG=1): {error}"
        print_status(sentence)
        sys.exit(1)
