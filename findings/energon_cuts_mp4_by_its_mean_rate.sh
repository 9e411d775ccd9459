#!/usr/bin/env bash
# Telephones and screen recorders write films of variable rate. Megatron Energon cuts clips out of films by seconds; for MP4 it
# reckons in frames, and warns that the frames "may be slightly off".
# Guess, written before the run: a frame or two at either end.
#
# Seen (megatron-energon 7.4.1, av 18.1.0), a film of 22 s: 30 frames in its first second, then one a second for 20 s, then 30
# again. Seconds 10 to 12 of it are
#   in Matroska: 3 frames, from 10.0 to 12.0 s
#   in MP4:      8 frames, from 7.0 to 15.0 s: four times the stretch, as the mean rate is 3.6 a second
# The end of each stretch that it tells is that of what it gave, so only who compares it with what was asked for finds out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 megatron-energon==7.4.1 av==18.1.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import io
from fractions import Fraction

import av
import numpy as np
from megatron.energon.av import AVDecoder

RATE = 30
TIMES = [*range(30), *range(30, 630, 30), *range(630, 660)]  # in thirtieths of a second
SEEN = {"mp4": (8, 7.0, 15.0), "matroska": (3, 10.0, 12.0)}

for format, (count, first, last) in SEEN.items():
    file = io.BytesIO()
    with av.open(file, "w", format=format) as out:
        stream = out.add_stream("libx264", rate=RATE, options={"bf": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number, time in enumerate(TIMES):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    clips, stretches = AVDecoder(io.BytesIO(file.getvalue())).get_video_clips([(10.0, 12.0)])
    start, end = stretches[0]
    print(f"{format}: {len(clips[0])} frames, from {start:.1f} to {end:.1f} s")
    assert len(clips[0]) == count and abs(start - first) < 0.05 and abs(end - last) < 0.05
PYTHON
