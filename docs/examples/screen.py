"""Print the texts that appear on the screen: python screen.py [SECONDS]. Needs mss (pip install mss)."""

import sys
import time

import mss
import numpy as np

import stream_ocr

FRAME_S = 0.2
end_s = time.monotonic() + float(sys.argv[1] if len(sys.argv) > 1 else "inf")
with mss.mss() as screen, stream_ocr.Reader() as reader:
    begun_s = time.monotonic()
    while (now_s := time.monotonic()) < end_s:
        picture = np.asarray(screen.grab(screen.monitors[1]))[..., :3]  # BGRA
        for event in reader.process(picture, now_s - begun_s):
            print(f"{event.start:8.2f}s  {event.kind:<9} {event.text}", flush=True)
        time.sleep(max(0.0, now_s + FRAME_S - time.monotonic()))
