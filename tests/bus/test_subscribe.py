"""Subscriptions on real sockets: each event once and in order, across restarts of both sides."""

import asyncio
import os
import re
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from stream_ocr.bus import curve_keys
from stream_ocr.bus.journal import open_journal
from stream_ocr.client import crop, subscribe
from stream_ocr.errors import SubscribeError
from stream_ocr.events import SourceEvent
from stream_ocr.store.reader import StoreReader
from stream_ocr.testing import published_event

WAIT_S = 20.0


def take(subscription, count):
    """Return the next events; fail if they do not arrive."""
    events = []
    while len(events) < count:
        event = subscription.receive(WAIT_S)
        assert event is not None, f"only {events} came"
        events.append(event)
    return events


def synced(subscription):
    """Return the subscription once it is synced."""
    while not subscription.synced:
        assert subscription.receive(0.05) is None
    return subscription


def texts(events):
    return [event.text for event in events]


def test_subscription_yields_events_as_committed(journal, endpoint, commit):
    with synced(subscribe(endpoint)) as subscription:
        sent = commit(journal, "GATE 4", "GATE 5")
        gap = SourceEvent(
            id="x", seq=journal.next_seq("gate"), kind="source.gap", stream="gate", frames=3, durable=True
        )
        journal.commit([gap])
        assert take(subscription, 3) == [*sent, gap]
        assert subscription.receive(1.5) is None, "nothing comes twice"
        assert subscription.connected


@pytest.mark.parametrize(
    ("since", "expected"),
    [("start", ["A", "B", "C"]), (1, ["B", "C"]), ("now", []), ("snapshot", ["B", "C"])],
)
def test_subscription_starts_at_since_and_misses_nothing(journal, endpoint, commit, since, expected):
    commit(journal, "A", "B", track=1)
    commit(journal, "C", track=2)
    with synced_with_events(subscribe(endpoint, since=since)) as subscription:
        commit(journal, "D", track=3)
        assert texts(take(subscription, len(expected) + 1)) == [*expected, "D"]
        assert subscription.receive(1.2) is None


def synced_with_events(subscription):
    while not subscription.synced:
        subscription.wait(0.05)
    return subscription


def test_since_accepts_a_time(journal, endpoint, commit):
    start = datetime.now(UTC)
    for hours in range(4):
        commit(journal, f"H{hours}", emitted_utc=start + timedelta(hours=hours))
    with subscribe(endpoint, since=start + timedelta(hours=2)) as subscription:
        assert texts(take(subscription, 2)) == ["H2", "H3"]


def test_snapshot_leaves_out_ended_texts(journal, endpoint, commit):
    commit(journal, "GONE", track=1)
    commit(journal, "GONE", track=1, kind="ended", end=2.0)
    commit(journal, "HERE", track=2)
    commit(journal, "THERE", stream="hall")
    with subscribe(endpoint, since="snapshot") as subscription:
        assert sorted(texts(take(subscription, 2))) == ["HERE", "THERE"]
        assert subscription.receive(1.2) is None


def test_subscription_filters_streams_kinds_and_text(journal, endpoint, commit):
    wanted = [
        subscribe(endpoint, since="start", streams="hall"),
        subscribe(endpoint, since="start", kinds=["changed", "ended"]),
        subscribe(endpoint, since="start", text=r"^GATE \d"),
        subscribe(endpoint, since="start", text=re.compile("gate", re.IGNORECASE), streams=["gate"]),
    ]
    commit(journal, "GATE 4", "Gate")
    commit(journal, "GATE 5", kind="changed")
    commit(journal, "EXIT", "GATE 9", stream="hall")
    expected = [["EXIT", "GATE 9"], ["GATE 5"], ["GATE 4", "GATE 5", "GATE 9"], ["GATE 4", "GATE 5", "Gate"]]
    for subscription, its in zip(wanted, expected, strict=True):
        with subscription:
            assert sorted(texts(take(subscription, len(its)))) == its
            assert subscription.receive(0.3) is None


def test_stream_filter_distinguishes_names_with_a_common_prefix(journal, endpoint, commit):
    with subscribe(endpoint, since="start", streams="gate") as subscription:
        commit(journal, "OTHER", stream="gate/2")
        commit(journal, "MINE")
        assert texts(take(subscription, 1)) == ["MINE"]
        assert subscription.receive(1.2) is None


