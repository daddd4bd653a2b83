"""Read the events of a span of time in bounded steps, in the order of their commits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from stream_ocr.store import damage
from stream_ocr.store.reader import StoreReader, reports_errors, to_microseconds
from stream_ocr.store.thresholds import THRESHOLDS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HistoryReader(StoreReader):
    """Reads a store by time of publication."""

    @reports_errors
    def ids(self, since: datetime, until: datetime) -> tuple[int, int]:
        """Return the first and the last ``id`` of the events published from ``since`` until before ``until``.

        Where there is none, the first is greater than the last.
        """
        # Ids grow with time unless the clock is set back, then all but the nearest events are still in order.
        nearest = "SELECT id FROM events WHERE utc_us >= ? AND utc_us < ? ORDER BY utc_us"
        span = to_microseconds(since), to_microseconds(until), THRESHOLDS.boundary_events
        (first,) = self._db.execute(f"SELECT ifnull(min(id), 0) FROM ({nearest} LIMIT ?)", span).fetchone()
        (last,) = self._db.execute(f"SELECT ifnull(max(id), -1) FROM ({nearest} DESC LIMIT ?)", span).fetchone()
        return int(first), int(last)

    @reports_errors
    def rows_after(self, last: int, limit: int) -> tuple[list[damage.Row], int]:
        """Return the next rows after ``id`` = ``last``, and the ``id`` up to which the table has been read."""
        return damage.rows_after(self._db, last, limit)

    @reports_errors
    def ids_with_crop(self, first: int, last: int) -> set[int]:
        """Return the ``id`` of all events from ``first`` to ``last`` whose crop is stored."""
        return {
            id_ for (id_,) in self._db.execute("SELECT event FROM crops WHERE event BETWEEN ? AND ?", (first, last))
        }

    @reports_errors
    def neighbours(self, since: datetime, until: datetime) -> tuple[datetime | None, datetime | None]:
        """Return when the last text before ``since`` and the first one from ``until`` on were published."""
        before = self._db.execute(
            "SELECT utc_us FROM events WHERE utc_us < ? AND text IS NOT NULL ORDER BY utc_us DESC LIMIT 1",
            (to_microseconds(since),),
        ).fetchone()
        after = self._db.execute(
            "SELECT utc_us FROM events WHERE utc_us >= ? AND text IS NOT NULL ORDER BY utc_us LIMIT 1",
            (to_microseconds(until),),
        ).fetchone()
        return _time(before), _time(after)


def _time(row: Sequence[int] | None) -> datetime | None:
    return None if row is None else _EPOCH + timedelta(microseconds=row[0])
