"""An MP4 file in (ISO/IEC 14496-12); the boxes of its headers out."""

from __future__ import annotations

from collections.abc import Iterator

_LARGEST = 256 << 20
"""Bytes of headers that are read; a day of film has some tens of millions."""
_IN_SAMPLE_ENTRY = 78
"""Bytes of a picture track's sample entry before its boxes."""


def headers(path: str) -> bytes:
    """Return the content of the file's `moov` box, which holds all headers; empty if there is none."""
    with open(path, "rb") as file:
        while len(head := file.read(8)) == 8:
            size, kind, told = int.from_bytes(head[:4], "big"), head[4:], 8
            if size == 1:
                size, told = int.from_bytes(file.read(8), "big"), 16
            if size < told:
                break
            if kind == b"moov":
                return file.read(min(size - told, _LARGEST))
            file.seek(size - told, 1)
    return b""


def track(content: bytes, number: int) -> bytes:
    """Return the content of the `trak` box of a track; empty if there is none."""
    for trak in inside(content, b"trak"):
        header = next(inside(trak, b"tkhd"), b"")
        place = 12 if header[:1] == b"\0" else 20
        if int.from_bytes(header[place : place + 4], "big") == number:
            return trak
    return b""


def in_sample_entries(content: bytes, number: int, name: bytes) -> Iterator[bytes]:
    """Yield the content of every box `name` in the descriptions of a picture track's samples."""
    for entries in inside(track(content, number), b"mdia", b"minf", b"stbl", b"stsd"):
        for _, entry in boxes(entries[8:]):
            yield from inside(entry[_IN_SAMPLE_ENTRY:], name)


def inside(content: bytes, name: bytes, *further: bytes) -> Iterator[bytes]:
    """Yield the content of every box `name`, or of the boxes inside it that `further` leads to."""
    for kind, inner in boxes(content):
        if kind == name:
            yield from inside(inner, *further) if further else (inner,)


def boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (name, content) of every box; the last one may be cut."""
    at = 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if size < 8:
            return
        yield content[at + 4 : at + 8], content[at + 8 : at + size]
        at += size
