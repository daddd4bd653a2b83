"""A journal whose bus listens on this machine."""

from collections.abc import Callable, Iterator

import pytest

from stream_ocr.bus.journal import DurableJournal, open_journal
from stream_ocr.config.settings import Settings
from stream_ocr.testing import published_event


@pytest.fixture
def settings(tmp_path, endpoint) -> Callable[..., Settings]:
    def settings(*more: str) -> Settings:
        return Settings.load(None, [f"store.path={tmp_path}/events.db", f"socket.events={endpoint}", *more])

    return settings


@pytest.fixture
def journal(settings) -> Iterator[DurableJournal]:
    with open_journal(settings()) as journal:
        assert isinstance(journal, DurableJournal)
        yield journal


@pytest.fixture
def commit() -> Callable[..., list]:
    """Commits texts to a journal; the events."""

    def commit(journal: DurableJournal, *texts: str, stream: str = "gate", **facts) -> list:
        made = [
            published_event(journal.next_seq(stream), text, stream=stream, durable=journal.durable, **facts)
            for text in texts
        ]
        return list(journal.commit(made))

    return commit
