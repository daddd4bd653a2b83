"""Receives events from the webhook sink of stream-ocr and checks that they are genuine. Needs Python, nothing else.

    HOOK_SECRET=... python webhook_receiver.py 8080

The signature is that of https://www.standardwebhooks.com; there are libraries for it in many languages.
"""

import base64
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["HOOK_SECRET"]
KEY = base64.b64decode(SECRET.removeprefix("whsec_")) if SECRET.startswith("whsec_") else SECRET.encode()
MAX_AGE_S = 300
MAX_BYTES = 10_000_000
seen = set()  # ids; a real program keeps those of the last days in a database


class Receiver(BaseHTTPRequestHandler):
    timeout = 10  # seconds; a sender that is slower than that is none of ours

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        if length > MAX_BYTES:
            return self.answer(413)  # stream-ocr sends smaller batches then
        body = self.rfile.read(length)
        if not self.genuine(body):
            return self.answer(401)
        for event in json.loads(body):
            if event["id"] in seen:  # sent again because an answer was lost
                continue
            seen.add(event["id"])
            print(event["stream"], event["seq"], event["kind"], repr(event.get("text")), flush=True)
        return self.answer(204)  # only now: what is not answered is sent again

    def genuine(self, body):
        name, stamp = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        if not stamp.isdigit() or abs(time.time() - int(stamp)) > MAX_AGE_S:
            return False  # an old request that somebody sends again
        digest = hmac.digest(KEY, f"{name}.{stamp}.".encode() + body, "sha256")
        wanted = "v1," + base64.b64encode(digest).decode()
        return hmac.compare_digest(wanted.encode(), self.headers.get("webhook-signature", "").encode())

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening on port {server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()
