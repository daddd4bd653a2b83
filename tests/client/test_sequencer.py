"""Gaps, repeats and late answers, without sockets."""

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
from stream_ocr.testing import published_event


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def joined(since="now", last=None, clock=None, **more):
    follower = Sequencer(since, clock=clock or Clock(), **more)
    (request,) = follower.requests()
    assert isinstance(request, StreamsRequest)
    follower.take_reply(StreamsReply(id=request.id, store="s", streams={"gate": 9} if last is None else last))
    assert follower.ready.popleft().event is None  # where things stand
    return follower


def publish(follower, *seqs, stream="gate"):
    for seq in seqs:
        follower.take_event(published_event(seq, stream=stream).to_json())


def beat(follower, last, store="s"):
    follower.take_heartbeat(Heartbeat(store=store, sent_utc=datetime.now(UTC), streams={"gate": last}))


def answer(follower, request, *seqs, through, last, store="s"):
    events = [msgspec.Raw(published_event(seq, stream=request.stream).to_json()) for seq in seqs]
    follower.take_reply(
        ReplayReply(id=request.id, store=store, stream=request.stream, events=events, through=through, last=last)
    )


def ready(follower):
    seqs = [entry.event.seq for entry in follower.ready if entry.event is not None]
    follower.ready.clear()
    return seqs


def test_what_comes_in_order_is_handed_over():
    follower = joined()
    publish(follower, 10, 11, 12)
    assert ready(follower) == [10, 11, 12]
    assert list(follower.requests()) == []


def test_repeats_are_dropped():
    follower = joined()
    publish(follower, 8, 9, 10, 10, 9, 11)
    assert ready(follower) == [10, 11]


def test_what_comes_before_it_knows_where_things_stand_is_kept():
    follower = Sequencer("now")
    (request,) = follower.requests()
    publish(follower, 8, 9, 10, 11)
    assert ready(follower) == []
    follower.take_reply(StreamsReply(id=request.id, store="s", streams={"gate": 9}))
    assert ready(follower) == [10, 11]


def test_a_gap_is_asked_for_and_what_follows_waits():
    follower = joined()
    publish(follower, 10, 13)
    assert ready(follower) == [10]
    (request,) = follower.requests()
    assert request == ReplayRequest(id=request.id, stream="gate", after=10)
    publish(follower, 14)
    assert list(follower.requests()) == [], "asked once"
    answer(follower, request, 11, 12, 13, through=13, last=13)
    assert ready(follower) == [11, 12, 13, 14]
    assert follower.missing == 0


def test_a_heartbeat_tells_of_a_gap_at_the_end():
    follower = joined()
    beat(follower, 11)
    (request,) = follower.requests()
    answer(follower, request, 10, through=10, last=11)
    (request,) = follower.requests()
    assert request.after == 10
    answer(follower, request, 11, through=11, last=11)
    assert ready(follower) == [10, 11]


def test_a_question_without_an_answer_is_asked_again_and_late_answers_do_no_harm(clock):
    follower = joined(clock=clock)
    publish(follower, 11)
    (request,) = follower.requests()
    clock.now = 1.0
    assert list(follower.requests()) == []
    clock.now = 3.0
    assert list(follower.requests()) == [request]
    for _ in range(2):
        answer(follower, request, 10, 11, through=11, last=11)
    assert ready(follower) == [10, 11]


def test_an_error_is_asked_again_later(clock):
    follower = joined(clock=clock)
    beat(follower, 10)
    (request,) = follower.requests()
    follower.take_reply(ErrorReply(id=request.id, reason="busy"))
    assert list(follower.requests()) == []
    clock.now = 3.0
    assert list(follower.requests()) == [request]


def test_what_is_no_longer_kept_is_counted():
    follower = joined()
    beat(follower, 15)
    (request,) = follower.requests()
    answer(follower, request, 13, 14, 15, through=15, last=15)
    assert ready(follower) == [13, 14, 15]
    assert follower.missing == 3


def test_what_was_never_stored_is_taken_as_it_came():
    follower = joined()
    publish(follower, 12, 13)  # 10 and 11 went by while the disk was full
    (request,) = follower.requests()
    answer(follower, request, through=9, last=9)
    assert ready(follower) == [12, 13]
    assert follower.missing == 2
    assert list(follower.requests()) == []


