#!/usr/bin/env bash
# An MP4 that was cut by copying begins at the key frame before the cut; its edit list hides what lies before it. One that joins
# late, as the second camera of a recording, has an edit list that waits. Rerun shows videos beside boxes and scores, which are
# logged at the times of the frames; `read_frame_timestamps_nanos` gives these times.
# Guess, written before the run: the times are those of a player, and so PyAV's.
#
# Seen (rerun-sdk 0.41.0, av 18.1.0), a film of 30 frames in 3 s, without a warning:
#   as it was made:    PyAV 30 frames from 0.0 s; Rerun 30 frames from 0.0 s
#   cut at 1 s:        PyAV 20 frames from 0.0 s; Rerun 30 frames from 0.0 s: what was seen at 0 s lies at 1 s, as all after it
#   joining after 5 s: PyAV 30 frames from 5.0 s; Rerun 30 frames from 0.0 s
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q rerun-sdk==0.41.0 av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from fractions import Fraction

import av
import numpy as np
import rerun

RATE, FRAMES = 10, 30


def write(path: str, start: int) -> None:
    """Write a film of three seconds with one key frame, shown from `start` seconds on."""
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"bf": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number * 8, np.uint8), "rgb24")
            frame.pts, frame.time_base = number + start * RATE, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def cut(path: str, to: str, seconds: int) -> None:
    """Copy a film from `seconds` on: what lies before gets times below zero, which an edit list hides."""
    with av.open(path) as film, av.open(to, "w") as out:
        stream = film.streams.video[0]
        copied = out.add_stream_from_template(stream)
        for packet in film.demux(stream):
            if packet.dts is not None:
                packet.pts -= int(seconds / stream.time_base)
                packet.dts -= int(seconds / stream.time_base)
                packet.stream = copied
                out.mux(packet)


write("made.mp4", 0)
write("late.mp4", 5)
cut("made.mp4", "cut.mp4", 1)
seen = {}
for name in ("made", "cut", "late"):
    with av.open(f"{name}.mp4") as film:
        shown = [float(frame.pts * frame.time_base) for frame in film.decode(video=0)]
    told = np.array(rerun.AssetVideo(path=f"{name}.mp4").read_frame_timestamps_nanos()) / 1e9
    print(f"{name}: PyAV {len(shown)} frames from {shown[0]} s; Rerun {len(told)} frames from {told[0]} s")
    seen[name] = (len(shown), shown[0], len(told), float(told[0]))
assert seen == {"made": (30, 0.0, 30, 0.0), "cut": (20, 0.0, 30, 0.0), "late": (30, 5.0, 30, 0.0)}
PYTHON
