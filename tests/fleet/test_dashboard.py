"""State of a fleet for the page, and where its pictures are."""

import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from fleet.watched import KEY, NORTH, SOUTH, watch

from stream_ocr.fleet.dashboard import FleetHosts
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.fleet.watcher import Watch
from stream_ocr.service.ticket import Tickets


def hosts(latest: Watch | None, trouble: str = "") -> FleetHosts:
    return FleetHosts(lambda: trouble, lambda: latest)


def test_picture_is_at_the_host_that_reads_the_camera_with_a_ticket() -> None:
    url = urlsplit(hosts(watch()).picture_url("local/gate", "320") or "")
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{NORTH}/picture"
    query = dict(parse_qsl(url.query))
    assert query["width"] == "320"
    assert Tickets(KEY.encode()).admits(url.path, query, time.time())
    assert (hosts(watch("south")).picture_url("local/gate", "320") or "").startswith(f"{SOUTH}/picture?")


@pytest.mark.parametrize("stream", ["local/yard", "local/roof", "local/nothing", "gate", "other/gate", ""])
def test_cameras_that_no_host_shows_have_no_picture(stream: str) -> None:
    assert hosts(watch()).picture_url(stream, "320") is None
    assert hosts(None).picture_url(stream, "320") is None


@pytest.mark.parametrize(
    "pictures", [None, "http://a:1; script-src *", "http://a:1 *", "javascript://a", "http://*:9560", "http://a/b", ""]
)
def test_what_is_no_origin_gets_neither_into_the_policy_nor_redirects(pictures: str | None) -> None:
    found = hosts(watch(north=pictures))
    assert found.picture_origins() == [SOUTH]
    assert found.picture_url("local/gate", "320") is None
    assert found.status()["cameras"]["local/gate"]["frame_number"] == 0, "the page asks for no picture"


def test_origins_are_those_of_all_hosts() -> None:
    assert hosts(watch()).picture_origins() == [NORTH, SOUTH]
    assert hosts(None).picture_origins() == []


def test_status_has_cameras_hosts_and_what_is_wrong() -> None:
    status = hosts(watch(), "no servers available").status()
    assert status["events"] == {"trouble": "no servers available"}
    cameras = {name: (each["state"], each["host"], each["frame_number"]) for name, each in status["cameras"].items()}
    assert cameras == {
        "local/gate": ("up", "north", 7),
        "local/yard": ("down", "south", 0),
        "local/roof": ("unassigned", None, 0),
    }
    assert [(each["name"], each["used_fps"], each["tags"]) for each in status["fleet"]["hosts"]] == [
        ("north", 25.0, ["GPU"]),
        ("south", 25.0, []),
    ]
    assert (status["fleet"]["moves"], status["fleet"]["silent_s"]) == (3, None)
    assert KEY not in str(status)


def test_status_says_that_the_controller_is_silent() -> None:
    silent = watch(answered_s=time.monotonic() - THRESHOLDS.silent_s - 5, mistake="There is no fleet.")
    fleet = hosts(silent).status()["fleet"]
    assert fleet["silent_s"] > THRESHOLDS.silent_s
    assert fleet["reason"] == "There is no fleet."
    assert hosts(None).status() == {"cameras": {}, "events": {"trouble": ""}, "fleet": None}
