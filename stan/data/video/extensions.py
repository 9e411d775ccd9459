"""The endings of names by which video files are found in folders, archives, lists and uploads."""

from __future__ import annotations

VIDEOS = frozenset(
    [".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx"]
    + [".mpg", ".mpeg", ".m2v", ".vob", ".ts", ".mts", ".m2t", ".m2ts", ".mxf", ".dv"]
    + [".flv", ".f4v", ".wmv", ".asf", ".ogv", ".gif", ".apng", ".y4m"]
    + [".h264", ".h265", ".hevc", ".ivf"]
)
"""In small letters. No ending is a number, as `.264` would be: an id such as `1.264` keeps what follows its dot."""

PICTURES_OR_VIDEOS = frozenset([".webp", ".avif"])
"""Most files of these names are pictures: they count as videos if one is named itself, or its first bytes say so."""

READABLE = VIDEOS | PICTURES_OR_VIDEOS
"""What a video that is named itself, on a list or by an upload, may end in."""