def test_a_stream_that_begins_later_is_had_from_its_start():
    follower = joined()
    publish(follower, 2, stream="hall")
    (request,) = follower.requests()
    assert (request.stream, request.after) == ("hall", -1)
    answer(follower, request, 0, 1, 2, through=2, last=2)
    assert ready(follower) == [0, 1, 2]


@pytest.mark.parametrize(("since", "after"), [("start", -1), (4, 3), (0, -1)])
def test_from_where_to_begin(since, after):
    follower = joined(since)
    (request,) = follower.requests()
    assert request.after == after


def test_a_place_counts_more_than_since():
    follower = joined("now", {"gate": 9, "hall": 3}, places={"gate": 5}, store="s")
    assert [(request.stream, request.after) for request in follower.requests()] == [("gate", 5), ("hall", -1)]


def test_a_snapshot_on_two_pages():
    follower = Sequencer("snapshot")
    for page, following in ((["gate"], "gate"), (["hall"], None)):
        (request,) = follower.requests()
        events = [msgspec.Raw(published_event(7, stream=name).to_json()) for name in page]
        follower.take_reply(
            SnapshotReply(id=request.id, store="s", streams=dict.fromkeys(page, 9), events=events, next=following)
        )
        assert follower.joined == (following is None)
    publish(follower, 9, 10)
    publish(follower, 10, stream="hall")
    told = [(entry.event and (entry.event.stream, entry.event.seq), entry.places) for entry in follower.ready]
    assert told == [
        (("gate", 7), None),
        (("hall", 7), None),
        (None, {"gate": 9, "hall": 9}),
        (("gate", 10), {"gate": 10}),
        (("hall", 10), {"hall": 10}),
    ], "one who is killed before all that is in sight was dealt with begins with it again"


def test_only_streams_that_are_wanted_are_asked_for():
    follower = joined("start", {"gate": 9, "hall": 3}, streams={"hall"})
    publish(follower, 10)
    assert [request.stream for request in follower.requests()] == ["hall"]


def test_another_store_begins_anew():
    follower = joined()
    beat(follower, 1, store="other")
    (request,) = follower.requests()
    assert request.after == -1


def test_a_store_that_is_another_by_the_time_it_answers_begins_anew():
    follower = joined()
    beat(follower, 11)
    (request,) = follower.requests()
    answer(follower, request, 10, through=10, last=10, store="other")
    assert ready(follower) == []
    (request,) = follower.requests()
    assert request.after == -1
    answer(follower, request, *range(11), through=10, last=10, store="other")
    assert ready(follower) == list(range(11))
    assert follower.missing == 0


def test_what_the_old_store_was_asked_is_forgotten(clock):
    follower = joined(clock=clock)
    beat(follower, 11)
    (old,) = follower.requests()
    beat(follower, 11, store="other")
    (new,) = follower.requests()
    assert (new.after, new.id != old.id) == (-1, True)
    answer(follower, old, 10, 11, through=11, last=11)
    assert ready(follower) == [], "too late"
    clock.now = 3.0
    assert list(follower.requests()) == [new]


def test_what_is_ready_says_of_which_store_its_place_is():
    follower = joined()
    publish(follower, 10)
    beat(follower, 0, store="other")
    (request,) = follower.requests()
    answer(follower, request, 0, through=0, last=0, store="other")
    assert [(entry.store, entry.places) for entry in follower.ready] == [("s", {"gate": 10}), ("other", {"gate": 0})]


def test_a_publisher_that_lost_its_last_events_counts_them_anew():
    follower = joined()
    for _ in range(3):
        beat(follower, 5)
    publish(follower, 6)
    assert ready(follower) == [6]


def test_one_who_does_not_listen_asks_for_nothing_more():
    follower = joined("start", {"gate": 5000})
    (request,) = follower.requests()
    answer(follower, request, *range(2500), through=2499, last=5000)
    assert list(follower.requests()) == []
    assert len(ready(follower)) == 2500
    assert len(list(follower.requests())) == 1


def test_a_kind_that_is_not_known_yet_makes_no_gap():
    follower = joined()
    follower.take_event(b'{"schema":1,"seq":10,"kind":"translated","stream":"gate"}')
    publish(follower, 11)
    told = [(entry.places, entry.event is None) for entry in follower.ready]
    assert told == [({"gate": 10}, True), ({"gate": 11}, False)]