def test_cursor_resumes_at_its_position(settings, endpoint, commit, tmp_path):
    cursor = tmp_path / "cursor"
    with open_journal(settings()) as journal:
        commit(journal, "A", "B", "C")
        with subscribe(endpoint, since="start", cursor=cursor) as subscription:
            assert texts(take(subscription, 2)) == ["A", "B"]
        commit(journal, "D")
    with open_journal(settings()) as journal:
        commit(journal, "E")
        commit(journal, "X", stream="new")
        with subscribe(endpoint, cursor=cursor) as subscription:
            assert sorted(texts(take(subscription, 4))) == ["C", "D", "E", "X"]
            assert subscription.receive(1.2) is None


@pytest.mark.parametrize("before", [["A"], []])
def test_cursor_keeps_the_initial_position_before_the_first_event(journal, endpoint, commit, tmp_path, before):
    cursor = tmp_path / "cursor"
    commit(journal, *before)
    with subscribe(endpoint, cursor=cursor) as subscription:
        while not subscription.synced:
            subscription.wait(0.1)
        assert subscription.receive(0) is None
    commit(journal, "B")
    with subscribe(endpoint, cursor=cursor) as subscription:
        assert texts(take(subscription, 1)) == ["B"]


def test_cursor_takes_precedence_over_a_snapshot(journal, endpoint, commit, tmp_path):
    commit(journal, "A", "B", "C")
    for track, text in enumerate(["D", "E"]):
        commit(journal, text, track=10 + track)
    with subscribe(endpoint, since="snapshot", cursor=tmp_path / "cursor") as subscription:
        assert texts(take(subscription, 3)) == ["C", "D", "E"]
    commit(journal, "F")
    with subscribe(endpoint, since="snapshot", cursor=tmp_path / "cursor") as subscription:
        assert texts(take(subscription, 1)) == ["F"]


def test_subscription_requests_events_missed_while_the_publisher_was_down(settings, endpoint, commit):
    with subscribe(endpoint, since="start") as subscription:
        for names in (["A", "B"], ["C"], ["D", "E"]):
            with open_journal(settings()) as journal:
                commit(journal, *names)
                got = texts(take(subscription, len(names)))
                assert got == names
        assert [subscription.lost, subscription.receive(0.2)] == [0, None]


def test_subscription_misses_nothing_when_the_bus_is_killed_and_restarted(journal, endpoint, commit):
    with synced(subscribe(endpoint)) as subscription:
        commit(journal, "A")
        assert texts(take(subscription, 1)) == ["A"]
        os.kill(journal.bus_pid, signal.SIGKILL)
        names = [f"N{n}" for n in range(400)]
        for name in names:
            commit(journal, name)
            subscription.wait(0.02)
        assert texts(take(subscription, len(names))) == names


def test_bus_that_was_killed_is_restarted_while_there_are_no_events(journal, endpoint, commit):
    killed = journal.bus_pid
    os.kill(killed, signal.SIGKILL)
    waiting = threading.Event()
    while journal.bus_pid in (killed, None):
        journal.commit([])  # as for each frame without events
        waiting.wait(0.05)
    with synced(subscribe(endpoint)) as subscription:
        commit(journal, "A")
        assert texts(take(subscription, 1)) == ["A"]


def test_replay_spans_several_pages(journal, endpoint, commit):
    for start in range(0, 5000, 500):
        commit(journal, *(f"N{n}" for n in range(start, start + 500)))
    with subscribe(endpoint, since="start") as subscription:
        assert [event.seq for event in take(subscription, 5000)] == list(range(5000))


def test_messagepack_events_equal_json_events(settings, endpoint, commit):
    with (
        open_journal(settings("socket.format=msgpack")) as journal,
        synced(subscribe(endpoint)) as subscription,
    ):
        sent = commit(journal, "ÜBERGANG")
        assert take(subscription, 1) == sent


@pytest.mark.parametrize("texts_", [("X" * 100_000,), ("A", "X" * 100_000, "B")])
def test_events_larger_than_a_packet_arrive(journal, endpoint, commit, texts_):
    with synced(subscribe(endpoint)) as subscription:
        bus = journal.bus_pid
        sent = commit(journal, *texts_)
        assert take(subscription, len(sent)) == sent
        commit(journal, "AFTER")
        assert texts(take(subscription, 1)) == ["AFTER"]
        assert journal.bus_pid == bus


