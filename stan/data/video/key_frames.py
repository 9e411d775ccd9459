"""A packet that its container calls a key frame in; whether decoding can really start there out (H.264, HEVC).

Of an open group of pictures (non-IDR with a recovery point, CRA), pictures that are shown before the key frame but
stored behind it need what precedes it. Of gradual intra refresh, a whole picture emerges only after several frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

PARSED = ("h264", "hevc")
"""Codecs whose key frames are looked into; those of others are taken as their containers call them."""
_H264_IDR, _H264_SEI, _H264_PARAMETERS = 5, 6, 7
_HEVC_CRA, _HEVC_IRAP = 21, range(16, 24)
_HEVC_PARAMETERS = 33
_RECOVERY_POINT = 6
_ANNEX_B = b"\0\0\1"
LOOKED_AT = 4096
"""Bytes of a packet that are looked at; a key frame's own parts come first."""


class KeyKind(Enum):
    CLOSED = "closed"
    OPEN = "open"
    NONE = "none"
    """Decoding cannot start here."""


def key_kind(codec: str, extradata: bytes | None, packet: bytes) -> KeyKind:
    """Return what kind of key frame a packet holds."""
    kind = KeyKind.NONE
    for unit in units(codec, extradata, packet):
        if codec == "hevc":
            number = unit[0] >> 1 & 0x3F
            if number < 32:  # a slice
                return (
                    KeyKind.OPEN
                    if number == _HEVC_CRA
                    else KeyKind.CLOSED
                    if number in _HEVC_IRAP
                    else KeyKind.NONE
                )
        elif unit[0] & 0x1F == _H264_IDR:
            return KeyKind.CLOSED
        elif unit[0] & 0x1F == _H264_SEI and _recovers_at_once(unit[1:]):
            kind = KeyKind.OPEN
        elif 1 <= unit[0] & 0x1F < _H264_IDR:
            return kind
    return kind


def parameters(codec: str, extradata: bytes | None, packet: bytes) -> bytes:
    """Return the sequence parameters in a packet, which name its pictures' size; empty if it has none."""
    for unit in units(codec, extradata, packet):
        if codec == "h264" and unit[0] & 0x1F == _H264_PARAMETERS:
            return unit
        if codec == "hevc" and unit[0] >> 1 & 0x3F == _HEVC_PARAMETERS:
            return unit
    return b""


def units(codec: str, extradata: bytes | None, packet: bytes) -> Iterator[bytes]:
    """Yield the packet's network abstraction layer units as far as they begin in the bytes that are looked at."""
    packet = packet[:LOOKED_AT]
    if extradata and extradata[0] == 1:  # lengths before the units, as in MP4
        place = 4 if codec == "h264" else 21
        width, at = (extradata[place] & 3) + 1 if len(extradata) > place else 4, 0
        while at + width < len(packet):
            length = int.from_bytes(packet[at : at + width], "big")
            at += width
            yield packet[at : at + max(length, 1)]
            at += max(length, 1)
    else:
        for part in packet.split(_ANNEX_B)[1:]:
            if part:
                yield part


def _recovers_at_once(messages: bytes) -> bool:
    """Return whether supplemental information has a recovery point at its own picture: recovery_frame_cnt is 0."""
    at = 0
    while at + 2 < len(messages):
        kind, at = _number(messages, at)
        size, at = _number(messages, at)
        if kind == _RECOVERY_POINT and at < len(messages):
            return messages[at] >= 0x80  # the count is written as ue(v), and 0 is a single bit 1
        at += size
    return False


def _number(messages: bytes, at: int) -> tuple[int, int]:
    """Return a number that is written in bytes of 255 and a last, smaller one, and the place behind it."""
    value = 0
    while at < len(messages) and messages[at] == 255:
        value, at = value + 255, at + 1
    return value + (messages[at] if at < len(messages) else 0), at + 1
