import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from stream_ocr.errors import SinkError
from stream_ocr.sinks.disk_queue import DiskQueue, QueueFullError

NEVER = threading.Event()
MAX = 1 << 16


@pytest.fixture
def spool(tmp_path):
    spool = DiskQueue(tmp_path / "spool", MAX)
    spool.open()
    yield spool
    spool.close()


def line(n: int, length: int = 100) -> bytes:
    return b'{"n":%d,"x":"%s"}' % (n, b"x" * length)


def taken(spool: DiskQueue, count: int, batch: int = 7) -> list[bytes]:
    """So many lines, one batch after the other."""
    lines = []
    while len(lines) < count:
        some = spool.peek(min(batch, count - len(lines)), NEVER)
        spool.drop(some)
        lines += some
    return lines


def reopened(spool: DiskQueue) -> DiskQueue:
    spool.close()
    spool.open()
    return spool


def segments(spool: DiskQueue) -> list[Path]:
    return sorted(spool.folder.glob("*.jsonl"))


def test_lines_come_out_in_order(spool):
    lines = [line(n) for n in range(300)]
    for one in lines:
        spool.put(one)
    assert len(spool) == 300
    assert taken(spool, 300) == lines
    assert len(spool) == 0


def test_what_was_not_dropped_comes_again(spool):
    spool.put(b"1")
    assert spool.peek(9, NEVER) == spool.peek(9, NEVER) == [b"1"]


@pytest.mark.parametrize("done", [0, 1, 29, 30, 31, 199, 200])
def test_what_waits_is_there_after_a_restart(spool, done):
    lines = [line(n) for n in range(200)]
    for one in lines:
        spool.put(one)
    taken(spool, done)
    assert len(reopened(spool)) == 200 - done
    spool.put(b"last")
    assert taken(spool, 201 - done) == [*lines[done:], b"last"]


def test_the_room_of_done_lines_is_used_again(spool):
    for n in range(20 * MAX // 100):
        spool.put(line(n))
        assert spool.peek(1, NEVER) == [line(n)]
        spool.drop([line(n)])
        assert sum(path.stat().st_size for path in segments(spool)) <= MAX // 4
    assert len(segments(spool)) <= 2
    assert len(reopened(spool)) == 0


def test_a_full_spool_says_so_and_keeps_what_it_has(spool):
    kept = 0
    while kept * (len(line(kept)) + 1) + 2 * len(line(kept)) < MAX:
        spool.put(line(kept))
        kept += 1
    for _ in range(2):
        with pytest.raises(QueueFullError, match=f"holds {MAX} bytes"):
            spool.put(line(0, 300))
    assert kept > 0.9 * MAX / len(line(0))
    assert sum(path.stat().st_size for path in segments(spool)) <= MAX
    assert taken(reopened(spool), kept) == [line(n) for n in range(kept)]
    spool.put(line(0))


def test_a_line_longer_than_what_is_read_at_once(tmp_path):
    spool = DiskQueue(tmp_path, 1 << 20)
    spool.open()
    spool.put(b"x" * 600_000)
    spool.put(b"y")
    assert [one[:1] for one in taken(spool, 2)] == [b"x", b"y"]
    spool.close()


def test_a_line_that_a_kill_cut_off_is_not_there(spool):
    spool.put(b'{"whole":1}')
    spool.close()
    with segments(spool)[-1].open("ab") as file:
        file.write(b'{"torn":')
    spool.open()
    spool.put(b'{"next":2}')
    assert taken(spool, 2) == [b'{"whole":1}', b'{"next":2}']


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"99999999999999999999"])
def test_a_damaged_count_delivers_too_much_or_nothing_and_goes_on(spool, damage):
    for n in range(200):
        spool.put(line(n))
    taken(spool, 150)
    spool.close()
    (spool.folder / "done").write_bytes(damage)
    spool.open()
    spool.put(b"last")
    assert taken(spool, len(spool))[-1] == b"last"


def test_a_segment_that_somebody_removed_is_passed_over(spool):
    for n in range(200):
        spool.put(line(n))
    spool.close()
    segments(spool)[1].unlink()
    spool.open()
    spool.put(b"last")
    while (last := taken(spool, 1)) != [b"last"]:
        assert last
    assert len(spool) == 0


def test_waiting_ends_when_something_comes_and_when_it_shall_stop(spool):
    stop = threading.Event()
    found: list[list[bytes]] = []
    waiting = threading.Thread(target=lambda: found.extend([spool.peek(5, stop), spool.peek(5, stop)]))
    waiting.start()
    spool.put(b"1")
    while not found and waiting.is_alive():
        waiting.join(0.01)
    stop.set()
    spool.wake()
    waiting.join(10)
    assert found in ([[b"1"], [b"1"]], [[b"1"], []])


def test_one_spool_has_one_owner(spool):
    with pytest.raises(SinkError, match="in use by another writer"):
        DiskQueue(spool.folder, MAX).open()
    spool.put(b"still mine")


def test_a_place_where_no_spool_can_be_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"The spool .*file/spool cannot be used: Not a directory"):
        DiskQueue(tmp_path / "file" / "spool", MAX).open()


WRITER = """
    import sys
    from pathlib import Path
    from stream_ocr.sinks.disk_queue import DiskQueue
    spool = DiskQueue(Path({folder!r}), 1 << 30)
    spool.open()
    for n in range(10**9):
        spool.put(b'{{"n":%d,"x":"%s"}}' % (n, b"x" * (n % 500)))
        sys.stdout.write("%d\\n" % n)
        sys.stdout.flush()
"""


@pytest.mark.parametrize("after", [1, 777, 5000])
def test_what_was_put_survives_kill_9(tmp_path, after):
    program = textwrap.dedent(WRITER).format(folder=str(tmp_path / "spool"))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
        for _ in range(after):
            writer.stdout.readline()
        writer.kill()
        said = after + writer.stdout.read().count(b"\n")
    spool = DiskQueue(tmp_path / "spool", 1 << 30)
    spool.open()
    waiting = len(spool)
    assert said <= waiting <= said + 1
    lines = taken(spool, waiting, batch=1000)
    assert [int(one[5:].split(b",")[0]) for one in lines] == list(range(waiting))
    spool.close()


def test_a_full_disk_takes_whole_lines_or_none_and_recovers(small_disk):
    done = small_disk("""
        import threading
        from stream_ocr.sinks.disk_queue import DiskQueue
        spool, never = DiskQueue(disk / "spool", 1 << 30), threading.Event()
        spool.open()
        kept, refused = [], 0
        for turn in range(3):
            for n in range(4000):
                line = b"%d %d " % (turn, n) + b"x" * (n % 300)
                try:
                    spool.put(line)
                    kept.append(line)
                except OSError as error:
                    assert error.errno == 28, error
                    refused += 1
            assert refused > 1000 * (turn + 1), refused
            half = len(kept) // 2 if turn < 2 else len(kept)
            while half:
                lines = spool.peek(min(half, 100), never)
                assert lines == kept[:len(lines)]
                spool.drop(lines)
                kept, half = kept[len(lines):], half - len(lines)
            spool.close()
            spool.open()
            assert len(spool) == len(kept), (len(spool), len(kept))
        spool.put(b"room again")
        print("recovered")
    """)
    assert done.stdout == "recovered\n", done.stderr
