"""Events of stream_ocr in Python: one line of JSON an event, from the beginning of what is kept.

python docs/examples/subscribe.py tcp://127.0.0.1:5560 [COUNT [keys/NAME.key_secret keys/server.key]]
"""

import sys
from itertools import islice

import stream_ocr

endpoint, count, key, server_key = [*sys.argv[1:], None, None, None, None][:4]

with stream_ocr.subscribe(
    endpoint or "tcp://127.0.0.1:5560", since="start", key=key, server_key=server_key
) as subscription:
    for event in islice(subscription, int(count) if count else None):
        print(event.to_json().decode(), flush=True)
