"""Events from another process or machine. Imports neither torch nor OpenCV, PyAV nor NumPy.

import stream_ocr.client

for event in stream_ocr.client.subscribe("tcp://127.0.0.1:5560", text=r"GATE \\w+"):
    print(event.stream, event.start, event.text)
"""

from stream_ocr.client.crop_request import crop
from stream_ocr.client.subscription import Subscription, subscribe

__all__ = ["Subscription", "crop", "subscribe"]
