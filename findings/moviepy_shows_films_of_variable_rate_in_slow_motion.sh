#!/usr/bin/env bash
# MoviePy is what many data sets are cut with. Phones and screen recorders write films of variable rate; here 24 pictures
# come at 30 per second, then 24 at 10 per second. Asked for the picture of a second, MoviePy should give the one on show.
# Guess, written before the run: it does, by the film's times; at worst it is one picture off.
#
# Seen (moviepy 2.2.1 with imageio-ffmpeg 0.6.0): it takes the mean rate, 16, for the rate of the pictures that FFmpeg hands
# over, but FFmpeg repeats pictures until there are 30 per second. So the film runs at half speed: for second 2.95 one gets
# the picture of second 1.5, the last third is never shown, and a clip that is cut out is another scene. Nothing warns.
#   second 0.5: the film shows picture 15, MoviePy gives 8
#   second 1.5: the film shows picture 31, MoviePy gives 24
#   second 2.5: the film shows picture 41, MoviePy gives 29
#   pictures given for the whole film: 0 to 32, of 0 to 47
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q moviepy==2.2.1 imageio-ffmpeg==0.6.0 av==15.1.0 numpy==2.3.4
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from fractions import Fraction

import av
import numpy as np
from moviepy import VideoFileClip

CLOCK = 90_000
stamps = [CLOCK * i // 30 for i in range(24)] + [CLOCK * 24 // 30 + CLOCK * i // 10 for i in range(24)]
with av.open("film.mp4", "w") as container:
    stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
    stream.width = stream.height = 64
    stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, CLOCK)
    for number, stamp in enumerate(stamps):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 10 + 4 * number, np.uint8), format="rgb24")
        frame.pts, frame.time_base = stamp, Fraction(1, CLOCK)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
with av.open("film.mp4") as container:
    times = [frame.time for frame in container.decode(video=0)]
assert np.allclose(times, np.array(stamps) / CLOCK, atol=1e-3), "the file itself is right"


def number(picture):
    return round((float(picture.mean()) - 10) / 4)


film, seen = VideoFileClip("film.mp4"), {}
for second in (0.5, 1.5, 2.5):
    shown = int(np.searchsorted(times, second, "right")) - 1
    seen[second] = shown, number(film.get_frame(second))
    print(f"second {second}: the film shows picture {shown}, MoviePy gives {seen[second][1]}")
given = {number(picture) for picture in film.iter_frames()}
print(f"pictures given for the whole film: 0 to {max(given)}, of 0 to {len(times) - 1}")
assert seen == {0.5: (15, 8), 1.5: (31, 24), 2.5: (41, 29)} and given == set(range(33))
PYTHON
