"""Parquet for data tools: one row per text event, in the columns of ``TextEvent``."""

from pathlib import Path
from typing import Any

import msgspec

from stream_ocr.errors import SinkError
from stream_ocr.events import Event, TextEvent
from stream_ocr.sinks.base import check_output_path, describe_error
from stream_ocr.sinks.thresholds import THRESHOLDS


class ParquetSink:
    """Writes a .parquet file without source events. Raises SinkError when pyarrow is not installed."""

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self._path = Path(path)
        self._rows: list[dict[str, Any]] = []
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise SinkError(
                f"{path} needs pyarrow, which is not installed; pip install 'stream-ocr[parquet]'."
            ) from error
        self._arrow = pyarrow
        self._schema = _schema(pyarrow)
        self._writer: Any = None

    def open(self) -> None:
        check_output_path(self._path)
        try:
            self._writer = self._arrow.parquet.ParquetWriter(self._path, self._schema)
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written: {describe_error(error)}.") from error

    def write(self, event: Event) -> None:
        if isinstance(event, TextEvent):
            self._rows.append(msgspec.structs.asdict(event))
            if len(self._rows) == THRESHOLDS.parquet_group_rows:
                self._flush()

    def close(self) -> None:
        assert self._writer is not None, "close() before open()"
        with self._writer:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()


def _schema(arrow: Any) -> Any:
    number, text, utc = arrow.float64(), arrow.string(), arrow.timestamp("us", tz="UTC")
    types = {
        **dict.fromkeys(("seq", "track"), arrow.int64()),
        **dict.fromkeys(("start", "end", "confidence"), number),
        **dict.fromkeys(("start_utc", "end_utc", "emitted_utc"), utc),
        "schema": arrow.int32(),
        "char_confidences": arrow.list_(number),
        "polygon": arrow.list_(arrow.list_(number)),
        "size": arrow.list_(arrow.int32()),
        **dict.fromkeys(("durable", "overlay"), arrow.bool_()),
    }
    return arrow.schema([(field.name, types.get(field.name, text)) for field in msgspec.structs.fields(TextEvent)])
