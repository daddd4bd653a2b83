"""A fleet on a real Ray cluster of three nodes, with faults."""

import http.client
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

pytest.importorskip("ray")
from fleet.cluster import Fleet, all_read, node, processes, render_camera, started_cluster
from fleet.fleet_page import opened_page
from sinks.nats_server import NATS, Server
from sinks.server_process import eventually

from stream_ocr.errors import SettingsError, WorkerError
from stream_ocr.fleet import client
from stream_ocr.fleet.thresholds import THRESHOLDS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(NATS is None, reason="needs a server: apt-get install nats-server"),
]
CAMERAS = 6
AWAY_S = 6.0


@pytest.fixture(autouse=True)
def check_leaks():
    """Leave the processes of the cluster alone; ``fleet`` ends them."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Iterator[Fleet]:
    """Six cameras on three hosts, each of which has room for four."""
    folder: Path = tmp_path_factory.mktemp("fleet")
    render_camera(folder / "camera.mp4", 600.0)
    with Server(folder / "nats") as server, started_cluster(40) as cluster:
        for _ in range(2):
            cluster.add_node(**node(40))
        cluster.wait_for_nodes()
        fleet = Fleet(folder, cluster, server, folder / "camera.mp4", CAMERAS)
        yield fleet


def assignments(fleet: Fleet) -> dict[str, int | None]:
    return {name: camera.assignment for name, camera in fleet.status().cameras.items()}


def test_each_camera_is_read_by_one_of_three_hosts(fleet):
    fleet.wait_until(all_read)
    assert sorted(Counter(fleet.hosts().values()).values()) == [2, 2, 2]
    assert fleet.status().moves == 0
    with pytest.raises(SettingsError, match="runs already"):
        client.start(fleet.cluster.address, fleet.config)


def test_cameras_of_a_killed_host_run_again(fleet):
    fleet.wait_until(all_read)
    before = assignments(fleet)
    processes("Host")[0].kill()
    fleet.wait_until(lambda status: all_read(status) and assignments(fleet) != before)
    assert sum(number != before[camera] for camera, number in assignments(fleet).items()) == 2
    fleet.assert_one_host_at_a_time()


def test_no_two_hosts_publish_when_one_is_suspended_for_20_s(fleet):
    fleet.wait_until(all_read)
    before = assignments(fleet)
    suspended = processes("Host")[0]
    suspended.suspend()
    try:
        stopped_s = time.monotonic()
        fleet.wait_until(lambda status: all_read(status) and len(status.hosts) == 2)
        time.sleep(max(0.0, 20.0 - (time.monotonic() - stopped_s)))
    finally:
        suspended.resume()
    fleet.wait_until(lambda status: all_read(status) and len(status.hosts) == 3)
    time.sleep(2.0)
    assert assignments(fleet) != before
    fleet.assert_one_host_at_a_time()


def test_cameras_go_on_when_the_controller_is_killed(fleet):
    fleet.wait_until(all_read)
    before = assignments(fleet)
    (controller,) = processes("Controller")
    controller.kill()
    away_s = fleet.wait_until(lambda _: True)
    fleet.wait_until(lambda status: not status.waiting and all_read(status))
    is_fast = away_s < THRESHOLDS.lease_s - 2 * THRESHOLDS.report_s  # on a busy machine the leases may end before
    assert assignments(fleet) == before or not is_fast
    fleet.assert_one_host_at_a_time()


def get(url: str, host: str) -> int:
    """Return the status of a request by a program on another machine, if host is not this one."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}", headers={"Host": host})
    status = connection.getresponse().status
    connection.close()
    return status


def is_asking(process: psutil.Process) -> bool:
    """Return whether a process is that of a dashboard which asks the controller."""
    return "stream_ocr.fleet.status_process" in (process.info["cmdline"] or [])


