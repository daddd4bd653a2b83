"""Metrics of a fleet."""

from prometheus_client.parser import text_string_to_metric_families

from stream_ocr.fleet.messages import CameraStatus, FleetStatus, HostStatus
from stream_ocr.fleet.metrics import FleetMetrics


def test_fleet_metrics_count_cameras_without_a_host():
    cameras = {
        "gate": CameraStatus("north", 5, "up", 25.0, None),
        "yard": CameraStatus(None, None, "unassigned", 0.0, "No host has room and the tags for it."),
    }
    status = FleetStatus([HostStatus("north", 200.0, 25.0, frozenset(), 0.5, 1)], cameras, moves=3, waiting=False)
    families = text_string_to_metric_families(FleetMetrics(lambda: status).text().decode())
    samples = {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}
    assert samples["stream_ocr_fleet_cameras", "unassigned"] == 1
    assert samples["stream_ocr_fleet_cameras", "up"] == 1
    assert samples["stream_ocr_fleet_cameras", "down"] == 0
    assert samples["stream_ocr_host_used_fps", "north"] == 25
    assert samples["stream_ocr_fleet_moves_total",] == 3
