#!/usr/bin/env bash
# Clips for search are often cut from long videos by PySceneDetect, which reads variable frame rates since version 0.7.
# Guess, written before the run: with a variable rate, too, its scenes cover the film, each beginning where the one before
# ends and the last one ending where the film does.
#
# Seen (scenedetect 0.7.2, opencv-python-headless 5.0.0.93): true of the cuts, but not of the film's end with the backend
# that `open_video` takes unless told otherwise. A film of three scenes of 2 s, with 10, 30 and 5 frames a second (as a
# screen recording has), in Matroska:
#   opencv: 0.0 to 2.0, 2.0 to 4.0, 4.0 to 3.0   the last scene ends a second before it begins: 90 frames over 30 a second
#   pyav:   0.0 to 2.0, 2.0 to 4.0, 4.0 to 5.833 the last frame begins at 5.8
# The same frames in MP4 end at 5.633 with opencv, before the last frame begins. So a dataset cut by these times loses the
# last scene, or asks FFmpeg for a clip of -1 s.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scenedetect==0.7.2 opencv-python-headless==5.0.0.93 av==18.0.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from fractions import Fraction

import av
import numpy as np
from scenedetect import ContentDetector, SceneManager, open_video

MILLISECOND = Fraction(1, 1000)


def write(path):
    with av.open(path, "w") as film:
        track = film.add_stream("libx264", rate=30)
        track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
        track.codec_context.time_base = MILLISECOND
        for scene, (grey, rate) in enumerate(((30, 10), (200, 30), (90, 5))):
            for number in range(2 * rate):
                picture = np.full((48, 64, 3), grey, np.uint8)
                picture[:, number % 64] += 20
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = round(1000 * (2 * scene + number / rate)), MILLISECOND
                film.mux(track.encode(frame))
        film.mux(track.encode())


def scenes(path, backend):
    manager = SceneManager()
    manager.add_detector(ContentDetector())
    manager.detect_scenes(open_video(path, backend=backend))
    return [(round(start.seconds, 3), round(end.seconds, 3)) for start, end in manager.get_scene_list()]


ends = {}
for path in ("film.mkv", "film.mp4"):
    write(path)
    for backend in ("opencv", "pyav"):
        found = scenes(path, backend)
        print(path, backend, found)
        assert [start for start, _ in found] == [0, 2, 4] and [end for _, end in found[:2]] == [2, 4]
        ends[path, backend] = found[-1][1]
assert ends["film.mkv", "opencv"] == 3.0
assert ends["film.mp4", "opencv"] < 5.8 < ends["film.mkv", "pyav"] < 6.0
PYTHON
