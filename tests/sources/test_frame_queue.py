"""Pictures that wait too long are dropped; news never is."""

import threading
import time

import numpy as np

from stream_ocr.core.messages import SourceChanged, Stamp
from stream_ocr.sources.decoded_frame import DecodedFrame
from stream_ocr.sources.frame_queue import FrameQueue, QueuedFrame
from stream_ocr.testing import grey_frame

LUMA = grey_frame(np.zeros((1080, 1920), np.uint8))


def shown(seq, age_s=0.0):
    now_s = time.monotonic()
    return QueuedFrame(DecodedFrame(Stamp("gate", 0, seq, seq, (1, 25), 1, 0), LUMA, False), now_s - age_s, now_s)


def taken(mailbox):
    items = []
    while (item := mailbox.take(0.0)) is not None:
        items.append(item)
    return items


def test_pictures_come_in_order():
    mailbox = FrameQueue(1.0)
    for seq in range(3):
        mailbox.put(shown(seq))
    assert [(item.picture.stamp.seq, item.missed) for item in taken(mailbox)] == [(0, 0), (1, 0), (2, 0)]


def test_once_one_is_stale_all_go_that_are_not_up_to_date():
    mailbox = FrameQueue(1.0)
    for seq, age_s in enumerate([1.5, 0.9, 0.6, 0.2, 0.1]):
        mailbox.put(shown(seq, age_s))
    assert [(item.picture.stamp.seq, item.missed) for item in taken(mailbox)] == [(3, 3), (4, 0)]


def test_late_ones_pass_as_long_as_none_is_stale():
    mailbox = FrameQueue(1.0)
    for seq, age_s in enumerate([0.9, 0.8, 0.7]):
        mailbox.put(shown(seq, age_s))
    assert len(taken(mailbox)) == 3


def test_news_is_kept_in_its_place():
    mailbox = FrameQueue(1.0)
    down = SourceChanged("gate", "down", 0, 0.0)
    for item in (shown(0, 2.0), down, shown(1)):
        mailbox.put(item)
    first, second = taken(mailbox)
    assert first == down
    assert (second.picture.stamp.seq, second.missed) == (1, 1)


def test_memory_is_bounded_while_nobody_takes():
    mailbox = FrameQueue(1000.0)
    for seq in range(200):  # 3 MB each
        mailbox.put(shown(seq))
    items = taken(mailbox)
    assert 80 <= len(items) <= 90
    assert items[0].missed == 200 - len(items)
    assert items[-1].picture.stamp.seq == 199


def test_who_is_always_late_is_seen_now_and_then():
    mailbox = FrameQueue(0.05)
    seen = 0
    for seq in range(30):
        mailbox.put(shown(seq, 3.0))
        seen += len(taken(mailbox))
        time.sleep(0.02)
    assert 1 <= seen <= 15


def test_taking_waits_for_what_comes():
    mailbox = FrameQueue(1.0)
    threading.Timer(0.05, lambda: mailbox.put(shown(7))).start()
    assert mailbox.take(5.0).picture.stamp.seq == 7
