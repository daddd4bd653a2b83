import pytest

from stream_ocr.store.writer import StoreWriter


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


@pytest.fixture
def store(path):
    writer = StoreWriter(path)
    writer.open()
    yield writer
    writer.close()
