#!/usr/bin/env bash
# A screen recording ends with a still that is held for seven seconds. To write it with PyAV, one gives each frame its
# stamp and its duration, for which frames have an attribute that can be set.
# Guess, written before the run: frames at 0, 1 and 1.1 s, the last of which lasts 7 s, make files of 8.1 s.
#
# Seen (PyAV 18.1.0): the files last 1.14 s. With whatever codec, the packets that leave the encoder have no duration.
# The muxer gives the last one a 25th of a second, which is what the stream's nominal rate says, without a warning. MP4
# finds the others' durations from the stamps. To keep the still, set `packet.duration` between encoder and muxer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from fractions import Fraction

import av
import numpy as np

TICK = Fraction(1, 1000)
SHOWN = {0: 1000, 1000: 100, 1100: 7000}  # duration by stamp


def seconds(name, codec, mended):
    """Write the three frames; return how long the file says it lasts."""
    path = f"{sys.argv[1]}/{name}"
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.time_base, stream.codec_context.max_b_frames = TICK, 0

        def mux(packets):
            for packet in packets:
                if mended:
                    packet.duration = SHOWN[round(packet.pts * packet.time_base / TICK)]
                container.mux(packet)

        for stamp, duration in SHOWN.items():
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base, frame.duration = stamp, TICK, duration
            mux(stream.encode(frame))
        mux(stream.encode())
    with av.open(path) as container:
        return container.duration / av.time_base


for name, codec in (("a.mp4", "libx264"), ("a.mkv", "ffv1"), ("a.webm", "libvpx-vp9"), ("b.mp4", "mpeg4")):
    plain, mended = seconds(name, codec, False), seconds(name, codec, True)
    print(f"{codec} in {name}: {plain:.2f} s; with the packets' durations set: {mended:.2f} s")
    assert abs(plain - 1.14) < 0.01 and abs(mended - 8.1) < 0.01
PYTHON
