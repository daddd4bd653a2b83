"""All stages in one process, one after the other."""

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from stream_ocr.core.messages import Message, StreamClosed
from stream_ocr.stages.base import Stage


class InlineStages:
    """Pushes each message through all stages before the next one is taken."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = stages

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            for stage in self._stages:
                entered.enter_context(stage)
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)

    def push(self, message: Message) -> list[Message]:
        """Return the outputs of the last stage for a message to the first one."""
        messages = [message]
        for stage in self._stages:
            messages = [
                output
                for given in messages
                for output in (stage.close(given) if isinstance(given, StreamClosed) else stage.process([given]))
            ]
        return messages
