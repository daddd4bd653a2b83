"""Workers that are confined reach their own file and nothing else."""

import socket
from functools import partial
from pathlib import Path

import msgspec
import pytest
from runtime.live_run import Run

from stream_ocr import confinement
from stream_ocr.confinement import Access
from stream_ocr.core.messages import SourceChanged, StreamClosed
from stream_ocr.printable import path_to_text
from stream_ocr.runtime.live_supervisor import LiveSupervisor
from stream_ocr.runtime.supervisor import Supervisor
from stream_ocr.runtime.topology import Topology, source

HERE = Path(__file__).parent
ABSENT = "Nobody is there."  # as the toy source says it

pytestmark = [
    pytest.mark.usefixtures("toys", "no_leftovers"),
    pytest.mark.skipif(bool(confinement.missing()), reason="the kernel does not confine processes"),
]


def confined(topology: Topology, access: Access | None) -> Topology:
    """Return the topology with one confined source, ``a``."""
    decoder, *others = topology.processes
    return msgspec.structs.replace(topology, processes=(msgspec.structs.replace(decoder, access=access), *others))


def pry(path: Path, access: Access | None) -> str:
    """Return what a source has reached."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        decoder = source("a", "toy_stages:prying_source", path=str(path), port=server.getsockname()[1])
        topology = Topology((msgspec.structs.replace(decoder, output="published", rings=(), writes=None),), {}, ("a",))
        with Supervisor(confined(topology, access), {}) as supervisor:
            (closed,) = [message for message in supervisor.messages() if isinstance(message, StreamClosed)]
    return closed.reason


def test_confined_worker_reaches_its_own_file_only(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"video")
    everything = "reached own file, passwords, another process, a new file, a socket, a program"
    assert pry(path, None) == everything
    (tmp_path / "clip.mp4.new").unlink()
    assert pry(path, Access(files=(path_to_text(path), str(HERE)))) == "reached own file"


def test_source_that_is_down_gets_a_successor_when_its_files_are_replaced(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    decoder = source("a", "toy_stages:absent_source", wants_incarnation=True)
    topology = Topology((msgspec.structs.replace(decoder, output="published", rings=(), writes=None),), {}, ("a",))
    with LiveSupervisor(confined(topology, Access(files=(str(device), str(HERE)))), {}) as supervisor:
        run = Run(supervisor)
        for count, change in enumerate([device.touch, device.unlink, run.stop], start=1):
            run.run_until(partial(have_found_nobody, run, count))
            change()
    assert supervisor.restarts["decode/a"] == 2


def have_found_nobody(run: Run, count: int) -> bool:
    """Return whether so many workers have said that the source is down."""
    downs = [message for message in run.messages if isinstance(message, SourceChanged)]
    return len({down.epoch for down in downs if down.reason == ABSENT}) == count
