"""The process that reads one file: a fork that confines itself before it looks at the file."""

import gc
import os
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NoReturn

import msgspec
from setproctitle import setproctitle

from stream_ocr import api, logging_config
from stream_ocr.config.settings import Settings
from stream_ocr.confinement import Access, confine
from stream_ocr.errors import SettingsError, SourceError, StreamOcrError
from stream_ocr.events import Event
from stream_ocr.image_reader import ImageReader
from stream_ocr.models import presets, weights
from stream_ocr.printable import path_to_text
from stream_ocr.serve.messages import Document, EventRead, Failed, Finished, Message, Opened, Task
from stream_ocr.serve.thresholds import THRESHOLDS
from stream_ocr.sinks import Sink
from stream_ocr.sinks.subtitles import Select, SubtitleSink
from stream_ocr.sources.access import decoder_memory_bytes
from stream_ocr.sources.suffixes import is_image

_MEDIA_TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt", "ass": "text/x-ssa", "txt": "text/plain"}
_MACHINE = ("/proc/cpuinfo", "/sys/devices", "/sys/bus/pci/devices", "/sys/class/drm", "/sys/fs/cgroup/cpu.max")
"""Files that tell which processors there are; ONNX Runtime also looks for others than CPUs."""


def main(fds: Mapping[int, int]) -> NoReturn:
    """Read the file of the ``Task`` on standard input. fds: descriptors of this process by their numbers in it."""
    setproctitle("stream-ocr: reader")
    gc.freeze()  # collections need not visit what was imported
    gc.enable()
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    output = _Output(fds[task.output])
    file = None if task.file is None else Path(f"/proc/self/fd/{fds[task.file]}")
    try:
        _read(task, file, output)
        output.send(Finished())
    except Exception as error:  # noqa: BLE001 - every error is reported to the server
        output.send(_failure(error, file, task.name))
    os._exit(0)  # libraries often hang or crash while the interpreter shuts down


def _read(task: Task, file: Path | None, output: "_Output") -> None:
    settings = Settings.model_validate(task.settings)
    logging_config.configure(settings)
    if settings.decode.confined:
        confine(_access(settings, file))  # while there is one thread
    if file is None:
        ImageReader(settings)
        return
    if not is_image(_head(file)):
        sink: Sink = _EventSink(output) if task.format == "jsonl" else _SubtitleDocument(task, settings, output)
        for _ in api.read_until(file, settings, stream=task.name, sinks=[sink]):
            pass
        if isinstance(sink, _SubtitleDocument):
            output.send(Document(_MEDIA_TYPES[task.format], sink.text()))
        return
    if task.format != "jsonl":
        raise SourceError(f"{file} is an image, which has no times; leave out format and subtitles.")
    lines = ImageReader(settings).read(file)
    text = msgspec.json.encode({"image": task.name, "lines": lines}).decode()
    output.send(Document("application/json", text))


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(THRESHOLDS.head_bytes)


def _access(settings: Settings, file: Path | None) -> Access:
    """Return the access that a reader needs: its file, networks, and what they need to know of the machine."""
    detection, recognition = settings.detection, settings.recognition
    language_model = presets.language_model_path(recognition)
    given = (file, detection.onnx, recognition.onnx, recognition.characters, recognition.lexicon, language_model)
    paths = [weights.weights_folder(), *(path for path in given if path is not None), *map(Path, _MACHINE)]
    memory_bytes = decoder_memory_bytes(settings.decode) + THRESHOLDS.reader_memory_bytes
    return Access(files=tuple(map(path_to_text, paths)), memory_bytes=memory_bytes)


def _failure(error: Exception, file: Path | None, name: str) -> Failed:
    """Return an error as the client gets it, with the name that the client gave to the file."""
    if isinstance(error, SourceError | SettingsError):
        status = HTTPStatus.BAD_REQUEST
        sentence = str(error).replace(repr(str(file)), str(file)).replace(str(file), repr(name))
    elif isinstance(error, MemoryError):
        status, sentence = (
            HTTPStatus.BAD_REQUEST,
            f"{name!r} needs more memory than a reader may take; make it smaller.",
        )
    else:
        status, shown = HTTPStatus.INTERNAL_SERVER_ERROR, " ".join(str(error).split())
        sentence = shown if isinstance(error, StreamOcrError) else f"Reading failed ({type(error).__name__}: {shown})."
    return Failed(sentence, status)


class _Output:
    """The pipe to the server."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def send(self, message: Message) -> None:
        """Send a message. Ends this process if the server has gone."""
        left = memoryview(msgspec.json.encode(message) + b"\n")
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except BrokenPipeError:
            os._exit(1)


class _EventSink:
    """Sends each event as soon as it is published."""

    name = "http"

    def __init__(self, output: _Output) -> None:
        self._output = output

    def open(self) -> None:
        self._output.send(Opened())

    def write(self, event: Event) -> None:
        self._output.send(EventRead(msgspec.Raw(event.to_json())))

    def close(self) -> None:
        """Do nothing: the server waits for the outcome."""


class _SubtitleDocument(SubtitleSink):
    """Collects the subtitles of a video."""

    def __init__(self, task: Task, settings: Settings, output: _Output) -> None:
        of_film: Select = "region" if settings.detection.regions else "captions"
        super().__init__(f"{task.name}.{task.format}", select=of_film if task.subtitles else "all")
        self._output = output

    def open(self) -> None:
        self._output.send(Opened())

    def close(self) -> None:
        """Do nothing: a video that breaks off has no subtitle file."""
