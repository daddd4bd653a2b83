"""Checker of the history check: what publisher, store and clients say must fit together.

As in Jepsen, the processes log what they did while faults are injected, and the checker reads the logs afterwards.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import NamedTuple


class Seen(NamedTuple):
    """An event as a process saw it."""

    seq: int
    id: str
    durable: bool


class Life(NamedTuple):
    """A client between its start and its end: its position in the cursor, and what it processed."""

    position: int
    events: Sequence[Seen]


class History(NamedTuple):
    """All that was logged. stored: ids by ``seq`` at the end. damaged: ids that were overwritten in the file."""

    acknowledged: Sequence[Seen]
    stored: Mapping[int, str]
    damaged: Set[str]
    clients: Mapping[str, Sequence[Life]]


def check(history: History) -> list[str]:
    """Return the violations, none if all promises were kept."""
    return [*_check_store(history), *_check_clients(history)]


def _check_store(history: History) -> Iterable[str]:
    """Numbers without gaps; every event that was acknowledged as durable is there."""
    stored_ids = set(history.stored.values())
    if repeated := [id_ for id_, count in Counter(history.stored.values()).items() if count > 1]:
        yield f"stored more than once: {repeated[:5]}"
    damaged = {seen.seq for seen in history.acknowledged if seen.id in history.damaged}
    missing = sorted(set(range(max(history.stored, default=-1) + 1)) - history.stored.keys() - damaged)
    if missing:
        yield f"{len(missing)} gaps in the numbers of the store, the first at {missing[0]}"
    for seen in history.acknowledged:
        if seen.durable and seen.id not in stored_ids and seen.id not in history.damaged:
            yield f"event {seen.seq} ({seen.id}) was acknowledged as durable and is not stored"
    for seq, ids in _ids_by_seq(seen for seen in history.acknowledged if seen.durable).items():
        if len(ids) > 1:
            yield f"number {seq} was given to {len(ids)} durable events"


def _check_clients(history: History) -> Iterable[str]:
    for name, lives in history.clients.items():
        for violation in _check_client(history, lives):
            yield f"{name}: {violation}"


def _check_client(history: History, lives: Sequence[Life]) -> Iterable[str]:
    """Each stored event once and in order; again only after a kill, and only from its cursor on."""
    received = {seen.id for life in lives for seen in life.events}
    for seq, id_ in history.stored.items():
        if id_ not in received and id_ not in history.damaged:
            yield f"stored event {seq} ({id_}) was not received"
    stored_ids = set(history.stored.values())
    for life in lives:
        durable = [seen for seen in life.events if seen.durable]
        for seen in durable:
            if seen.id not in stored_ids and seen.id not in history.damaged:
                yield f"event {seen.seq} ({seen.id}) was received as durable and is not stored"
        kept = [seen.seq for seen in life.events if seen.id in stored_ids]
        if repeated := [seq for seq, count in Counter(kept).items() if count > 1]:
            yield f"{len(repeated)} events received twice by one process, the first is {repeated[0]}"
        if (late := _first_late(life.events, stored_ids)) is not None:
            yield f"event {late} was received after a later one that was durable"
        if kept and kept[0] <= life.position:
            yield f"event {kept[0]} was received again although the cursor was at {life.position}"


def _first_late(events: Iterable[Seen], stored_ids: Set[str]) -> int | None:
    """Return the first stored event that came after a later durable one."""
    last = -1
    for seen in events:
        if seen.seq < last and seen.id in stored_ids:
            return seen.seq
        if seen.durable:
            last = max(last, seen.seq)
    return None


def _ids_by_seq(events: Iterable[Seen]) -> dict[int, set[str]]:
    ids: dict[int, set[str]] = {}
    for seen in events:
        ids.setdefault(seen.seq, set()).add(seen.id)
    return ids


def read_acknowledged(lines: Iterable[str]) -> list[Seen]:
    """Return the events in the log of a publisher."""
    return [_seen(words) for words in map(str.split, lines) if words[0] == "ack"]


def read_lives(lines: Iterable[str]) -> list[Life]:
    """Return the lives of a client from its log."""
    lives: list[Life] = []
    for words in map(str.split, lines):
        if words[0] == "start":
            events: list[Seen] = []
            lives.append(Life(int(words[1]), events))
        else:
            events.append(_seen(words))
    return lives


def _seen(words: Sequence[str]) -> Seen:
    return Seen(int(words[1]), words[2], words[3] == "True")