def test_subscription_iterates_asynchronously(journal, endpoint, commit):
    async def main():
        got = []
        with subscribe(endpoint, since="start") as subscription:
            async for event in subscription:
                got.append(event.text)
                if len(got) == 2:
                    commit(journal, "C")
                if len(got) == 3:
                    return got

    commit(journal, "A", "B")
    assert asyncio.run(asyncio.wait_for(main(), WAIT_S)) == ["A", "B", "C"]


def test_crop_returns_the_stored_image_of_an_event(settings, endpoint, tmp_path):
    for name in ("server", "alice"):
        curve_keys.create_keys(tmp_path / "keys", name)
    shown = {"key": tmp_path / "keys" / "alice.key_secret", "server_key": tmp_path / "keys" / "server.key"}
    with open_journal(settings(f"socket.keys={tmp_path}/keys")) as journal:
        first, second = published_event(0), published_event(1)
        journal.commit([first, second], {first.id: b"a picture"})
        assert crop(first, endpoint, **shown) == b"a picture"
        assert crop(second, endpoint, **shown) is None
        with pytest.raises(SubscribeError, match="does not answer; are keys needed there"):
            crop(first, endpoint, timeout_s=0.5)


def test_subscription_survives_a_store_that_is_deleted_and_recreated(journal, endpoint, commit, tmp_path):
    with subscribe(endpoint, since="start") as subscription:
        commit(journal, "A")
        got = take(subscription, 1)
        (tmp_path / "events.db").unlink()
        deadline = time.monotonic() + 30
        while not (tmp_path / "events.db").exists() and time.monotonic() < deadline:
            commit(journal, "B")
            time.sleep(0.1)
        while not all(event.durable for event in commit(journal, "C")) and time.monotonic() < deadline:
            time.sleep(0.1)
        commit(journal, "D")
        while got[-1].text != "D":
            got += take(subscription, 1)
    with StoreReader(tmp_path / "events.db") as store:
        kept = list(store.events())
    assert kept[-1].text == "D"
    assert [event.seq for event in kept] == list(range(kept[0].seq, got[-1].seq + 1)), "numbers go on"
    assert {event.durable for event in kept} == {True, False}
    seqs = [event.seq for event in got]
    assert sorted(set(seqs)) == list(range(seqs[-1] + 1))


def test_subscription_starts_again_with_another_store(settings, endpoint, commit, tmp_path):
    cursor = tmp_path / "cursor"
    with subscribe(endpoint, since="start", cursor=cursor) as subscription:
        with open_journal(settings()) as journal:
            commit(journal, "A", "B")
            assert texts(take(subscription, 2)) == ["A", "B"]
        for file in tmp_path.glob("events.db*"):
            file.unlink()
        with open_journal(settings()) as journal:
            commit(journal, "C")
            assert texts(take(subscription, 1)) == ["C"]


def test_cursor_position_of_another_store_is_ignored(settings, endpoint, commit, tmp_path):
    cursor = tmp_path / "cursor"
    with subscribe(endpoint, since="start", cursor=cursor) as late:
        with open_journal(settings()) as journal:
            commit(journal, "A", "B", "C")
            assert texts(take(late, 1)) == ["A"]
            wait(late, 1.5)
        for file in tmp_path.glob("events.db*"):
            file.unlink()
        with open_journal(settings()) as journal:
            commit(journal, "D")
            wait(late, 3.0)  # by then it knows of the other store
            assert texts(take(late, 1)) == ["B"]
    with open_journal(settings()) as journal, subscribe(endpoint, cursor=cursor) as again:
        assert texts(take(again, 1)) == ["D"]


def wait(subscription, timeout_s):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        subscription.wait(0.1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"endpoint": "127.0.0.1:5560"}, "is no endpoint"),
        ({"text": "("}, "no regular expression"),
        ({"since": "yesterday"}, 'use "now"'),
        ({"since": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001
        ({"kinds": "gone"}, "There are no events of kind 'gone'; there are appeared, changed"),
        ({"key": "a.key_secret"}, "go together"),
        ({"key": "/none/a.key_secret", "server_key": "/none/server.key"}, "cannot be read"),
        ({"cursor": "/none/place"}, "cannot be written"),
    ],
)
def test_subscribe_reports_wrong_arguments_in_one_sentence(arguments, sentence):
    with pytest.raises(SubscribeError, match=sentence):
        subscribe(**arguments)


def test_closed_subscription_ends_iteration(journal, endpoint):
    subscription = subscribe(endpoint)
    subscription.close()
    subscription.close()
    assert list(subscription) == []
