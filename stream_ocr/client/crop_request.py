"""Request of the crop from which the text of an event was read."""

from base64 import b64decode
from pathlib import Path

import zmq

from stream_ocr.bus import curve_keys, protocol
from stream_ocr.client.thresholds import THRESHOLDS
from stream_ocr.errors import SubscribeError
from stream_ocr.events import DECODE_ERRORS, Event


def crop(
    event: Event,
    endpoint: str = f"tcp://127.0.0.1:{protocol.DEFAULT_PORT}",
    *,
    requests: str | None = None,
    key: str | Path | None = None,
    server_key: str | Path | None = None,
    timeout_s: float = THRESHOLDS.crop_timeout_s,
) -> bytes | None:
    """Return the crop from which the text of an event was read, as WebP; None if none is stored.

    The other arguments are those of ``subscribe``. Raise SubscribeError, also if no reply arrives within ``timeout_s``.
    """
    address, keys = requests or protocol.requests_endpoint(endpoint), curve_keys.client_keys(key, server_key)
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.linger = 0
        if keys is not None:
            curve_keys.configure_client(socket, *keys)
        socket.maxmsgsize = protocol.MAX_REPLY_BYTES
        socket.connect(address)
        socket.send(protocol.encode(protocol.CropRequest(stream=event.stream, seq=event.seq)))
        if not socket.poll(round(timeout_s * 1000)):
            raise SubscribeError(f"{address} does not answer; are keys needed there?")
        try:
            reply = protocol.decode_reply(socket.recv())
        except DECODE_ERRORS as error:
            raise SubscribeError(f"{address} sent an invalid reply: {error}.") from error
    match reply:
        case protocol.CropReply():
            return None if reply.webp is None else b64decode(reply.webp)
        case protocol.ErrorReply():
            raise SubscribeError(f"{address} answers: {reply.reason}")
    raise SubscribeError(f"{address} answers another request.")
