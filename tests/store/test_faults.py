"""The store under kills, damage and full disks: no committed event is lost, and nothing crashes."""

import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event

COUNT, PAGE_BYTES = 200, 4096
WRITE = """
import os, sys
from pathlib import Path
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event
writer = StoreWriter(Path(sys.argv[1]))
writer.open()
while True:
    seq = writer.next_seq("gate")
    assert writer.append([published_event(seq + n) for n in range(7)])
    os.write(1, f"{seq + 6}\\n".encode())
"""


def fill(path, count=3000):
    writer = StoreWriter(path)
    writer.open()
    for n in range(0, count, 100):
        writer.append([published_event(n + k, f"SIGN {n + k}") for k in range(100)])
    writer.close()


def test_writer_loses_no_committed_event_when_killed(tmp_path):
    path = tmp_path / "events.db"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITE, path], stdout=subprocess.PIPE)
        for _ in range(random.randint(1, 60)):
            committed = int(writer.stdout.readline())
        writer.kill()
        committed = max([committed, *map(int, writer.stdout.read().split(b"\n")[:-1])])
        writer.wait()
        writer.stdout.close()
        with StoreReader(path) as reader:
            last = reader.last("gate")
            assert last >= committed
            assert [event.seq for event in reader.events()] == list(range(last + 1))


