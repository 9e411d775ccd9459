#!/usr/bin/env bash
# Shots, thumbnails and sparse captions are often made of key frames, and joined with a film's other frames by their numbers.
# Daft reads films into tables: `frame_index` is the frame's index in the video, and `is_key_frame=False` leaves key frames out.
# Guess, written before the run: key frames have the numbers that they have in the table of all frames.
#
# Seen (daft 0.7.26, av 18.1.0), a film of 20 frames, a tenth of a second each, every fifth of which is a key frame:
#   all frames:              20 rows, key frames are 0, 5, 10, 15
#   is_key_frame=True:       4 rows, numbered 0, 1, 2, 3, at 0.0, 0.5, 1.0, 1.5 s: only the decoded frames are counted
#   is_key_frame=False:      20 rows, 4 of them key frames: nothing is left out
#   every half of a second:  4 rows, numbered 0, 5, 10, 15
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q daft==0.7.26 av==18.1.0 numpy==2.4.6 pillow
"$folder/venv/bin/python" -W ignore - "$folder/film.mp4" <<'PYTHON'
import sys

import av
import daft
import numpy as np

path = sys.argv[1]
with av.open(path, "w") as out:
    stream = out.add_stream("libx264", rate=10, options={"bf": "0", "sc_threshold": "0"})
    stream.width = stream.height = 64
    stream.pix_fmt = "yuv420p"
    stream.codec_context.gop_size = 5
    for number in range(20):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number * 10, np.uint8), "rgb24")
        out.mux(stream.encode(frame))
    out.mux(stream.encode())


def read(**options) -> dict[str, list]:
    frames = daft.read_video_frames(path, image_height=16, image_width=16, **options)
    return frames.select("frame_index", "frame_time", "is_key_frame").to_pydict()


whole, keys, others, sparse = read(), read(is_key_frame=True), read(is_key_frame=False), read(sample_interval_seconds=0.5)
numbers = [number for number, is_key in zip(whole["frame_index"], whole["is_key_frame"]) if is_key]
print("all frames:", len(whole["frame_index"]), "rows, key frames are", numbers)
print("is_key_frame=True: numbered", keys["frame_index"], "at", keys["frame_time"])
print("is_key_frame=False:", len(others["frame_index"]), "rows,", sum(others["is_key_frame"]), "of them key frames")
print("every half of a second: numbered", sparse["frame_index"])
assert numbers == sparse["frame_index"] == [0, 5, 10, 15]
assert keys["frame_index"] == [0, 1, 2, 3] and keys["frame_time"] == [0.0, 0.5, 1.0, 1.5]
assert len(others["frame_index"]) == 20 and sum(others["is_key_frame"]) == 4
PYTHON
