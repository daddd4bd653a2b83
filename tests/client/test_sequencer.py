"""Gaps, duplicates and late replies, without sockets."""

from datetime import UTC, datetime

import msgspec
import pytest

from stream_ocr.bus.protocol import (
    ErrorReply,
    Heartbeat,
    ReplayReply,
    ReplayRequest,
    SnapshotReply,
    StreamsReply,
    StreamsRequest,
)
from stream_ocr.client.sequencer import Sequencer
from stream_ocr.errors import SubscribeError
from stream_ocr.testing import published_event


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def synced_sequencer(since="now", last=None, clock=None, **more):
    sequencer = Sequencer(since, clock=clock or Clock(), **more)
    (request,) = sequencer.requests()
    assert isinstance(request, StreamsRequest)
    sequencer.handle_reply(StreamsReply(id=request.id, store="s", streams={"gate": 9} if last is None else last))
    assert sequencer.ready.popleft().event is None  # the initial positions
    return sequencer


def publish(sequencer, *seqs, stream="gate"):
    for seq in seqs:
        sequencer.handle_event(published_event(seq, stream=stream).to_json())


def heartbeat(sequencer, last, store="s"):
    sequencer.handle_heartbeat(Heartbeat(store=store, sent_utc=datetime.now(UTC), streams={"gate": last}))


def reply(sequencer, request, *seqs, through, last, store="s"):
    reply_with(sequencer, request, [published_event(seq, stream=request.stream) for seq in seqs], through, last, store)


def reply_with(sequencer, request, events, through, last, store="s"):
    events = [msgspec.Raw(event.to_json()) for event in events]
    sequencer.handle_reply(
        ReplayReply(id=request.id, store=store, stream=request.stream, events=events, through=through, last=last)
    )


def ready(sequencer):
    seqs = [entry.event.seq for entry in sequencer.ready if entry.event is not None]
    sequencer.ready.clear()
    return seqs


def test_sequencer_delivers_events_in_order():
    sequencer = synced_sequencer()
    publish(sequencer, 10, 11, 12)
    assert ready(sequencer) == [10, 11, 12]
    assert list(sequencer.requests()) == []


def test_sequencer_drops_duplicates():
    sequencer = synced_sequencer()
    publish(sequencer, 8, 9, 10, 10, 9, 11)
    assert ready(sequencer) == [10, 11]


def test_sequencer_keeps_events_that_arrive_before_it_is_synced():
    sequencer = Sequencer("now")
    (request,) = sequencer.requests()
    publish(sequencer, 8, 9, 10, 11)
    assert ready(sequencer) == []
    sequencer.handle_reply(StreamsReply(id=request.id, store="s", streams={"gate": 9}))
    assert ready(sequencer) == [10, 11]


def test_sequencer_requests_a_gap_and_holds_later_events():
    sequencer = synced_sequencer()
    publish(sequencer, 10, 13)
    assert ready(sequencer) == [10]
    (request,) = sequencer.requests()
    assert request == ReplayRequest(id=request.id, stream="gate", after=10)
    publish(sequencer, 14)
    assert list(sequencer.requests()) == [], "asked once"
    reply(sequencer, request, 11, 12, 13, through=13, last=13)
    assert ready(sequencer) == [11, 12, 13, 14]
    assert sequencer.lost == 0


def test_sequencer_finds_a_gap_at_the_end_by_heartbeat():
    sequencer = synced_sequencer()
    heartbeat(sequencer, 11)
    (request,) = sequencer.requests()
    reply(sequencer, request, 10, through=10, last=11)
    (request,) = sequencer.requests()
    assert request.after == 10
    reply(sequencer, request, 11, through=11, last=11)
    assert ready(sequencer) == [10, 11]


def test_sequencer_repeats_requests_without_reply_and_ignores_late_replies(clock):
    sequencer = synced_sequencer(clock=clock)
    publish(sequencer, 11)
    (request,) = sequencer.requests()
    clock.now = 1.0
    assert list(sequencer.requests()) == []
    clock.now = 3.0
    assert list(sequencer.requests()) == [request]
    for _ in range(2):
        reply(sequencer, request, 10, 11, through=11, last=11)
    assert ready(sequencer) == [10, 11]


def test_sequencer_repeats_a_request_after_an_error(clock):
    sequencer = synced_sequencer(clock=clock)
    heartbeat(sequencer, 10)
    (request,) = sequencer.requests()
    sequencer.handle_reply(ErrorReply(id=request.id, reason="busy"))
    assert list(sequencer.requests()) == []
    clock.now = 3.0
    assert list(sequencer.requests()) == [request]


