import io
from collections import Counter

from stream_ocr.cli.archive_progress import ArchiveProgress, format_totals
from stream_ocr.cli.read_archive import Totals


def totals(**counts):
    return Totals(files=1000, counts=Counter(counts), media_s=1200.0, frames=30_000)


def test_format_totals_estimates_the_time_left_from_the_files_that_were_read():
    line = format_totals(totals(read=20, skipped=77, failed=3), wall_s=60.0)
    assert line == "100 of 1000 files, 3 failed, 20.0 files/min, 20.0 × real time, 0:45:00 left"


def test_format_totals_estimates_nothing_before_a_file_was_read():
    assert format_totals(totals(skipped=500), wall_s=0.0) == "500 of 1000 files"


def test_failures_are_printed_at_once_and_progress_only_now_and_then():
    out = io.StringIO()
    with ArchiveProgress(totals(read=1), out) as progress:
        progress.print("a.mp4: It breaks off.")
        for _ in range(3):
            progress.update()
    assert out.getvalue() == "a.mp4: It breaks off.\n"
