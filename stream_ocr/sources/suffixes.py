"""File name suffixes of videos and images, and the first bytes of images."""

VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob", ".flv", ".wmv"}
    | {".asf", ".ogv", ".mxf", ".3gp", ".gif", ".ivf", ".y4m"}
)
"""Videos that are read from a folder."""

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
"""Still images."""

_IMAGE_HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")


def is_image(head: bytes) -> bool:
    """Return True if a file begins as a PNG, JPEG, BMP, TIFF or WebP does. head: its first 12 bytes or more."""
    return head.startswith(_IMAGE_HEADS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
