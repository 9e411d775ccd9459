#!/usr/bin/env bash
# HDR films are 10-bit 4:2:0, and a tone curve wants them as 16-bit RGB. For exact colours, FFmpeg's scaler is asked for
# with the flags accurate_rnd and full_chroma_int.
# Guess, written before the run: with the flags, a flat green differs from that without them by a few of 65,535, at any
# size and in any 16-bit layout.
#
# Seen (PyAV 18.1.0, libswscale 9.5.102): where the size stays as it is, rgb48le and rgba64le give dark blue,
# (0, 0, 15030), in place of (0, 65412, 294). At a size that is two pixels larger, without full_chroma_int, from 4:2:2,
# or as planes (gbrp16le), green is green. Grey is right everywhere, so that a test on grey notices nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

GREEN, GREY = (692, 168, 104), (502, 512, 512)  # 10-bit Y, Cb, Cr by BT.709, limited range
SIZE = 64


def converted(colour, pixels, flags, layout, size):
    """Return the middle of a flat picture after FFmpeg's scale filter, as red, green and blue."""
    frame = av.VideoFrame(SIZE, SIZE, pixels)
    for plane, value in zip(frame.planes, colour):
        plane.update(np.full((plane.height, plane.line_size // 2), value, np.uint16).tobytes())
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    graph = Graph()
    source = graph.add_buffer(width=SIZE, height=SIZE, format=frame.format, time_base=frame.time_base)
    scale = graph.add("scale", f"{size}:{size}:flags={flags}:in_color_matrix=bt709:in_range=limited")
    graph.link_nodes(source, scale, graph.add("format", layout), graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.pull().to_ndarray()[size // 2, size // 2, :3].tolist()


EXACT = "bilinear+accurate_rnd+full_chroma_int"
cases = {
    "with the flag": ("yuv420p10le", EXACT, "rgb48le", SIZE),
    "with the flag and alpha": ("yuv420p10le", EXACT, "rgba64le", SIZE),
    "without the flag": ("yuv420p10le", "bilinear", "rgb48le", SIZE),
    "two pixels larger": ("yuv420p10le", EXACT, "rgb48le", SIZE + 2),
    "as planes": ("yuv420p10le", EXACT, "gbrp16le", SIZE),
    "from 4:2:2": ("yuv422p10le", EXACT, "rgb48le", SIZE),
}
found = {name: converted(GREEN, *case) for name, case in cases.items()}
for name, colour in found.items():
    print(f"{name}: {colour}")
wrong = {name for name, (red, green, blue) in found.items() if green < 60_000}
assert wrong == {"with the flag", "with the flag and alpha"}, wrong
greys = np.array([converted(GREY, *case) for case in cases.values()])
assert np.ptp(greys) < 400, greys
PYTHON
