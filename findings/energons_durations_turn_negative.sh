#!/usr/bin/env bash
# Recordings rarely start at zero: a broadcast (.ts) starts at the sender's clock, and an MP4 cut by copying where the cut was.
# Megatron Energon, which feeds the training of video-language models, tells a film's duration before its frames are chosen.
# Guess, written before the run: 2 s for a film of 2 s, wherever its clock starts.
#
# Seen (megatron-energon 7.4.1, av 18.1.0): the start is taken off the length, which FFmpeg tells without it. Where a file has no
# length in its header, as a Matroska file hasn't, the end is found by reading, and there the start has to come off.
#   mp4 from   0 s: 2.0 s     ts from   0 s: 2.0 s     mkv from   0 s: 2.0 s
#   mp4 from   5 s: -3.0 s    ts from   5 s: -3.0 s    mkv from   5 s: 2.0 s
#   mp4 from 100 s: -98.0 s   ts from 100 s: -98.0 s   mkv from 100 s: 2.0 s
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

FORMATS = {"mp4": "mp4", "ts": "mpegts", "mkv": "matroska"}
RATE, FRAMES = 30, 60


def film(format: str, start: int) -> io.BytesIO:
    """Return a film of two seconds whose first frame is shown at `start` seconds."""
    file = io.BytesIO()
    with av.open(file, "w", format=format) as out:
        stream = out.add_stream("libx264", rate=RATE, options={"bf": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), "rgb24")
            frame.pts, frame.time_base = number + start * RATE, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return io.BytesIO(file.getvalue())


for start in (0, 5, 100):
    for name, format in FORMATS.items():
        file = film(format, start)
        with av.open(file) as told:
            stream = told.streams.video[0]
            assert stream.start_time * stream.time_base == start
            assert stream.duration is None or stream.duration * stream.time_base == 2
        seconds, _ = AVDecoder(file).get_video_duration()
        print(f"{name} from {start} s: {seconds} s")
        assert abs(seconds - (2 if name == "mkv" else 2 - start)) < 0.01
PYTHON