@pytest.mark.parametrize("where", ["in the middle", "at the end", "cut off"])
def test_open_repairs_a_damaged_store_and_keeps_the_damaged_file(tmp_path, where):
    path = tmp_path / "events.db"
    fill(path)
    with path.open("r+b") as file:
        size = path.stat().st_size
        if where == "cut off":
            file.truncate(size // 2)
        else:
            file.seek(size // 2 if where == "in the middle" else size - 8 * 4096)
            file.write(os.urandom(8 * 4096))
    writer = StoreWriter(path)
    writer.open()
    assert not writer.failing
    following = writer.next_seq("gate")
    assert writer.append([published_event(following, "AFTER THE REPAIR")])
    writer.close()
    assert len(list(tmp_path.glob("events.db.damaged-*"))) >= 1
    with StoreReader(path) as reader:
        kept = [event.seq for event in reader.events()]
        assert kept == sorted(set(kept))
        assert kept[-1] == following
        assert len(kept) > 500
        assert [event.seq for event in reader.search(Query("after the repair"))] == [following]


def test_open_saves_every_event_outside_of_a_damaged_page(tmp_path):
    """All pages but the first and the root of the events, without which the others cannot be found."""
    path, damaged = tmp_path / "events.db", tmp_path / "damaged" / "events.db"
    damaged.parent.mkdir()
    fill(path, COUNT)
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchone()
    content = path.read_bytes()
    for begin in range(PAGE_BYTES, len(content), PAGE_BYTES):
        if begin == (root - 1) * PAGE_BYTES:
            continue
        page = content[begin : begin + PAGE_BYTES]
        lost = {int(number) for number in re.findall(rb'"seq":(\d+)', page)}
        damaged.write_bytes(content[:begin] + b"\xa5" * PAGE_BYTES + content[begin + PAGE_BYTES :])
        writer = StoreWriter(damaged)
        writer.open()
        assert writer.next_seq("gate") == COUNT
        writer.close()
        with StoreReader(damaged) as reader:
            kept = {event.seq for event in reader.events()}
        assert kept >= set(range(COUNT)) - lost, begin
        for file in damaged.parent.iterdir():
            file.unlink()


def test_open_saves_the_events_of_a_store_whose_oldest_ones_were_deleted_long_ago(tmp_path):
    path = tmp_path / "events.db"
    fill(path, COUNT)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE events SET id = id + 10000000")
        db.execute("UPDATE streams SET next = 10000200")
        db.execute("DELETE FROM words_data")
        db.commit()
    content = path.read_bytes()
    begin = content.index(b'"seq":100,') // PAGE_BYTES * PAGE_BYTES
    path.write_bytes(content[:begin] + b"\xa5" * PAGE_BYTES + content[begin + PAGE_BYTES :])
    with StoreReader(path) as reader:
        assert len(list(reader.events())) > COUNT - 10
    writer = StoreWriter(path)
    writer.open()
    writer.close()
    assert list(tmp_path.glob("events.db.damaged-*"))
    with StoreReader(path) as reader:
        assert COUNT - 10 < len(list(reader.events())) < COUNT


def test_open_starts_a_new_store_after_a_zeroed_header(tmp_path):
    path = tmp_path / "events.db"
    fill(path, 200)
    with StoreReader(path) as reader:
        before = reader.id
    with path.open("r+b") as file:
        file.write(bytes(4096))
    writer = StoreWriter(path)
    writer.open()
    assert writer.next_seq("gate") == 0
    writer.close()
    with StoreReader(path) as reader:
        assert reader.id != before


KILL_DURING_MAKE_ROOM = """
import os, signal, sqlite3, sys
from pathlib import Path
from stream_ocr.store.retention import Retention, RetentionLimits
path = Path(sys.argv[1])
db = sqlite3.connect(path, isolation_level=None)
retention = Retention(path, RetentionLimits())
retention.open(db)
db.set_trace_callback(lambda sql: sql.startswith("DELETE FROM events") and os.kill(os.getpid(), signal.SIGKILL))
retention.make_room(db)
"""


def test_kill_during_make_room_leaves_the_index_intact(tmp_path):
    path = tmp_path / "events.db"
    fill(path, 400)
    killed = subprocess.run([sys.executable, "-c", KILL_DURING_MAKE_ROOM, path], check=False)
    assert killed.returncode == -signal.SIGKILL
    with StoreReader(path) as reader:
        kept = [event.seq for event in reader.events()]
        assert sorted(event.seq for event in reader.search(Query("sign", limit=1000))) == kept == list(range(400))


ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size="$5" tmpfs "$1"
exec "$2" -c "$3" "$1" "$4"
"""
FILL = """
import sys, time
from pathlib import Path
from stream_ocr.store.reader import StoreReader
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event
disk, when_full = Path(sys.argv[1]), sys.argv[2]
writer = StoreWriter(disk / "events.db", when_full=when_full)
writer.open()
seq, kept = 0, []
while seq < 40_000:
    kept.append(bool(writer.append([published_event(seq + n, f"SIGN {seq + n}", durable=True) for n in range(20)])))
    seq += 20
    if not kept[-1]:
        break
print("filled", writer.failing)
if when_full == "refuse":
    assert not kept[-1] and writer.failing
    with StoreReader(disk / "events.db") as reader:
        assert reader.last("gate") == seq - 21, "committed events are readable"
    import subprocess
    subprocess.run(["mount", "-o", "remount,size=32m", str(disk)], check=True)
    time.sleep(1.1)
    assert writer.append([published_event(seq, durable=True)])
    assert not writer.failing
else:
    assert all(kept), "old events were deleted"
writer.close()
with StoreReader(disk / "events.db") as reader:
    events = list(reader.events())
assert [event.seq for event in events] == list(range(events[0].seq, seq + (when_full == "refuse")))
print("durable", sorted({event.durable for event in events}), "first", events[0].seq, "lost", writer.lost)
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and util-linux to mount a small disk"
)
@pytest.mark.parametrize(
    ("when_full", "size", "durable"), [("refuse", "3m", "[False, True] first 0 "), ("delete_oldest", "16m", "[True] ")]
)
def test_writer_survives_a_full_disk(tmp_path, when_full, size, durable):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").write_text(ON_A_SMALL_DISK)
    program = ["unshare", "-m", "sh", tmp_path / "run", tmp_path / "disk", sys.executable, FILL, when_full, size]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr or "permission denied" in done.stderr:
        pytest.skip("this container may not mount a small disk")
    assert done.returncode == 0, done.stderr
    assert f"durable {durable}" in done.stdout
    assert " lost 0" in done.stdout


READ_ONLY = """
set -e
mount -t tmpfs -o size=8m tmpfs "$1"
"$2" -c "$3" "$1" first
mount -o remount,ro "$1"
exec "$2" -c "$3" "$1" again
"""
WRITE_ON_IT = """
import sys
from pathlib import Path
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event
writer = StoreWriter(Path(sys.argv[1]) / "events.db")
writer.open()
seq = writer.next_seq("gate")
print(sys.argv[2], seq, bool(writer.append([published_event(seq)])), writer.next_seq("gate"), flush=True)
writer.close()
"""


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and util-linux to mount a small disk"
)
def test_writer_survives_a_read_only_disk(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").write_text(READ_ONLY)
    program = ["unshare", "-m", "sh", tmp_path / "run", tmp_path / "disk", sys.executable, WRITE_ON_IT]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if "Operation not permitted" in done.stderr or "permission denied" in done.stderr:
        pytest.skip("this container may not mount a small disk")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "first 0 True 1"
    assert "again 1 False 2" in done.stdout
    assert "events are not stored" in done.stdout + done.stderr
