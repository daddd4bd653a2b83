from collections import Counter

from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.runtime.topology import OUTCOME, RingSize, five_stages


def test_topology_has_one_receiver_for_every_hop_and_ends_in_the_supervisor() -> None:
    topology = five_stages({"a": {"path": "a.mp4"}, "b": {"path": "b.mp4"}}, frame_bytes=100)
    names = [process.name for process in topology.processes]
    assert names == ["decode/a", "decode/b", "detect", "track", "recognize", "publish"]
    received = Counter(process.input for process in topology.processes if process.input)
    assert set(received.values()) == {1}
    assert {process.output for process in topology.processes} == {*received, OUTCOME}
    assert topology.streams == ("a", "b")


def test_topology_gives_every_worker_only_the_rings_it_uses() -> None:
    topology = five_stages({"a": {}, "b": {}}, frame_bytes=100, crop_bytes=50)
    mapped = {process.name: set(process.rings) for process in topology.processes}
    assert mapped == {
        "decode/a": {"frames/a"},
        "decode/b": {"frames/b"},
        "detect": {"frames/"},
        "track": {"frames/", "crops"},
        "recognize": {"crops"},
        "publish": set(),
    }
    assert {process.writes for process in topology.processes} - {None} == set(topology.rings)
    assert sorted(process.releases for process in topology.processes if process.releases) == ["crops", "frames/"]
    assert topology.rings == {
        "frames/a": RingSize(THRESHOLDS.file_slots, 100),
        "frames/b": RingSize(THRESHOLDS.file_slots, 100),
        "crops": RingSize(THRESHOLDS.crop_slots, 50),
    }


def test_topology_passes_arguments_to_the_factories() -> None:
    topology = five_stages({"a": {"path": "a.mp4"}}, frame_bytes=100, detect_items=7, publish={"sinks": ["x.jsonl"]})
    rows = {process.name: process for process in topology.processes}
    assert (rows["decode/a"].stream, rows["decode/a"].arguments) == ("a", {"path": "a.mp4"})
    assert rows["detect"].max_items == 7
    assert rows["publish"].arguments == {"sinks": ["x.jsonl"]}
