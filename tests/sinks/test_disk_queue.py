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
def queue(tmp_path):
    queue = DiskQueue(tmp_path / "queue", MAX)
    queue.open()
    yield queue
    queue.close()


def line(n: int, length: int = 100) -> bytes:
    return b'{"n":%d,"x":"%s"}' % (n, b"x" * length)


def take(queue: DiskQueue, count: int, batch: int = 7) -> list[bytes]:
    """Take that many lines, batch by batch."""
    lines = []
    while len(lines) < count:
        some = queue.peek(min(batch, count - len(lines)), NEVER)
        queue.drop(some)
        lines += some
    return lines


def reopen(queue: DiskQueue) -> DiskQueue:
    queue.close()
    queue.open()
    return queue


def segments(queue: DiskQueue) -> list[Path]:
    return sorted(queue.folder.glob("*.jsonl"))


def test_queue_returns_lines_in_order(queue):
    lines = [line(n) for n in range(300)]
    for one in lines:
        queue.put(one)
    assert len(queue) == 300
    assert take(queue, 300) == lines
    assert len(queue) == 0


def test_peek_returns_lines_again_until_dropped(queue):
    queue.put(b"1")
    assert queue.peek(9, NEVER) == queue.peek(9, NEVER) == [b"1"]


@pytest.mark.parametrize("done", [0, 1, 29, 30, 31, 199, 200])
def test_queue_resumes_after_a_restart(queue, done):
    lines = [line(n) for n in range(200)]
    for one in lines:
        queue.put(one)
    take(queue, done)
    assert len(reopen(queue)) == 200 - done
    queue.put(b"last")
    assert take(queue, 201 - done) == [*lines[done:], b"last"]


def test_queue_frees_the_space_of_dropped_lines(queue):
    for n in range(20 * MAX // 100):
        queue.put(line(n))
        assert queue.peek(1, NEVER) == [line(n)]
        queue.drop([line(n)])
        assert sum(path.stat().st_size for path in segments(queue)) <= MAX // 4
    assert len(segments(queue)) <= 2
    assert len(reopen(queue)) == 0


def test_full_queue_rejects_lines_and_keeps_its_own(queue):
    kept = 0
    while kept * (len(line(kept)) + 1) + 2 * len(line(kept)) < MAX:
        queue.put(line(kept))
        kept += 1
    for _ in range(2):
        with pytest.raises(QueueFullError, match=f"it holds {MAX} bytes"):
            queue.put(line(0, 300))
    assert kept > 0.9 * MAX / len(line(0))
    assert sum(path.stat().st_size for path in segments(queue)) <= MAX
    assert take(reopen(queue), kept) == [line(n) for n in range(kept)]
    queue.put(line(0))


def test_peek_returns_lines_longer_than_the_read_buffer(tmp_path):
    queue = DiskQueue(tmp_path, 1 << 20)
    queue.open()
    queue.put(b"x" * 600_000)
    queue.put(b"y")
    assert [one[:1] for one in take(queue, 2)] == [b"x", b"y"]
    queue.close()


def test_open_removes_a_truncated_line(queue):
    queue.put(b'{"whole":1}')
    queue.close()
    with segments(queue)[-1].open("ab") as file:
        file.write(b'{"torn":')
    queue.open()
    queue.put(b'{"next":2}')
    assert take(queue, 2) == [b'{"whole":1}', b'{"next":2}']


@pytest.mark.parametrize("damage", [b"", b"rubbish", b"99999999999999999999"])
def test_open_survives_a_damaged_counter(queue, damage):
    for n in range(200):
        queue.put(line(n))
    take(queue, 150)
    queue.close()
    (queue.folder / "done").write_bytes(damage)
    queue.open()
    queue.put(b"last")
    assert take(queue, len(queue))[-1] == b"last"


def test_queue_skips_a_removed_segment(queue):
    for n in range(200):
        queue.put(line(n))
    queue.close()
    segments(queue)[1].unlink()
    queue.open()
    queue.put(b"last")
    while (last := take(queue, 1)) != [b"last"]:
        assert last
    assert len(queue) == 0


def test_peek_waits_for_a_line_or_the_stop_flag(queue):
    stop = threading.Event()
    found: list[list[bytes]] = []
    waiting = threading.Thread(target=lambda: found.extend([queue.peek(5, stop), queue.peek(5, stop)]))
    waiting.start()
    queue.put(b"1")
    while not found and waiting.is_alive():
        waiting.join(0.01)
    stop.set()
    queue.wake()
    waiting.join(10)
    assert found in ([[b"1"], [b"1"]], [[b"1"], []])


def test_queue_rejects_second_owner(queue):
    with pytest.raises(SinkError, match="in use by another writer"):
        DiskQueue(queue.folder, MAX).open()
    queue.put(b"still mine")


def test_open_rejects_an_unusable_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"The spool .*file/queue cannot be used: Not a directory"):
        DiskQueue(tmp_path / "file" / "queue", MAX).open()


WRITER = """
    import sys
    from pathlib import Path
    from stream_ocr.sinks.disk_queue import DiskQueue
    queue = DiskQueue(Path({folder!r}), 1 << 30)
    queue.open()
    for n in range(10**9):
        queue.put(b'{{"n":%d,"x":"%s"}}' % (n, b"x" * (n % 500)))
        sys.stdout.write("%d\\n" % n)
        sys.stdout.flush()
"""


@pytest.mark.parametrize("after", [1, 777, 5000])
def test_lines_survive_kill_9(tmp_path, after):
    program = textwrap.dedent(WRITER).format(folder=str(tmp_path / "queue"))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
        for _ in range(after):
            writer.stdout.readline()
        writer.kill()
        reported = after + writer.stdout.read().count(b"\n")
    queue = DiskQueue(tmp_path / "queue", 1 << 30)
    queue.open()
    waiting = len(queue)
    assert reported <= waiting <= reported + 1
    lines = take(queue, waiting, batch=1000)
    assert [int(one[5:].split(b",")[0]) for one in lines] == list(range(waiting))
    queue.close()


def test_full_disk_takes_complete_lines_or_none_and_recovers(small_disk):
    done = small_disk("""
        import threading
        from stream_ocr.sinks.disk_queue import DiskQueue
        queue, never = DiskQueue(disk / "queue", 1 << 30), threading.Event()
        queue.open()
        kept, refused = [], 0
        for turn in range(3):
            for n in range(4000):
                line = b"%d %d " % (turn, n) + b"x" * (n % 300)
                try:
                    queue.put(line)
                    kept.append(line)
                except OSError as error:
                    assert error.errno == 28, error
                    refused += 1
            assert refused > 1000 * (turn + 1), refused
            half = len(kept) // 2 if turn < 2 else len(kept)
            while half:
                lines = queue.peek(min(half, 100), never)
                assert lines == kept[:len(lines)]
                queue.drop(lines)
                kept, half = kept[len(lines):], half - len(lines)
            queue.close()
            queue.open()
            assert len(queue) == len(kept), (len(queue), len(kept))
        queue.put(b"room again")
        print("recovered")
    """)
    assert done.stdout == "recovered\n", done.stderr
