"""Asks the controller of a fleet again and again: ``python -m stream_ocr.fleet.status_process ADDRESS PID``.

It writes a line of JSON after each answer. Ray ends a process whose cluster is lost, so it has one of its own.
"""

import os
import sys
import time

import msgspec

from stream_ocr.errors import WorkerError
from stream_ocr.fleet import client
from stream_ocr.fleet.messages import Answer
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.runtime.parent_death import die_with_parent


def main(address: str, parent: int) -> None:
    """Write answers until the parent ends."""
    die_with_parent(parent)
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what Ray prints is no answer
    while True:
        try:
            answer = Answer(view=client.dashboard_view(address))
        except WorkerError as error:
            answer = Answer(mistake=str(error))
        output.write(msgspec.json.encode(answer) + b"\n")
        output.flush()
        time.sleep(THRESHOLDS.dashboard_s)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
