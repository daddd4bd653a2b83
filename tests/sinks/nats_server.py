"""A real NATS server with JetStream, and a sink that sends to it."""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nats
from sinks.mqtt_broker import eventually

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import NatsSettings
from stream_ocr.sinks import Sinks, sinks_from_settings
from stream_ocr.testing import text_event

NATS = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin")


class Server:
    """A server on its own port, which keeps its messages over restarts."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        with socket.create_server(("127.0.0.1", 0)) as placeholder:
            self.port = placeholder.getsockname()[1]
        folder.mkdir()
        self._file = folder / "nats.conf"
        self._file.write_text(f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{folder}" }}\n{settings}\n')
        self.process: subprocess.Popen[bytes]
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert NATS is not None
        self.process = subprocess.Popen([NATS, "-c", str(self._file)], stderr=subprocess.DEVNULL)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        assert eventually(listens)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait()

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
