"""Decide how much work a frame gets, and put its pixels into a slot if later stages need them."""

from collections.abc import Callable

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import byte_count, write_frame
from stream_ocr.core.messages import FrameRef, SlotRef
from stream_ocr.core.thresholds import FRAMES
from stream_ocr.gating.frame_policy import SKIP, FramePolicy
from stream_ocr.sources.decoded_frame import DecodedFrame
from stream_ocr.stages.base import Slots
from stream_ocr.stages.thresholds import DECODE


class FrameWriter:
    """Writes the frames of one stream that waits for free slots: a file, or frames of the caller's own.

    Decisions follow media time, so the same frames give the same messages on any machine.
    """

    def __init__(self, settings: Settings, slots: Slots) -> None:
        """Create the writer. slots: the frame ring of the stream."""
        self._slots, self._policy = slots, FramePolicy(settings)

    def write(self, decoded: DecodedFrame, stop: Callable[[], bool] = lambda: False) -> FrameRef | None:
        """Return the message for a frame; None if ``stop()`` came true while it waited for a slot."""
        frame, decision = decoded.frame, SKIP
        if not decoded.damaged and min(frame.size) >= FRAMES.min_side_px:
            decision = self._policy.decide(frame, decoded.stamp.time_s)
        slot = None
        if decision.action != "skip":
            self._policy.commit(frame)
            slot = self._copy(decoded, stop)
        if stop() and slot is None:
            return None
        action, cut, rows = decision
        return FrameRef(decoded.stamp, frame.size, action, slot, frame.full_range, decoded.damaged, cut, rows)

    def _copy(self, decoded: DecodedFrame, stop: Callable[[], bool]) -> SlotRef | None:
        limit = max(DECODE.min_queued_frames, DECODE.max_queued_bytes // byte_count(decoded.frame.size))
        while not stop():
            claim = self._slots.claim(DECODE.poll_s, limit)
            if claim is not None:
                write_frame(decoded.frame, claim[1])
                return self._slots.commit(claim[0])
        return None
