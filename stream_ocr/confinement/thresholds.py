"""Limits of confined processes. Chosen by hand; ``tests/confinement`` and ``tests/pipelines`` hold them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ConfinementThresholds:
    """Limits of a process that decodes."""

    descriptors: int = 256
    """Most open files and sockets; a decoder has about 20."""
    memory_bytes: int = 1 << 30
    """Private memory of a decoder besides its frames, in bytes; stacks of its threads count."""
    frames: int = 24
    """Frames of the largest allowed size that a decoder may hold: H.264 needs 16 for reference."""
    pixel_bytes: int = 3
    """Bytes of a pixel in them: 10 bits in YUV 4:2:0."""
    name_server_port: int = 53
    """TCP port of name servers, which answer long replies over TCP."""


THRESHOLDS = ConfinementThresholds()
