"""File name suffixes of videos and images."""

VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".vob", ".flv", ".wmv"}
    | {".asf", ".ogv", ".mxf", ".3gp", ".gif", ".ivf", ".y4m"}
)
"""Videos that are read from a folder."""

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
"""Still images."""
