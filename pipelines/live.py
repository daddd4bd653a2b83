"""Read cameras in your own program: `python pipelines/live.py configs/live.yaml`. See docs/cameras.md."""

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
        pass  # leaving the block closes the cameras
