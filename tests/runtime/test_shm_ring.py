import mmap
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.core.messages import SlotRef
from stream_ocr.errors import SlotError
from stream_ocr.runtime.shm_ring import Ring, shared_memory


@pytest.fixture
def ring() -> Iterator[Ring]:
    ring = Ring.create(slots=3, slot_bytes=5000)
    yield ring
    ring.close()


def put(ring: Ring, content: bytes) -> SlotRef:
    claim = ring.claim(timeout_s=1)
    assert claim is not None
    claim[1][: len(content)] = content
    return ring.commit(claim[0])


def test_ring_shares_pixels_between_mappings(ring: Ring) -> None:
    other = Ring.attach(os.dup(ring.fd))
    ref = put(ring, b"luma")
    assert bytes(other.view(ref)[:4]) == b"luma"
    assert (other.slots, other.slot_bytes, len(other.view(ref))) == (3, 5000, 5000)
    assert (ring.in_use, other.in_use) == (1, 1)
    other.release(ref)
    assert ring.in_use == 0
    other.close()


def test_claim_among_the_first_slots_only(ring: Ring) -> None:
    first = ring.claim(timeout_s=0, among=1)
    assert first is not None
    assert ring.claim(timeout_s=0, among=1) is None
    assert ring.claim(timeout_s=0) is not None


def test_slots_are_disjoint_and_page_aligned(ring: Ring) -> None:
    refs = [put(ring, bytes([n]) * 5000) for n in range(3)]
    assert [set(ring.view(ref)) for ref in refs] == [{0}, {1}, {2}]
    base = np.frombuffer(ring.view(refs[0]), np.uint8).ctypes.data
    assert base % mmap.PAGESIZE == 0


def test_claim_returns_none_after_its_timeout(ring: Ring) -> None:
    refs = [put(ring, b"") for _ in range(3)]
    start = time.monotonic()
    assert ring.claim(timeout_s=0.05) is None
    assert 0.05 <= time.monotonic() - start < 1
    ring.release(refs[1])
    claim = ring.claim(timeout_s=0)
    assert claim is not None
    assert claim[0] == refs[1].slot


def test_claim_waits_for_a_slot_and_calls_on_wait(ring: Ring) -> None:
    waits: list[float] = []
    writer = Ring.attach(os.dup(ring.fd), on_wait=lambda: waits.append(time.monotonic()))
    refs = [put(writer, b"") for _ in range(3)]
    threading.Timer(0.1, ring.release, [refs[2]]).start()
    start = time.monotonic()
    assert writer.claim() is not None
    assert time.monotonic() - start > 0.05
    assert len(waits) > 10
    writer.close()


def test_claim_never_returns_a_claimed_slot(ring: Ring) -> None:
    claims = [ring.claim(timeout_s=0) for _ in range(4)]
    assert [claim and claim[0] for claim in claims] == [0, 1, 2, None]


def test_claims_of_a_dead_writer_are_free_again(ring: Ring) -> None:
    dead = Ring.attach(os.dup(ring.fd))
    dead.claim()
    dead.close()
    assert [put(ring, b"").slot for _ in range(3)] == [0, 1, 2]


def test_view_rejects_a_released_slot(ring: Ring) -> None:
    ref = put(ring, b"first")
    ring.release(ref)
    with pytest.raises(SlotError, match="no longer holds generation 1"):
        ring.view(ref)
    assert put(ring, b"second").slot == ref.slot
    with pytest.raises(SlotError, match="no longer holds generation 1"):
        ring.view(ref)


def test_release_rejects_a_second_release_and_ignores_stale_references(ring: Ring) -> None:
    stale = put(ring, b"first")
    ring.release(stale)
    with pytest.raises(SlotError, match="released twice"):
        ring.release(stale)
    ref = put(ring, b"second")
    ring.release(stale)
    assert bytes(ring.view(ref)[:6]) == b"second"


@pytest.mark.parametrize("slot", [-1, 3])
def test_view_rejects_a_slot_out_of_range(ring: Ring, slot: int) -> None:
    with pytest.raises(SlotError, match="no slot"):
        ring.view(SlotRef(slot, 1))


def test_commit_rejects_an_unclaimed_slot(ring: Ring) -> None:
    with pytest.raises(SlotError, match="without a claim"):
        ring.commit(0)


