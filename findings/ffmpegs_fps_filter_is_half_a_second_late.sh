#!/usr/bin/env bash
# Many pipelines take one frame per second of a video with FFmpeg's filter fps=1, number the pictures, and say that picture n
# shows second n: of captions, of subtitles, of moments to be found.
# Guess, written before the run: of a film of ten seconds with 30 frames each, the pictures are those shown at 0, 1, ... 9 s.
#
# Seen (PyAV 18.1.0, FFmpeg 8): they are those shown just before .5, 1.5, ... 9.5 s, stamped 0, 1, ... 9. The filter rounds
# every frame's time to the nearest second and keeps the last frame of each. With round=down they are nearly a second late,
# with round=up exact.
#   fps=1            shows  0.47  1.47  2.47 ...
#   fps=1:round=down shows  0.97  1.97  2.97 ...
#   fps=1:round=up   shows  0.00  1.00  2.00 ...
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/film.mp4" <<'PYTHON'
import sys

import av
import numpy as np

path, rate = sys.argv[1], 30
with av.open(path, "w") as container:  # twelve brighter and darker fields say which frame a picture is, in binary
    stream = container.add_stream("libx264", rate=rate, options={"crf": "10"})
    stream.width, stream.height, stream.pix_fmt = 192, 64, "yuv420p"
    for number in range(10 * rate):
        fields = [np.full((64, 16, 3), 235 * (number >> bit & 1), np.uint8) for bit in range(12)]
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.concatenate(fields, 1), format="rgb24")))
    container.mux(stream.encode())


def pictures(setting):
    """The second from which each picture of the filter is shown in the film."""
    graph = av.filter.Graph()
    with av.open(path) as container:
        stream = container.streams.video[0]
        nodes = [graph.add_buffer(template=stream), graph.add("fps", setting), graph.add("buffersink")]
        nodes[0].link_to(nodes[1])
        nodes[1].link_to(nodes[2])
        graph.configure()
        found = []
        for frame in [*container.decode(stream), None]:
            graph.push(frame)
            while True:
                try:
                    grey = graph.pull().to_ndarray(format="gray")
                except (av.BlockingIOError, av.EOFError):
                    break
                bits = grey.reshape(64, 12, 16).mean((0, 2)) > 117
                found.append(sum(int(bit) << place for place, bit in enumerate(bits)) / rate)
        return np.array(found)


late = {}
for setting in ("1", "fps=1:round=down", "fps=1:round=up"):
    shown = pictures(setting)
    late[setting] = np.median(shown - np.arange(len(shown)))
    print(f"{setting:<16} shows ", "  ".join(f"{second:.2f}" for second in shown))
assert 0.4 < late["1"] < 0.5, "pictures of fps=1 are shown at other times now"
assert late["fps=1:round=down"] > 0.9 and abs(late["fps=1:round=up"]) < 0.05
PYTHON
