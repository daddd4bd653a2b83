"""``POST /read``: from the request to the answer."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import BinaryIO

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from stream_ocr.config.settings import Settings
from stream_ocr.errors import WorkerError
from stream_ocr.logs import get_logger
from stream_ocr.runtime.fork_client import ForkServer
from stream_ocr.serve.answer import EVENT_STREAM, Answer
from stream_ocr.serve.errors import Refused
from stream_ocr.serve.messages import Document, EventRead, Failed, Finished, Opened, Task
from stream_ocr.serve.options import ReadOptions, file_name, parse_options
from stream_ocr.serve.reader_handle import ReaderHandle
from stream_ocr.serve.thresholds import THRESHOLDS
from stream_ocr.serve.upload import Upload, check_headers, new_file

log = get_logger(__name__)


class ReadEndpoint:
    """Answers requests, each by a reader process of its own; so many at a time, and so many that wait."""

    def __init__(self, settings: Settings, forks: ForkServer) -> None:
        self._settings, self._forks = settings, forks
        self._admitted = 0
        self._slots = asyncio.Semaphore(settings.serve.readings)
        self._stopped = asyncio.Event()

    async def check(self) -> None:
        """Let a reader load its networks. Raise WorkerError if it cannot."""
        async with ReaderHandle(self._forks, Task(self._settings.for_workers())) as reader:
            async for message in reader.messages():
                if isinstance(message, Failed):
                    raise WorkerError(message.sentence)

    def stop(self) -> None:
        """End all requests with an error."""
        self._stopped.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        headers = Headers(scope=scope)
        answer = Answer(send, as_event_stream=EVENT_STREAM in headers.get("accept", ""))
        upload = Upload(headers, receive, self._settings.serve)
        try:
            options = parse_options(scope["query_string"].decode("latin-1"), self._settings)
            check_headers(headers, self._settings.serve)
            answered = self._answer(options, upload, answer, receive)
            if not await _completes_before(answered, self._stopped.wait()):
                raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "The server has been stopped; send the file again later.")
        except Refused as refused:
            await answer.refuse(refused, is_last=upload.is_complete)
            if not upload.is_complete:
                await upload.discard()
                await answer.end()
        except ClientDisconnect:
            return

    async def _answer(self, options: ReadOptions, upload: Upload, answer: Answer, receive: Receive) -> None:
        with self._admission(), _disk_errors(), new_file(self._settings.serve) as file:
            name = await upload.save(file)
            file.flush()
            name = file_name(options.name or name)
            task = Task(options.settings, name, format=options.format, subtitles=options.subtitles)
            if not await _completes_before(self._read(task, file, answer), _disconnected(receive)):
                raise ClientDisconnect

    async def _read(self, task: Task, file: BinaryIO, answer: Answer) -> None:
        timeout_s = self._settings.serve.timeout_s
        async with self._slots:
            try:
                async with asyncio.timeout(timeout_s), ReaderHandle(self._forks, task, file) as reader:
                    await _send_answer(reader, answer, as_document=task.format != "jsonl")
            except TimeoutError:
                log.warning("a file took too long to read", name=task.name, timeout_s=timeout_s)
                raise Refused(
                    HTTPStatus.GATEWAY_TIMEOUT,
                    f"Reading took longer than {timeout_s:g} seconds (serve.timeout_s); send a shorter video.",
                ) from None
            except WorkerError as error:
                log.warning("a reader failed", name=task.name, error=str(error))
                raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from None

    @contextmanager
    def _admission(self) -> Iterator[None]:
        """Count a request. Raise Refused if there are too many."""
        serve = self._settings.serve
        if self._admitted >= serve.readings + serve.waiting:
            raise _busy("There are too many requests at the moment; send the file again later.")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1


async def _send_answer(reader: ReaderHandle, answer: Answer, *, as_document: bool) -> None:
    """Send what a reader says. as_document: nothing before all has been read. Raise Refused and WorkerError."""
    document: Document | None = None
    async for message in reader.messages():
        match message:
            case None:
                await answer.send_heartbeat()
            case Opened():
                if not as_document:
                    await answer.begin_events()
            case EventRead(event):
                await answer.send_event(bytes(event))
            case Document():
                document = message
            case Failed(sentence, status):
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    log.warning("a reader failed", error=sentence)
                raise Refused(status, sentence)
            case Finished() if document is not None:
                await answer.send_document(document)
            case Finished():
                await answer.end_events()


async def _completes_before(work: Coroutine[None, None, None], *others: Coroutine[None, None, object]) -> bool:
    """Return True once the work is done, or False once another coroutine is, which cancels the work."""
    tasks = [asyncio.ensure_future(each) for each in (work, *others)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
            return True
        return False
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn errors of the system, such as a full disk, into refusals."""
    try:
        yield
    except OSError as error:
        log.warning("a request failed", error=str(error))
        raise _busy(f"The server cannot take the file ({error.strerror}); send it again later.") from None


def _busy(sentence: str) -> Refused:
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, sentence, retry_after_s=THRESHOLDS.retry_after_s)
