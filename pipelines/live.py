"""Cameras in a program of your own: `python pipelines/live.py configs/live.yaml`. See docs/operations.md."""

import sys

from stream_ocr import Pipeline
from stream_ocr.events import TextEvent

with Pipeline.load(sys.argv[1]) as pipeline:
    try:
        for event in pipeline.events():
            if isinstance(event, TextEvent):
                print(f"{event.stream}  {event.kind:<8}  {event.text}", flush=True)
            else:
                print(f"{event.stream}  {event.kind}  {event.reason or ''}", flush=True)
    except KeyboardInterrupt:
        pass  # leaving the block ends the cameras in good order
