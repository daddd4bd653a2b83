"""A real NATS server with JetStream, and a sink that sends to it."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nats
from sinks.server_process import ServerProcess

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import NatsSettings
from stream_ocr.sinks import Sinks, sinks_from_settings
from stream_ocr.testing import text_event

NATS = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")


class Server(ServerProcess):
    """A server that keeps its messages over restarts."""

    def __init__(self, folder: Path, settings: str = "", scheme: str = "nats") -> None:
        storage = f'listen: "127.0.0.1:PORT"\njetstream {{ store_dir: "{folder}" }}\n'
        super().__init__(NATS, folder / "nats.conf", f"{storage}{settings}\n")
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    def messages(self, **options: Any) -> list[tuple[str, dict[str, Any]]]:
        """Return (subject, event) of all messages in the JetStream."""
        return asyncio.run(_messages(self.url, options))


async def _messages(url: str, options: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    async with await nats.connect(url, **options) as client:
        jetstream = client.jetstream()
        state = (await jetstream.stream_info("stream-ocr")).state
        found = [await jetstream.get_msg("stream-ocr", seq) for seq in range(state.first_seq, state.last_seq + 1)]
    return [(message.subject, json.loads(message.data)) for message in found if message.data]


def sinks(folder: Path, url: str, **settings: Any) -> Sinks:
    sink = NatsSettings(type="nats", servers=(url,), spool=folder / "spool", **settings)
    return Sinks(sinks_from_settings(Settings(sinks=(sink,))))


def send(folder: Path, url: str, seqs: Sequence[int], stream: str = "cam-1", **settings: Any) -> Sinks:
    with sinks(folder, url, **settings) as opened:
        for seq in seqs:
            opened.write(text_event(seq, stream=stream))
    return opened
