"""Tuning values of the stages, one frozen dataclass per stage. Chosen by hand unless a field says otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodeThresholds:
    """Decoding of files and of live sources."""

    poll_s: float = 0.1
    """Longest wait in seconds before the stage checks again whether it is to stop."""

    prefetched_frames: int = 3
    """Frames of a file that are decoded while one is compared with the frames before it (decision 0015)."""

    min_queued_frames: int = 12
    """Frames of a file that may wait for the later stages, however large they are."""

    max_queued_bytes: int = 96 << 20
    """Memory in bytes that waiting frames of a file may take beyond that."""


@dataclass(frozen=True, slots=True)
class LiveThresholds:
    """Decoding of live sources."""

    min_gap_s: float = 1.0
    """Time in seconds without frames from which a gap is reported, and between two reports of dropped frames."""

    log_interval_s: float = 10.0
    """Time in seconds between two log lines about dropped frames; events report every gap."""

    hang_margin_s: float = 10.0
    """Time in seconds beyond all time-outs after which the reader thread counts as hanging."""


@dataclass(frozen=True, slots=True)
class LoadThresholds:
    """Load shedding. Load: share of the slots that are in use, or frame age relative to half of ``max_latency_s``."""

    high_load: float = 0.75
    """Load above which the detector runs less often."""

    low_load: float = 0.5
    """Load up to which it may run more often again."""

    scale_step: float = 1.5
    """Factor by which the interval between detector runs grows or shrinks at a time."""

    max_scale: float = 8.0
    """Longest interval relative to the usual one."""

    slow_down_after_s: float = 0.5
    """Time in seconds between two steps to longer intervals."""

    first_speed_up_s: float = 0.5
    """Time in seconds of low load before a step to shorter intervals, at first."""

    longest_speed_up_s: float = 8.0
    """Its greatest value: it doubles when the load returns within ``relapse_s`` of a step."""

    relapse_s: float = 3.0
    """Time in seconds after a step to shorter intervals within which high load is due to that step."""

    calm_s: float = 10.0
    """Time in seconds at full speed after which ``first_speed_up_s`` holds again."""


@dataclass(frozen=True, slots=True)
class DetectThresholds:
    """Detect stage."""

    truncated_margin: float = 1.0
    """Distance in pixels to the end of the processed rows within which a region may continue beyond them."""


@dataclass(frozen=True, slots=True)
class SnapshotThresholds:
    """Pictures of crops that are stored with events."""

    webp_quality: int = 75
    """Quality of the WebP encoder, 0 to 100."""


@dataclass(frozen=True, slots=True)
class TrackStageThresholds:
    """Crops for the recogniser."""

    max_crops_per_frame: int = 48
    """Fewer than the crop ring has slots, because slots are released only after the frame has been sent."""


@dataclass(frozen=True, slots=True)
class PublishThresholds:
    """Messages to the supervisor."""

    progress_interval_s: float = 0.5
    """Media time in seconds between two ``Published`` messages of a stream without events."""


DECODE = DecodeThresholds()
TRACK = TrackStageThresholds()
PUBLISH = PublishThresholds()
LIVE = LiveThresholds()
LOAD = LoadThresholds()
DETECT = DetectThresholds()
SNAPSHOT = SnapshotThresholds()
