"""Tuning values of the sources, one frozen dataclass per concern.

Unless a field says otherwise its value was chosen by hand and checked on damaged files and on local RTSP servers
(``tests/sources``, ``tests/stages/test_decode_live*.py``).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CorruptionThresholds:
    """Unreadable packets and damaged frames."""

    max_failed_reads: int = 16
    """Failed reads in a row after which the rest of a file, or a connection, is given up."""

    heal_s: float = 10.0
    """Time in seconds after which damage counts as gone in streams that refresh their frames without key frames."""

    pending_keyframes: int = 16
    """Key frames remembered between packet and picture: more than any decoder delays."""


@dataclass(frozen=True, slots=True)
class FileThresholds:
    """Video files."""

    max_forward_s: float = 10.0
    """Jump ahead of an MPEG-TS clock, in seconds, that is no pause but a new clock; the value that FFmpeg uses."""

    max_missing_s: float = 0.5
    """Time in seconds by which an undamaged file may end early before it counts as truncated."""

    max_missing_frames: float = 2.0
    """Frames by which a damaged file may end early before it counts as truncated."""

    http_timeout_s: float = 20.0
    """Longest silence of a web server, in seconds."""


@dataclass(frozen=True, slots=True)
class QueueThresholds:
    """Queue between the reader thread and the stage."""

    max_bytes: int = 256 << 20
    """Memory in bytes that waiting frames may take."""

    catch_up: float = 0.25
    """Share of the maximum age down to which frames are dropped once one was too old."""

    starvation: float = 2.0
    """Multiple of the maximum age without any frame after which one that is too old is taken all the same."""


@dataclass(frozen=True, slots=True)
class LiveThresholds:
    """Connections to live sources."""

    healthy_s: float = 5.0
    """Time in seconds that a connection must have delivered frames for the next pause to be short again."""

    leave_s: float = 1.0
    """Longest wait in seconds for the reader thread when the source is left."""

    schedule_check_s: float = 1.0
    """Time in seconds between two checks of the active hours."""

    reordering_s: float = 0.1
    """Time in seconds that UDP waits for a late packet."""

    silence: float = 0.9
    """Share of the read time-out after which invalid data means that the camera stayed silent; FFmpeg does not
    distinguish them."""

    pace_wait: float = 0.5
    """Share of a delay that must have been spent waiting for packets for the delay to be the source's own."""


@dataclass(frozen=True, slots=True)
class ClockThresholds:
    """Media time of live sources. Tuned on recordings of RTSP cameras whose clocks drift and jump."""

    max_backward_s: float = 0.25
    """Largest step back, in seconds, that counts as a wrong time stamp rather than as a new clock."""

    max_forward_s: float = 2.0
    """Largest step ahead of the time that passed here, in seconds, before it counts as a new clock."""

    assumed_fps: int = 25
    """Frame rate until two frames have arrived."""

    max_step_s: float = 1.0
    """Largest distance of frames, in seconds, from which the usual one is learnt; more is a pause."""

    step_weight: float = 0.1
    """Weight of the newest distance in the running average of the distance of frames."""

    max_late_s: float = 0.1
    """Lateness in seconds from which a frame is late, or the camera has slipped."""

    settle_s: float = 0.7
    """Time in seconds of constant lateness that tells a camera that slipped from a backlog."""

    min_wait_share: float = 0.25
    """Share of the time spent waiting for packets from which there is no backlog."""

    max_utc_difference_s: float = 0.5
    """Difference in seconds from which two clocks no longer agree."""

    drift: float = 1e-4
    """Rate by which clocks of cameras may be slow."""


@dataclass(frozen=True, slots=True)
class OnvifThresholds:
    """Search for ONVIF devices, and limits of what they answer. Chosen by hand; checked on ``tests/onvif_camera``."""

    probe_rounds: int = 3
    """Times that the question is sent, because datagrams get lost."""

    probing: float = 0.75
    """Share of the time of a search within which all rounds are sent; the rest is for the last answers."""

    max_datagrams: int = 2000
    """Answers after which a search ends: a host that floods the network must not fill the memory."""

    max_devices: int = 256
    """Most devices of a search."""

    concurrency: int = 32
    """Devices that are asked at the same time."""

    max_answer_bytes: int = 2 << 20
    """Largest answer to a call, in bytes; the profiles of a recorder with 64 cameras take half of it."""

    max_elements: int = 100_000
    """Most XML elements of an answer."""

    max_depth: int = 40
    """Deepest nesting of XML elements; ONVIF needs about ten."""

    max_streams: int = 256
    """Most streams of a device."""

    max_number: int = 65_535
    """Largest plausible width, height (in pixels) and frame rate; others count as unknown."""

    max_text: int = 100
    """Longest name of a device or stream, in characters; the rest is cut."""


@dataclass(frozen=True, slots=True)
class CutThresholds:
    """Cuts of a film. The values of PySceneDetect, whose other ones are used as they are."""

    width_px: int = 256
    """Width of the pictures that are compared, in pixels."""

    min_scene_s: float = 0.6
    """Shortest time between two cuts, in seconds."""


CORRUPTION = CorruptionThresholds()
FILES = FileThresholds()
QUEUE = QueueThresholds()
LIVE = LiveThresholds()
CLOCK = ClockThresholds()
ONVIF = OnvifThresholds()
CUTS = CutThresholds()
