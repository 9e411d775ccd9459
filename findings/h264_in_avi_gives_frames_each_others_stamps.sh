#!/usr/bin/env bash
# AVI has no times, only packets in their order, and H.264 is put into it all the same, with B-frames. Frames come out of a
# decoder in the order in which they are shown; their stamps (pts) say when.
# Guess, written before the run: the stamps rise, as those of MPEG-4 and MPEG-2 with B-frames do in AVI.
#
# Seen (PyAV 18.1.0, FFmpeg 8): H.264's don't. A frame has the number of the packet that it came in, so those of B-frames and
# of what they lean on are exchanged: 1 3 4 2 6 7 5 9 10 8, where MPEG-4 has 1 2 3 4. Whoever sorts or looks frames up by their
# stamps shows them in the order of decoding; whoever drops what isn't later than the frame before loses every third.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/film.avi" <<'PYTHON'
import sys

import av
import numpy as np

seen = {}
for codec in ("libx264", "mpeg4", "mpeg2video"):
    with av.open(sys.argv[1], "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(60):
            picture = np.full((64, 64, 3), 4 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    with av.open(sys.argv[1]) as container:
        frames = [(frame.pts, int(frame.to_ndarray(format="rgb24")[0, 0, 0])) for frame in container.decode(video=0)]
    stamps, levels = zip(*frames)
    assert len(frames) == 60 and all(np.diff(levels) >= 0), "frames aren't in the order in which they are shown"
    seen[codec] = all(np.diff(stamps) > 0)
    print(f"{codec}:", *stamps[:10], "...")
assert seen == {"libx264": False, "mpeg4": True, "mpeg2video": True}
PYTHON
