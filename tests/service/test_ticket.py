"""Tickets for pictures."""

import pytest

from stream_ocr.service.thresholds import THRESHOLDS
from stream_ocr.service.ticket import Tickets

NOW_S = 1_795_000_000.0
TICKETS = Tickets(b"key of this fleet")


def test_ticket_admits_to_the_picture_of_its_camera_for_a_short_time():
    query = TICKETS.issue("gate/ünder&", NOW_S)
    assert TICKETS.admits("/picture", query | {"width": "320"}, NOW_S)
    assert TICKETS.admits("/picture", query, NOW_S + THRESHOLDS.ticket_s - 2), "clock of the host is ahead"
    assert TICKETS.admits("/picture", query, NOW_S - THRESHOLDS.ticket_s), "clock of the host is behind"
    assert not TICKETS.admits("/picture", query, NOW_S + THRESHOLDS.ticket_s)


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": "yard"},
        {"until": str(int(NOW_S) + THRESHOLDS.ticket_s - 1)},
        {"until": "²"},
        {"until": "9" * 5000},
        {"ticket": ""},
        {"ticket": "é"},
    ],
)
def test_ticket_admits_to_nothing_else(changes):
    query = TICKETS.issue("gate", NOW_S)
    assert not TICKETS.admits("/picture", query | changes, NOW_S)
    assert not TICKETS.admits("/live", query, NOW_S)
    assert not TICKETS.admits("/picture", {}, NOW_S)
    assert not Tickets(b"another key").admits("/picture", query, NOW_S)


def test_ticket_with_a_valid_signature_is_refused_if_it_lasts_for_too_long():
    later_s = NOW_S + 10 * THRESHOLDS.ticket_s
    assert not TICKETS.admits("/picture", TICKETS.issue("gate", later_s), NOW_S)