def test_sequencer_counts_events_that_are_no_longer_stored():
    sequencer = synced_sequencer()
    heartbeat(sequencer, 15)
    (request,) = sequencer.requests()
    reply(sequencer, request, 13, 14, 15, through=15, last=15)
    assert ready(sequencer) == [13, 14, 15]
    assert sequencer.lost == 3


def test_sequencer_delivers_events_that_were_never_stored():
    sequencer = synced_sequencer()
    publish_not_stored(sequencer, 12, 13)  # 10 and 11 were published while the disk was full
    (request,) = sequencer.requests()
    reply(sequencer, request, through=9, last=9)
    assert ready(sequencer) == [12, 13]
    assert list(sequencer.requests()) == []
    publish(sequencer, 14)  # there were too many to be kept in memory
    (request,) = sequencer.requests()
    reply(sequencer, request, 14, through=14, last=14)
    assert ready(sequencer) == [14]
    assert sequencer.lost == 2


def test_sequencer_delivers_a_later_stream_from_its_first_event():
    sequencer = synced_sequencer()
    publish(sequencer, 2, stream="hall")
    (request,) = sequencer.requests()
    assert (request.stream, request.after) == ("hall", -1)
    reply(sequencer, request, 0, 1, 2, through=2, last=2)
    assert ready(sequencer) == [0, 1, 2]


@pytest.mark.parametrize(("since", "after"), [("start", -1), (4, 3), (0, -1)])
def test_sequencer_starts_at_since(since, after):
    sequencer = synced_sequencer(since)
    (request,) = sequencer.requests()
    assert request.after == after


def test_sequencer_prefers_positions_to_since():
    sequencer = synced_sequencer("now", {"gate": 9, "hall": 3}, positions={"gate": 5}, store="s")
    assert [(request.stream, request.after) for request in sequencer.requests()] == [("gate", 5), ("hall", -1)]


def test_sequencer_handles_a_snapshot_of_two_pages():
    sequencer = Sequencer("snapshot")
    for page, following in ((["gate"], "gate"), (["hall"], None)):
        (request,) = sequencer.requests()
        events = [msgspec.Raw(published_event(7, stream=name).to_json()) for name in page]
        sequencer.handle_reply(
            SnapshotReply(id=request.id, store="s", streams=dict.fromkeys(page, 9), events=events, next=following)
        )
        assert sequencer.synced == (following is None)
    publish(sequencer, 9, 10)
    publish(sequencer, 10, stream="hall")
    found = [(entry.event and (entry.event.stream, entry.event.seq), entry.positions) for entry in sequencer.ready]
    assert found == [
        (("gate", 7), None),
        (("hall", 7), None),
        (None, {"gate": 9, "hall": 9}),
        (("gate", 10), {"gate": 10}),
        (("hall", 10), {"hall": 10}),
    ], "a subscriber that is killed before it processed the snapshot starts with it again"


def test_sequencer_requests_only_wanted_streams():
    sequencer = synced_sequencer("start", {"gate": 9, "hall": 3}, streams={"hall"})
    publish(sequencer, 10)
    assert [request.stream for request in sequencer.requests()] == ["hall"]


def test_sequencer_starts_again_when_a_heartbeat_names_another_store():
    sequencer = synced_sequencer()
    heartbeat(sequencer, 1, store="other")
    (request,) = sequencer.requests()
    assert request.after == -1


def test_sequencer_starts_again_when_a_reply_names_another_store():
    sequencer = synced_sequencer()
    heartbeat(sequencer, 11)
    (request,) = sequencer.requests()
    reply(sequencer, request, 10, through=10, last=10, store="other")
    assert ready(sequencer) == []
    (request,) = sequencer.requests()
    assert request.after == -1
    reply(sequencer, request, *range(11), through=10, last=10, store="other")
    assert ready(sequencer) == list(range(11))
    assert sequencer.lost == 0


def test_sequencer_drops_requests_to_the_old_store(clock):
    sequencer = synced_sequencer(clock=clock)
    heartbeat(sequencer, 11)
    (old,) = sequencer.requests()
    heartbeat(sequencer, 11, store="other")
    (new,) = sequencer.requests()
    assert (new.after, new.id != old.id) == (-1, True)
    reply(sequencer, old, 10, 11, through=11, last=11)
    assert ready(sequencer) == [], "too late"
    clock.now = 3.0
    assert list(sequencer.requests()) == [new]


