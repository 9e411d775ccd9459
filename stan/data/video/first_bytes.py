"""A file's first bytes in; whether it is a picture, or a text that names other files, and so no video, out."""

from __future__ import annotations

from pathlib import Path

HEAD = 4096
"""Bytes in which an animated PNG says that it is one; the other formats say so in fewer."""

_TEXT = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"[playlist]", b"v=0", b"<!DOCTYPE", b"<html", b"#!")
_PNG = b"\x89PNG"
_PICTURES = (_PNG, b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"%PDF")
_HEIF_PICTURES = {b"avif", b"heic", b"heix", b"mif1"}
_HEIF_SEQUENCES = {b"avis", b"hevc", b"hevx", b"msf1"}


def read(path: str | Path) -> bytes:
    """Return as many bytes as the others need. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(HEAD)


def is_text(head: bytes) -> bool:
    """Return whether it is a playlist or another text that names other files."""
    return _begins(head, _TEXT)


def is_picture(head: bytes) -> bool:
    """Return whether it is a picture or a document, and none that moves."""
    still = _begins(head, _PICTURES) or is_webp(head) or not _HEIF_PICTURES.isdisjoint(_brands(head)[:1])
    return still and not is_moving_picture(head)


def is_moving_picture(head: bytes) -> bool:
    """Return whether it is a film in a format of pictures: APNG, animated WebP, a sequence of AVIF or HEIF."""
    return (
        (_begins(head, (_PNG,)) and b"acTL" in head)
        or (is_webp(head) and head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2))
        or not _HEIF_SEQUENCES.isdisjoint(_brands(head))
    )


def is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _begins(head: bytes, marks: tuple[bytes, ...]) -> bool:
    return head[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(marks)


def _brands(head: bytes) -> list[bytes]:
    """Return the major brand of MP4 and its kin, and the compatible ones (ISO/IEC 14496-12; none of other files)."""
    box = head[: int.from_bytes(head[:4], "big")]
    return [box[8:12], *(box[i : i + 4] for i in range(16, len(box), 4))] if box[4:8] == b"ftyp" else []
