"""A reader process as the server sees it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from stream_ocr.errors import WorkerError
from stream_ocr.runtime.fork_client import Fork, ForkServer
from stream_ocr.serve.messages import Failed, Finished, Message, Task
from stream_ocr.serve.thresholds import THRESHOLDS

READER_MODULES = (
    "stream_ocr.serve.reader_process",
    "stream_ocr.reader",
    *(f"stream_ocr.stages.{name}" for name in ("decode_file", "detect", "track", "recognize", "publish", "inline")),
)
"""Modules of a reader, for ``ForkServer``. This process imports none of them."""


class ReaderHandle:
    """One reader, from its start to its end. Leaving the ``async with`` block kills it."""

    def __init__(self, forks: ForkServer, task: Task, file: BinaryIO | None = None) -> None:
        """task: its descriptors are filled in. file: what it reads; it cannot write to it."""
        self._forks, self._task, self._file = forks, task, file
        self._fork: Fork | None = None
        self._transport: asyncio.ReadTransport | None = None
        self._lines = asyncio.StreamReader(limit=THRESHOLDS.max_message_bytes)

    async def __aenter__(self) -> Self:
        """Start the process. Raise OSError if there is no descriptor, process or memory for it."""
        output, their_output = os.pipe()
        try:
            self._fork = self._start(their_output)
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(their_output)
        # Not cancelled, because then nobody would know whether the pipe is closed.
        connecting = asyncio.ensure_future(self._connect(output))
        try:
            await asyncio.shield(connecting)
        except BaseException:
            await connecting
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def messages(self) -> AsyncIterator[Message | None]:
        """Yield what the reader says, ``Finished`` or ``Failed`` last; None in intervals of silence.

        Raise WorkerError if it dies, or says what is no message.
        """
        decoder = msgspec.json.Decoder(Message)
        while True:
            try:
                line = await asyncio.wait_for(self._lines.readline(), THRESHOLDS.heartbeat_s)
                message = decoder.decode(line) if line else None
            except TimeoutError:
                yield None
                continue
            except (ValueError, msgspec.DecodeError) as error:  # a line without end, or rubbish: taken over by its file
                raise WorkerError("The process that read the file sent what is no answer.") from error
            if message is None:
                raise WorkerError("The process that read the file has died; it may have needed too much memory.")
            yield message
            if isinstance(message, Finished | Failed):
                return

    def _start(self, output: int) -> Fork:
        with ExitStack() as theirs:
            stdin, task = os.pipe()
            theirs.callback(os.close, stdin)
            with open(task, "wb") as spec:  # noqa: PTH123 - a descriptor
                file = None
                if self._file is not None:  # another descriptor, because a reader must not write to the disk
                    file = os.open(f"/proc/self/fd/{self._file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
                    theirs.callback(os.close, file)
                fork = self._forks.fork(stdin, [output] if file is None else [output, file])
                spec.write(msgspec.json.encode(msgspec.structs.replace(self._task, file=file, output=output)))
        return fork

    async def _connect(self, output: int) -> None:
        protocol = asyncio.StreamReaderProtocol(self._lines)
        pipe = open(output, "rb", 0)  # noqa: SIM115 - the transport closes it
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)

    async def _end(self) -> None:
        """Kill the process and wait for its end."""
        if self._transport is not None:
            self._transport.close()
        if self._fork is None:
            return
        self._fork.kill()
        while self._fork.poll() is None:
            await asyncio.sleep(THRESHOLDS.reap_interval_s)
        self._fork.close()
        self._fork = None