def test_delivery_names_the_store_of_its_positions():
    sequencer = synced_sequencer()
    publish(sequencer, 10)
    heartbeat(sequencer, 0, store="other")
    (request,) = sequencer.requests()
    reply(sequencer, request, 0, through=0, last=0, store="other")
    assert [(entry.store, entry.positions) for entry in sequencer.ready] == [
        ("s", {"gate": 10}),
        ("other", {"gate": 0}),
    ]


def test_sequencer_follows_a_publisher_that_lost_its_last_events():
    sequencer = synced_sequencer()
    for _ in range(3):
        heartbeat(sequencer, 5)
    publish(sequencer, 6)
    assert ready(sequencer) == [6]


def test_sequencer_requests_nothing_while_many_events_are_ready():
    sequencer = synced_sequencer("start", {"gate": 5000})
    (request,) = sequencer.requests()
    reply(sequencer, request, *range(2500), through=2499, last=5000)
    assert list(sequencer.requests()) == []
    assert len(ready(sequencer)) == 2500
    assert len(list(sequencer.requests())) == 1


def test_sequencer_skips_unknown_kinds_without_a_gap():
    sequencer = synced_sequencer()
    sequencer.handle_event(b'{"schema":1,"seq":10,"kind":"translated","stream":"gate"}')
    publish(sequencer, 11)
    found = [(entry.positions, entry.event is None) for entry in sequencer.ready]
    assert found == [({"gate": 10}, True), ({"gate": 11}, False)]


def test_sequencer_refuses_a_newer_schema_and_keeps_its_position():
    sequencer = synced_sequencer()
    with pytest.raises(SubscribeError, match="have schema 3, but this program reads schema 2; install"):
        sequencer.handle_event(b'{"schema":3,"seq":10,"kind":"appeared","stream":"gate","words":[]}')
    assert list(sequencer.ready) == []


def not_stored(seq):
    return msgspec.structs.replace(published_event(seq, durable=False), id=f"not stored {seq}")


def publish_not_stored(sequencer, *seqs):
    for seq in seqs:
        sequencer.handle_event(not_stored(seq).to_json())


def positions(sequencer):
    return [entry.positions for entry in sequencer.ready]


def test_sequencer_delivers_nothing_twice_that_is_stored_later():
    """The disk has room again: the events that waited are stored under their numbers."""
    sequencer = synced_sequencer()
    publish_not_stored(sequencer, 10, 11)
    assert positions(sequencer) == [None, None]
    assert ready(sequencer) == [10, 11]
    publish(sequencer, 12)
    assert ready(sequencer) == []
    (request,) = sequencer.requests()
    assert request.after == 9
    reply_with(sequencer, request, [not_stored(10), not_stored(11), published_event(12)], 12, 12)
    assert positions(sequencer) == [{"gate": 10}, {"gate": 11}, {"gate": 12}]
    assert ready(sequencer) == [12]


@pytest.mark.parametrize(("first", "after"), [(10, 10), (12, 9)])
def test_sequencer_delivers_events_that_got_the_numbers_of_events_that_were_never_stored(first, after):
    """The publisher was killed while its disk was full; its successor counts on from what is stored."""
    sequencer = synced_sequencer()
    publish_not_stored(sequencer, 10, 11)
    assert ready(sequencer) == [10, 11]
    publish(sequencer, first)
    publish(sequencer, 12)
    (request,) = sequencer.requests()
    assert request.after == after
    reply(sequencer, request, 10, 11, 12, through=12, last=12)
    assert ready(sequencer) == [10, 11, 12]
    assert sequencer.lost == 0


def test_sequencer_forgets_a_request_for_what_follows_events_that_were_not_stored():
    sequencer = synced_sequencer()
    publish_not_stored(sequencer, 10, 11)
    publish(sequencer, 14)  # not the next one
    (request,) = sequencer.requests()
    assert request.after == 9
    publish_not_stored(sequencer, 12)
    assert ready(sequencer) == [10, 11]
    reply(sequencer, request, *range(10, 15), through=14, last=14)
    assert ready(sequencer) == [10, 11, 12, 13, 14]


def test_sequencer_resumes_with_events_that_were_processed_but_not_stored():
    sequencer = Sequencer("now", {"gate": 9}, provisional={"gate": {10: "not stored 10"}}, store="s", clock=Clock())
    (request,) = sequencer.requests()
    sequencer.handle_reply(StreamsReply(id=request.id, store="s", streams={"gate": 11}))
    (request,) = sequencer.requests()
    assert request.after == 9
    reply_with(sequencer, request, [not_stored(10), published_event(11)], 11, 11)
    assert ready(sequencer) == [11]
