"""``Reader``: the caller brings the frames. The stages run in this process, as in ``read``."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from stream_ocr.bus.journal import open_journal
from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Message, Published, Stamp, StreamClosed
from stream_ocr.errors import SourceError
from stream_ocr.events import TextEvent
from stream_ocr.models import presets
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.sinks import Sink, open_sinks
from stream_ocr.sources.decoded_frame import DecodedFrame
from stream_ocr.sources.pictures import ColorOrder, PictureConverter
from stream_ocr.stages.base import Slots
from stream_ocr.stages.frame_writer import FrameWriter

if TYPE_CHECKING:
    from stream_ocr.stages.inline import InlineStages

STREAM = "frames"
"""Name of the stream of frames that come without one."""

_TIME_BASE = (1, 1_000_000_000)  # nanoseconds: times given as seconds come back unchanged
_FRAME_SLOTS = 2  # in one process no more than one frame is in flight


class Reader:
    """Reads text in frames that the caller brings, from a webcam, a screen, a robot or a network stream.

        with stream_ocr.Reader() as reader:
            for frame, time_s in camera:
                for event in reader.process(frame, time_s):
                    print(event.kind, event.text)

    The events are those of a file with the same frames. A reader is for one thread. ``close`` returns the events that
    end the texts still visible; leaving the ``with`` block closes the reader as well, but drops them.
    """

    def __init__(
        self, settings: Settings | None = None, *, color: ColorOrder = "bgr", sinks: Sequence[Sink | str | Path] = ()
    ) -> None:
        """Load the models.

        color: order of the channels of colour arrays: "bgr" as OpenCV has them, or "rgb" as PIL has them. sinks: paths
        or sinks that receive the events in addition to the sinks of the settings. Raises TypeError for arguments of
        another type, and SettingsError, SinkError, WeightsError or DeviceError where the settings cannot be used.
        """
        self._settings = presets.with_model_defaults(Settings.require(settings))
        self._pictures = PictureConverter(color)
        self._streams: dict[str, _Stream] = {}
        self._epochs: dict[str, int] = {}
        self._rings: dict[str, Ring] = {}
        self._closed = False
        self._stages = in_process_stages(self._settings, self._rings, sinks).__enter__()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def process(self, frame: object, time_s: float, stream: str = STREAM) -> list[TextEvent]:
        """Return the events that a frame causes, in order.

        frame: (H, W, 3) or (H, W) uint8, or an ``av.VideoFrame``; not kept after the call. time_s: media time at which
        the frame is first shown, greater than that of the frame before; texts last until the next frame. stream: name
        in the events; each stream has its own texts. Raises TypeError for other frames, ValueError for a time that does
        not increase, and SourceError for a frame larger than ``decode.max_pixels``.
        """
        if self._closed:
            raise ValueError("The reader is closed; create another one.")
        picture = self._pictures.convert(frame)
        width, height = picture.size
        if width * height > self._settings.decode.max_pixels:
            raise SourceError(
                f"A frame of {width}×{height} has more than the {self._settings.decode.max_pixels} pixels allowed;"
                " increase decode.max_pixels to read it."
            )
        state = self._streams.get(stream) or self._open(stream)
        stamp = state.stamp(stream, time_s)
        ref = state.writer.write(DecodedFrame(stamp, picture, damaged=False))
        assert ref is not None, "nothing stops the writer"
        return self._events(ref)

    def end_stream(self, stream: str = STREAM) -> list[TextEvent]:
        """End the texts of a stream and return the events; later frames of that name begin anew."""
        state = self._streams.pop(stream, None)
        if state is None or state.last is None:
            return []
        counts = {"frames": state.last.seq + 1, "dropped": 0, "damaged": 0, "corrupt": 0}
        events = self._events(StreamClosed(stream, "end", state.start_s, state.last.end_s, counts))
        self._rings.pop(stream).close()
        self._epochs[stream] = state.epoch + 1
        return events

    def close(self) -> list[TextEvent]:
        """End all texts, close sinks and models, and return the last events. A second call returns none."""
        if self._closed:
            return []
        events = [event for stream in [*self._streams] for event in self.end_stream(stream)]
        self._closed = True
        self._stages.__exit__(None, None, None)
        return events

    def _open(self, stream: str) -> "_Stream":
        ring = self._rings[stream] = frame_ring(self._settings)
        state = _Stream(FrameWriter(self._settings, ring), self._epochs.get(stream, 0))
        self._streams[stream] = state
        return state

    def _events(self, message: Message) -> list[TextEvent]:
        outputs = self._stages.push(message)
        return [event for output in outputs if isinstance(output, Published) for event in output.events]


class _Stream:
    """Numbers and times of the frames of one stream."""

    def __init__(self, writer: FrameWriter, epoch: int) -> None:
        self.writer, self.epoch = writer, epoch
        self.start_s = 0.0
        self.last: Stamp | None = None

    def stamp(self, stream: str, time_s: float) -> Stamp:
        """Return the stamp of the next frame. It is assumed to last as long as the one before it did."""
        if not math.isfinite(time_s):
            raise ValueError(f"time_s is {time_s}; it must be a finite number of seconds.")
        pts = round(time_s * _TIME_BASE[1])
        if self.last is None:
            seq, ticks, self.start_s = 0, 0, time_s
        else:
            seq, ticks = self.last.seq + 1, pts - self.last.pts
            if ticks <= 0:
                raise ValueError(
                    f"Frame {seq} of {stream!r} has the time {time_s} s, and the one before it {self.last.time_s} s;"
                    " times must increase."
                )
        self.last = Stamp(stream, self.epoch, seq, pts, _TIME_BASE, ticks, time.time_ns())
        return self.last


def frame_ring(settings: Settings) -> Ring:
    """Return the slots for the frames of one stream that is read in this process."""
    return Ring.anonymous(_FRAME_SLOTS, settings.decode.max_pixels * 2)


def in_process_stages(
    settings: Settings, frames: Mapping[str, Slots], sinks: Sequence[Sink | str | Path]
) -> "InlineStages":
    """Return the stages from detection to publishing, for this process.

    settings: with the defaults of the models filled in. frames: frame rings by stream; more may be added later.
    """
    # Imported here: a program that runs the stages in workers starts a second faster without these modules.
    from stream_ocr.stages.detect import DetectStage
    from stream_ocr.stages.inline import InlineStages
    from stream_ocr.stages.publish import PublishStage
    from stream_ocr.stages.recognize import RecognizeStage
    from stream_ocr.stages.track import TrackStage

    width, height = presets.crop_size(settings)
    crops = Ring.anonymous(slots=THRESHOLDS.crop_slots, slot_bytes=width * height)
    return InlineStages(
        [
            DetectStage(settings, frames),
            TrackStage(settings, frames, crops, (width, height)),
            RecognizeStage(settings, crops),
            PublishStage(settings, open_sinks(sinks, settings), open_journal(settings)),
        ]
    )
