"""Answers of /healthz and /readyz. Neither depends on cameras."""

import time
from http import HTTPStatus

from stream_ocr.service.http import Response
from stream_ocr.service.run_status import RunSnapshot
from stream_ocr.service.thresholds import THRESHOLDS

_OK = HTTPStatus.OK, b"ok\n"


def liveness(run: RunSnapshot) -> Response:
    """Return 200 while the supervisor checks its workers."""
    silent_s = time.monotonic() - run.checked_s
    if silent_s < THRESHOLDS.liveness_s:
        return _OK
    return HTTPStatus.SERVICE_UNAVAILABLE, f"the supervisor has not checked for {silent_s:.0f} s\n".encode()


def readiness(run: RunSnapshot) -> Response:
    """Return 200 while all stages are up and do not keep failing."""
    if not run.not_ready:
        return _OK
    return HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {', '.join(run.not_ready)}\n".encode()
