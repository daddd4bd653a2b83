"""A real Ray cluster of three nodes on this machine."""

import psutil
import pytest

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

from stream_ocr.archive.output import Output  # noqa: E402
from stream_ocr.archive.ray_workers import RayWorkers  # noqa: E402
from stream_ocr.archive.run import ArchiveRun  # noqa: E402
from stream_ocr.archive.sources import Sources  # noqa: E402
from stream_ocr.archive.unit import Planner  # noqa: E402
from stream_ocr.errors import WorkerError  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("default")]
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}


@pytest.fixture(autouse=True)
def check_leaks():
    """Leave the processes of the cluster alone; ``cluster`` ends them."""


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args=NODE)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def output(tmp_path):
    output = Output(tmp_path / "out")
    output.prepare()
    return output


@pytest.fixture
def run(cluster, films, settings, output):
    """Read the films on the cluster; call a function after the first outcome."""

    def read(disturb=lambda: None):
        with RayWorkers(cluster.address, output) as workers:
            outcomes = ArchiveRun(Sources([str(films)]), Planner(settings), output, workers).outcomes()
            first = next(outcomes)
            disturb()
            return {outcome.stream: outcome.status for outcome in (first, *outcomes)}

    return read


def test_the_union_over_three_nodes_equals_a_serial_run(cluster, run, output, serial, union):
    nodes = [cluster.add_node(**NODE) for _ in range(2)]
    cluster.wait_for_nodes()
    assert run() == dict.fromkeys(serial, "read")
    assert union(output.folder) == serial
    assert run() == dict.fromkeys(serial, "skipped")
    for node in nodes:
        cluster.remove_node(node)


def test_units_of_a_killed_node_are_read_elsewhere(cluster, run, output, serial, union):
    nodes = [cluster.add_node(**NODE) for _ in range(2)]
    cluster.wait_for_nodes()
    assert run(lambda: [cluster.remove_node(node, allow_graceful=False) for node in nodes]) == dict.fromkeys(
        serial, "read"
    )
    assert union(output.folder) == serial
    assert not any((output.folder / "quarantine").rglob("failure.json"))


def test_a_killed_actor_is_replaced(run, output, serial, union):
    def kill():
        (actor,) = [each for each in psutil.process_iter(["cmdline"]) if "ray::_UnitActor" in str(each.info["cmdline"])]
        actor.kill()

    assert run(kill) == dict.fromkeys(serial, "read")
    assert union(output.folder) == serial


def test_an_address_without_a_cluster_is_an_error(output):
    with (
        pytest.raises(WorkerError, match=r"There is no Ray cluster at '127\.0\.0\.1:1'"),
        RayWorkers("127.0.0.1:1", output),
    ):
        pass
