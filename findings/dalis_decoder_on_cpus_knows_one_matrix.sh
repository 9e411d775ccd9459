#!/usr/bin/env bash
# DALI decodes videos for training, on GPUs and on CPUs. One flat colour is written losslessly as VP9, once tagged as BT.601
# and once as BT.709, in limited and in full range, and as H.264.
# Guess, written before the run: the decoder on CPUs takes what FFmpeg takes, and turns colours as the film's tags say.
#
# Seen (nvidia-dali-cuda120 2.4.0 without a GPU, av 18.1.0): it keeps the range, but turns every film by BT.601, HD tagged as
# BT.709, too, 6 of 255 off here; and it refuses H.264 altogether.
#   BT.601, limited: [149, 87, 21], right [149, 87, 21]
#   BT.709, limited: [149, 87, 21], right [155, 89, 18]
#   BT.601, full:    [145, 90, 33], right [145, 90, 33]
#   BT.709, full:    [145, 90, 33], right [150, 92, 29]
#   H.264: Codec 27 (h264) is not supported by the CPU variant of this operator
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q nvidia-dali-cuda120==2.4.0 av==18.1.0 numpy==2.4.6
cd "$folder"
cat > films.py <<'PYTHON'
import sys

import av
import numpy as np
from nvidia.dali import fn, pipeline_def, types

WIDTH, HEIGHT, YUV = 1280, 720, (100, 90, 160)
MATRICES = {"BT.601": (5, 0.299, 0.114), "BT.709": (1, 0.2126, 0.0722)}
RANGES = {"limited": (1, 16, 219, 224), "full": (2, 0, 255, 255)}


def write(path, codec, matrix, colours, **options):
    with av.open(path, "w") as film:
        stream = film.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, colours
        for _ in range(5):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            frame.colorspace, frame.color_range = matrix, colours
            for plane, value in zip(frame.planes, YUV):
                plane.update(bytes([value]) * plane.buffer_size)
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    with av.open(path) as film:
        frame = next(film.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (matrix, colours), "the tags are in the film"


def right(red, blue, black, of_luma, of_chroma):
    y, u, v = (YUV[0] - black) / of_luma, (YUV[1] - 128) / of_chroma, (YUV[2] - 128) / of_chroma
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return [round(255 * value) for value in (r, g, b)]


@pipeline_def(batch_size=1, num_threads=1, device_id=None)
def decoded(path):
    film = np.fromfile(path, np.uint8)
    return fn.decoders.video(fn.external_source(source=lambda: [film], dtype=types.UINT8), device="cpu")


def shown(path):
    pipeline = decoded(path)
    pipeline.build()
    return pipeline.run()[0].as_array()[0, 2, HEIGHT // 2, WIDTH // 2].tolist()


if sys.argv[1] == "h264":
    write("film.mp4", "libx264", *(MATRICES["BT.709"][0], 1))
    shown("film.mp4")
for name, (colours, *scale) in RANGES.items():
    for matrix, (tag, red, blue) in MATRICES.items():
        write("film.mp4", "libvpx-vp9", tag, colours, lossless="1")
        seen, meant = shown("film.mp4"), right(red, blue, *scale)
        print(f"{f'{matrix}, {name}:':16} {seen}, right {meant}")
        assert seen == right(*MATRICES["BT.601"][1:], *scale)
        assert (seen == meant) == (matrix == "BT.601")
PYTHON
"$folder/venv/bin/python" -W ignore films.py vp9
"$folder/venv/bin/python" -W ignore films.py h264 > log 2>&1 && exit 1
grep -o -m 1 "Codec 27 (h264) is not supported by the CPU variant of this operator" log | sed 's/^/H.264: /'
