#!/usr/bin/env bash
# av_seek_frame, and PyAV's container.seek with a stream, take a stamp in the stream's time base. A key frame with B-frames
# behind it has two: dts, at which it is decoded, and a later pts, at which it is shown. Packets are stored by dts.
# Guess, written before the run: seeking backwards to a key frame's dts ends at that key frame, in MP4 as in MPEG-TS.
#
# Seen (PyAV 18.1.0, FFmpeg 8): in MP4 it ends one whole group of pictures earlier, since FFmpeg takes the stamp for a pts
# and subtracts the track's delay; seeking to the pts ends at the key frame. In MPEG-TS it is the other way round: by dts
# all key frames are met, by pts none. Frames are right in any case, but twice as many are decoded.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import av
import numpy as np

met = {}
for name in ("film.mp4", "film.ts"):
    path = f"{sys.argv[1]}/{name}"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "12", "bf": "2", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
        for i in range(96):
            picture = np.full((80, 96, 3), 2 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    with av.open(path) as container:
        keys = [(p.pts, p.dts) for p in container.demux(video=0) if p.is_keyframe and p.pts is not None]
    with av.open(path) as container:
        stream = container.streams.video[0]
        for place, stamp in enumerate(("pts", "dts")):
            hits = 0
            for key in keys[1:]:
                container.seek(key[place], stream=stream)
                hits += next(container.demux(stream)).pts == key[0]
            met[name, stamp] = hits
            print(f"{name}: seeking by {stamp} met {hits} of {len(keys) - 1} key frames")
assert met["film.mp4", "pts"] > 0 == met["film.mp4", "dts"], "MP4 is sought by dts now"
assert met["film.ts", "dts"] > 0 == met["film.ts", "pts"], "MPEG-TS is sought by pts now"
PYTHON