def test_ring_uses_memory_only_for_touched_pages() -> None:
    ring = Ring.create(slots=12, slot_bytes=50_000_000)
    for _ in range(100):
        ring.release(put(ring, b"x" * 1_000_000))
    assert os.fstat(ring.fd).st_size > 600_000_000
    assert os.fstat(ring.fd).st_blocks * 512 < 1_200_000
    ring.close()


def test_ring_is_sealed_against_resizing(ring: Ring) -> None:
    for size in (0, 2 * os.fstat(ring.fd).st_size):
        with pytest.raises(PermissionError):
            os.ftruncate(ring.fd, size)


def test_attach_rejects_other_memory() -> None:
    fd = shared_memory("else", 8192)
    with pytest.raises(SlotError, match="no ring"):
        Ring.attach(fd)
    os.close(fd)


def test_anonymous_ring_serves_one_process() -> None:
    ring = Ring.anonymous(slots=2, slot_bytes=10)
    ref = put(ring, b"abc")
    assert bytes(ring.view(ref)[:3]) == b"abc"
    with pytest.raises(SlotError, match=r"Ring\.create"):
        _ = ring.fd
    ring.close()


def test_ring_close_leaves_no_descriptor_even_with_a_view() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    ring = Ring.create(slots=2, slot_bytes=10)
    pixels = np.frombuffer(ring.view(put(ring, b"abc")), np.uint8)
    ring.close()
    assert bytes(pixels[:3]) == b"abc"
    del ring, pixels
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_generations_count_all_commits_across_successors(ring: Ring) -> None:
    refs = [put(ring, b"") for _ in range(2)]
    ring.release(refs[0])
    successor = Ring.attach(os.dup(ring.fd))
    assert [ref.generation for ref in (*refs, put(successor, b""), put(successor, b""))] == [1, 2, 3, 4]
    assert ring.filled == 4
    successor.close()


def test_reclaim_releases_unreleased_slots_of_its_range_only(ring: Ring) -> None:
    refs = [put(ring, bytes([n])) for n in range(3)]
    ring.release(refs[0])
    assert ring.reclaim(1, 2) == 1
    assert not ring.holds(refs[1])
    assert bytes(ring.view(refs[2])[:1]) == b"\2"
    assert ring.reclaim(1, 2) == 0, "never twice"
    newer = [put(ring, b"new") for _ in range(2)][1]
    assert newer.slot == refs[1].slot
    ring.release(refs[1])  # a late reference does no harm where the slot was filled again
    assert bytes(ring.view(newer)[:3]) == b"new"


def test_peek_returns_the_latest_slot_with_a_note(ring: Ring) -> None:
    assert ring.peek(lambda note, data: (note, bytes(data))) is None
    for note, content in ((7, b"old"), (9, b"new")):
        claim = ring.claim(timeout_s=0)
        assert claim is not None
        claim[1][:3] = content
        ref = ring.commit(claim[0], note)
        last = ref
    ring.release(last)
    other = Ring.attach(os.dup(ring.fd))
    assert other.peek(lambda note, data: (note, bytes(data[:3]))) == (9, b"new")
    assert ring.claim(timeout_s=0) == (last.slot, ring._slot(last.slot))  # it is being written over
    assert other.peek(lambda note, data: (note, bytes(data[:3]))) == (7, b"old")
    other.close()


def test_peek_never_returns_a_torn_copy() -> None:
    ring = Ring.create(slots=2, slot_bytes=200_000)
    done = threading.Event()

    def write() -> None:
        n = 0
        while not done.is_set():
            n += 1
            claim = ring.claim(timeout_s=1)
            assert claim is not None
            pixels = np.frombuffer(claim[1], np.uint8)
            pixels[:100_000] = n % 251
            time.sleep(0)  # the reader may come between
            pixels[100_000:] = n % 251
            ring.release(ring.commit(claim[0], n))
            time.sleep(0.0005)

    writer = threading.Thread(target=write)
    writer.start()
    while ring.filled < 2:
        time.sleep(0)
    whole, end_s = [], time.monotonic() + 20
    while len({note for note, _ in whole}) < 20 and time.monotonic() < end_s:
        if (found := ring.peek(lambda note, data: (note, np.frombuffer(data, np.uint8).copy()))) is not None:
            whole.append(found)
        time.sleep(0)
    done.set()
    writer.join()
    ring.close()
    assert len({note for note, _ in whole}) == 20
    assert all((pixels == note % 251).all() for note, pixels in whole)
