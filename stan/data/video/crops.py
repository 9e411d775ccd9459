"""A video file in; how many pixels its container, MP4 or Matroska, cuts from each side of the stored pictures, out.

MP4 writes a clean aperture (ISO/IEC 14496-12, `clap`), Matroska PixelCropTop and its like (RFC 9559). A codec's own
cropping is done by its decoder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction

from stan.data.video import mp4_boxes
from stan.data.video.container import Film

Crop = tuple[int, int, int, int]
NONE = (0, 0, 0, 0)
_TRACKS, _ENTRY, _VIDEO, _KIND = 0x1654AE6B, 0xAE, 0xE0, 0x83
_SEGMENT = 0x18538067
_CROPS = {0x54CC: 0, 0x54BB: 1, 0x54DD: 2, 0x54AA: 3}
"""Matroska's elements and their places in a Crop."""


def of(path: str, film: Film) -> Crop:
    """Return the pixels to cut: left, top, right, bottom; none where that would leave no picture."""
    name, stream = film.container.format.name, film.stream
    if name.startswith("mov"):
        found = _of_mp4(path, stream.id, (stream.width, stream.height))
    elif name.startswith("matroska"):
        found = _of_matroska(path, film.container.streams.video.index(stream))
    else:
        return NONE
    left, top, right, bottom = found
    fits = min(found) >= 0 and left + right < stream.width and top + bottom < stream.height
    return found if fits else NONE


def _of_mp4(path: str, track: int, size: tuple[int, int]) -> Crop:
    headers = mp4_boxes.headers(path)
    if b"clap" not in headers:
        return NONE
    for aperture in mp4_boxes.in_sample_entries(headers, track, b"clap"):
        return _aperture(aperture, size)
    return NONE


def _aperture(clap: bytes, size: tuple[int, int]) -> Crop:
    """Return the cut of a clean aperture: its size, and how far its centre lies from the picture's, as fractions."""
    if len(clap) < 32:
        return NONE
    values = struct.unpack(">IIIIiIiI", clap[:32])
    if 0 in values[1::2]:
        return NONE
    width, height, right_by, down_by = (Fraction(*values[i : i + 2]) for i in range(0, 8, 2))
    left = round((size[0] - width) / 2 + right_by)
    top = round((size[1] - height) / 2 + down_by)
    return left, top, size[0] - round(width) - left, size[1] - round(height) - top


def _of_matroska(path: str, number: int) -> Crop:
    """Return the cut of the picture track `number` in the order of the file."""
    with open(path, "rb") as file:
        head = file.read(1 << 20)
    pictures = []
    for entry in _elements_inside(head, _SEGMENT, _TRACKS, _ENTRY):
        told = dict(_elements(entry))
        if told.get(_KIND) == b"\x01":
            pictures.append(told.get(_VIDEO, b""))
    if number >= len(pictures):
        return NONE
    cut = [0, 0, 0, 0]
    for name, value in _elements(pictures[number]):
        if name in _CROPS:
            cut[_CROPS[name]] = int.from_bytes(value, "big")
    return cut[0], cut[1], cut[2], cut[3]


def _elements_inside(content: bytes, name: int, *further: int) -> Iterator[bytes]:
    for found, inner in _elements(content):
        if found == name:
            yield from _elements_inside(inner, *further) if further else (inner,)


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the EBML elements (name, content); the last one may be cut."""
    at = 0
    while at < len(content) and content[at]:
        width = 9 - content[at].bit_length()
        name = int.from_bytes(content[at : at + width], "big")
        at += width
        if at >= len(content) or not content[at]:
            return
        width = 9 - content[at].bit_length()
        size = int.from_bytes(content[at : at + width], "big") & ((1 << 7 * width) - 1)
        at += width
        size = len(content) - at if size == (1 << 7 * width) - 1 else size
        yield name, content[at : at + size]
        at += size