def test_a_camera_moves_to_a_new_host_and_from_a_lost_one_and_the_dashboard_follows(fleet):
    fleet.wait_until(all_read)

    def places() -> dict[str, str | None]:
        """Return the address of the host of each camera."""
        status = fleet.status()
        addresses = {host.name: host.pictures for host in status.hosts}
        return {name: addresses.get(camera.host or "") for name, camera in status.cameras.items()}

    with opened_page(fleet) as page:
        cameras, before = places(), assignments(fleet)
        page.until(lambda: {camera: page.origin(camera) for camera in cameras} == cameras)
        assert len(set(cameras.values())) == 3
        page.until(lambda: page.page.evaluate("[...document.querySelectorAll('.tile img')].every(i => i.naturalWidth)"))
        page.until(lambda: page.page.evaluate("streamOcr.model.streams.size") == CAMERAS)
        page.until(lambda: "hosts 3 cameras 6 of 6 up waiting 0 unassigned 0" in page.text("#health"))
        url = page.pictures["cam-0"]
        assert get(url, "10.0.0.7:80") == 200
        assert get(url.replace("cam-0", "cam-1"), "10.0.0.7:80") == 404
        assert get(url.partition("&")[0] + "&stream=cam-0", "10.0.0.7:80") == 404

        (asking,) = [process for process in psutil.process_iter(["cmdline"]) if is_asking(process)]
        asking.kill()
        added = fleet.cluster.add_node(**node(40))
        fleet.wait_until(lambda status: len(status.hosts) == 4 and all_read(status) and places() != cameras)
        (moved,) = [camera for camera, place in places().items() if place != cameras[camera]]
        assert [camera for camera, number in assignments(fleet).items() if number != before[camera]] == [moved]
        new = places()[moved]
        page.until(lambda: page.origin(moved) == new)
        fleet.cluster.remove_node(added, allow_graceful=False)
        page.until(lambda: page.origin(moved) not in ("://", new))
        assert page.origin(moved) in cameras.values()
        page.until(lambda: "hosts 3 cameras 6 of 6 up" in page.text("#health"))
        sent_s = time.time()
        page.until(
            lambda: page.page.evaluate(f"streamOcr.model.streams.get('local/{moved}').latest.receivedAt") > sent_s
        )
    fleet.assert_one_host_at_a_time()


def test_a_change_of_the_settings_touches_no_other_camera(fleet):
    fleet.wait_until(all_read)
    before = assignments(fleet)
    cameras = [f"cam-{number}" for number in range(CAMERAS)]
    fleet.write([*cameras[1:], "yard", "moon"], moon={"fps": 10, "needs": ["site-moon"]})
    fleet.wait_until(lambda status: "yard" in status.cameras and status.cameras["yard"].state == "up")
    status = fleet.status()
    assert "cam-0" not in status.cameras
    assert {camera: status.cameras[camera].assignment for camera in cameras[1:]} == {
        camera: before[camera] for camera in cameras[1:]
    }
    assert status.cameras["moon"].state == "unassigned"
    fleet.write(cameras)
    fleet.wait_until(lambda status: status.cameras.keys() == set(cameras) and all_read(status))
    fleet.assert_one_host_at_a_time()


def test_nothing_is_lost_or_doubled_while_nats_is_away(fleet):
    fleet.wait_until(all_read)
    now = assignments(fleet)
    fleet.server.end(signal.SIGKILL)
    time.sleep(AWAY_S)
    fleet.server.start()
    back = datetime.now(UTC)
    time.sleep(6.0)
    fleet.assert_one_host_at_a_time()
    for camera, number in now.items():
        events = fleet.events()[camera][number]
        seqs = [event["seq"] for event in events]
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs))), camera
        assert sum(datetime.fromisoformat(event["emitted_utc"]) < back for event in events) > AWAY_S / 2
        assert datetime.fromisoformat(events[-1]["emitted_utc"]) > back


def test_stop_delivers_the_end_of_every_text_and_leaves_nothing(fleet):
    fleet.wait_until(all_read)
    now = assignments(fleet)
    client.stop(fleet.cluster.address)
    assert eventually(lambda: not processes("Host") and not processes("Controller")), "Ray starts nothing again"
    for camera, number in now.items():
        events = fleet.events()[camera][number]
        appeared = {event["track"] for event in events if event["kind"] == "appeared"}
        assert appeared == {event["track"] for event in events if event["kind"] == "ended"}, camera
    with pytest.raises(WorkerError, match="There is no fleet"):
        fleet.status()
