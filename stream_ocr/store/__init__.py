"""The event store in SQLite: one writer, any number of concurrent readers."""

from collections.abc import Mapping

NO_CROPS: Mapping[str, bytes] = {}
