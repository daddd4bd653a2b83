"""Frame queue: frames that wait too long are dropped, changes of the source never."""

import threading
import time

import numpy as np

from stream_ocr.core.messages import SourceChanged, Stamp
from stream_ocr.sources.decoded_frame import DecodedFrame
from stream_ocr.sources.frame_queue import FrameQueue, QueuedFrame
from stream_ocr.testing import grey_frame

LUMA = grey_frame(np.zeros((1080, 1920), np.uint8))


def queued(seq, age_s=0.0):
    now_s = time.monotonic()
    return QueuedFrame(DecodedFrame(Stamp("gate", 0, seq, seq, (1, 25), 1, 0), LUMA, False), now_s - age_s, now_s)


def take_all(queue):
    items = []
    while (item := queue.take(0.0)) is not None:
        items.append(item)
    return items


def test_queue_returns_frames_in_order():
    queue = FrameQueue(1.0)
    for seq in range(3):
        queue.put(queued(seq))
    assert [(item.decoded.stamp.seq, item.dropped_before) for item in take_all(queue)] == [(0, 0), (1, 0), (2, 0)]


def test_queue_drops_frames_until_up_to_date_once_one_is_too_old():
    queue = FrameQueue(1.0)
    for seq, age_s in enumerate([1.5, 0.9, 0.6, 0.2, 0.1]):
        queue.put(queued(seq, age_s))
    assert [(item.decoded.stamp.seq, item.dropped_before) for item in take_all(queue)] == [(3, 3), (4, 0)]


def test_queue_returns_late_frames_while_none_is_too_old():
    queue = FrameQueue(1.0)
    for seq, age_s in enumerate([0.9, 0.8, 0.7]):
        queue.put(queued(seq, age_s))
    assert len(take_all(queue)) == 3


def test_queue_keeps_source_changes_in_their_place():
    queue = FrameQueue(1.0)
    down = SourceChanged("gate", "down", 0, 0.0)
    for item in (queued(0, 2.0), down, queued(1)):
        queue.put(item)
    first, second = take_all(queue)
    assert first == down
    assert (second.decoded.stamp.seq, second.dropped_before) == (1, 1)


def test_queue_reports_dropped_frames_that_no_frame_follows():
    queue = FrameQueue(1.0)
    for _ in range(3):
        queue.put(queued(0, 2.0))
    assert (take_all(queue), queue.take_dropped(), queue.take_dropped()) == ([], 3, 0)


def test_queue_bounds_its_memory():
    queue = FrameQueue(1000.0)
    for seq in range(200):  # 3 MB each
        queue.put(queued(seq))
    items = take_all(queue)
    assert 80 <= len(items) <= 90
    assert items[0].dropped_before == 200 - len(items)
    assert items[-1].decoded.stamp.seq == 199


def test_queue_returns_a_frame_now_and_then_from_a_source_that_is_always_late():
    queue = FrameQueue(0.05)
    returned = 0
    for seq in range(30):
        queue.put(queued(seq, 3.0))
        returned += len(take_all(queue))
        time.sleep(0.02)
    assert 1 <= returned <= 15


def test_take_waits_for_the_next_frame():
    queue = FrameQueue(1.0)
    threading.Timer(0.05, lambda: queue.put(queued(7))).start()
    assert queue.take(5.0).decoded.stamp.seq == 7
