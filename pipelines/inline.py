"""The whole pipeline on one page. Read this first.

    python pipelines/inline.py VIDEO

Five stages, one direction: each stage receives messages and emits messages, and does not know the others. Here all of
them run in one process; ``stream_ocr.Pipeline`` runs each in its own process and emits the same events.
"""

import sys
from pathlib import Path

from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Published, StreamClosed
from stream_ocr.models import presets
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.sinks.base import Sinks
from stream_ocr.stages.decode_file import DecodeStage
from stream_ocr.stages.detect import DetectStage
from stream_ocr.stages.inline import InlineStages
from stream_ocr.stages.publish import PublishStage
from stream_ocr.stages.recognize import RecognizeStage
from stream_ocr.stages.track import TrackStage


def main(video: Path) -> None:
    settings = presets.with_model_defaults(Settings.load())

    # Pixels are not copied: frames and crops are in rings of slots, and messages refer to them.
    frames = {video.name: Ring.anonymous(slots=2, slot_bytes=settings.decode.max_pixels * 2)}
    crop_width, crop_height = presets.crop_size(settings)
    crops = Ring.anonymous(slots=64, slot_bytes=crop_width * crop_height)

    decode = DecodeStage(video, video.name, settings, frames[video.name])  # frames that changed
    detect = DetectStage(settings, frames)  # where is text? DBNet
    track = TrackStage(
        settings, frames, crops, (crop_width, crop_height)
    )  # is it the same text as before? Kalman filter
    recognize = RecognizeStage(settings, crops)  # what does it say? CRNN, only for new or changed text
    publish = PublishStage(settings, Sinks([]))  # what happened? appeared, updated, changed, ended

    with decode, InlineStages([detect, track, recognize, publish]) as inline:
        for frame in decode.run(stop=lambda: False):
            for message in inline.push(frame):
                match message:
                    case Published(events=events):
                        for event in events:
                            print(f"{event.start:8.2f}s  {event.kind:<9} {event.text}")
                    case StreamClosed(reason=reason, counts=counts):
                        print(f"{reason}: {counts}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
