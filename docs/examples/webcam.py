"""Print the texts that a webcam sees: python webcam.py [DEVICE or FILE]. Needs opencv-python-headless."""

import sys

import cv2

import stream_ocr

name = sys.argv[1] if len(sys.argv) > 1 else "0"
camera = cv2.VideoCapture(int(name) if name.isdigit() else name)
with stream_ocr.Reader() as reader:
    while True:
        grabbed, frame = camera.read()
        if not grabbed:
            break
        time_s = camera.get(cv2.CAP_PROP_POS_MSEC) / 1000
        for event in reader.process(frame, time_s):
            time = event.start if event.end is None else event.end
            print(f"{time:8.2f}s  {event.kind:<9} {event.text}", flush=True)
    for event in reader.close():
        print(f"{event.end:8.2f}s  {event.kind:<9} {event.text}")
