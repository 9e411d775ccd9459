"""Films and sound in; files that hold more than one film out: programs, angles, longer sound, time codes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

import av
import numpy as np

from tests.support.films import Film, add_stream

SOUND_RATE = 48_000
PACKET = 188
"""Bytes of a transport stream's packet."""


def write_with_sound(path: Path, film: Film, seconds: float) -> Path:
    """Write a film with a tone of another length."""
    with av.open(str(path), "w") as container:
        stream = add_stream(container, film)
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        tone = 0.1 * np.sin(np.arange(round(seconds * SOUND_RATE)) / 20).astype(np.float32)[None]
        heard = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        heard.sample_rate, heard.pts, heard.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
        for index in range(film.frames):
            container.mux(stream.encode(film.frame(index)))
        container.mux([*stream.encode(), *sound.encode(heard), *sound.encode()])
    return path


def write_with_time_code(path: Path, film: Film, code: str) -> Path:
    """Write a QuickTime film with a track of time codes."""
    with av.open(str(path), "w") as container:
        stream = add_stream(container, film)
        stream.metadata["timecode"] = code
        for index in range(film.frames):
            container.mux(stream.encode(film.frame(index)))
        container.mux(stream.encode())
    return path


def write_programs(path: Path, films: Sequence[Film]) -> Path:
    """Write a transport stream of several programs, as broadcasts have it: packets of all take turns."""
    parts = []
    for number, film in enumerate(films, 1):
        own = {
            "mpegts_service_id": str(number),
            "mpegts_pmt_start_pid": str(0x1000 + number),
            "mpegts_start_pid": str(0x100 * number),
        }
        part = replace(film, name=f"{number}.ts", muxer=film.muxer | own).write(path.parent)
        content = part.read_bytes()
        parts.append([content[i : i + PACKET] for i in range(0, len(content), PACKET)])
    table = _program_table({number: 0x1000 + number for number in range(1, len(films) + 1)})
    with path.open("wb") as file:
        file.write(table)
        for packets in zip_longest(*parts, fillvalue=b""):
            file.writelines(packet for packet in packets if _pid(packet) != 0)
    return path


def _pid(packet: bytes) -> int:
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def _program_table(programs: dict[int, int]) -> bytes:
    """Return the packet that lists the programs (ISO/IEC 13818-1, 2.4.4.3): number and packet identifier of each."""
    listed = b"".join(struct.pack(">HH", number, 0xE000 | pid) for number, pid in programs.items())
    section = struct.pack(">BHHBBB", 0, 0xB000 | len(listed) + 9, 1, 0xC1, 0, 0) + listed
    packet = b"\x47\x40\x00\x10\x00" + section + struct.pack(">I", _checksum(section))
    return packet.ljust(PACKET, b"\xff")


def _checksum(content: bytes) -> int:
    """Return CRC-32 as MPEG takes it: not reflected, not inverted."""
    value = 0xFFFFFFFF
    for byte in content:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value
