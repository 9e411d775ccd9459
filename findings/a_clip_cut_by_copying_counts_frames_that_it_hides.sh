#!/usr/bin/env bash
# Clips are cut from long films fastest by ffmpeg -c copy, which encodes nothing anew. To decode a clip one needs the frames
# from the last key frame on, so they are copied, too, and MP4's edit list hides them. Here pictures 80 to 131, a film's
# last, are cut out; it has a key frame every 50 pictures, and the brightness of a picture's halves tells its number.
# Guess, written before the run: all readers begin with the same picture and count the same frames, those that are shown.
#
# Seen (FFmpeg 7.0.2 by imageio-ffmpeg 0.6.0, av 18.1.0, opencv-python-headless 5.0.0.93, decord 0.6.0, transformers 5.24.0):
# all begin with picture 80, but PyAV's stream.frames, OpenCV and decord count the 30 hidden frames, too. So whoever spreads
# eight frames over the count asks for some that aren't there. OpenCV gives none for them. decord counts from the first frame
# shown where it decodes on, and from the first hidden one where it jumps to a key frame: the clip goes back in time.
# transformers' load_video takes the counts: six frames for eight by PyAV, disorder by decord. Nothing is said.
#   counted: by decoding 52, stream.frames 82, OpenCV 82, decord 82
#   eight spread over 82 frames: [0, 11, 23, 34, 46, 57, 69, 81]
#   OpenCV:                          80, 91, 103, 114, 126, none, none, none
#   decord:                          80, 91, 103, 114, 126, 107, 119, 131
#   transformers by PyAV, 8 wanted:  80, 90, 100, 110, 121, 131
#   transformers by decord:          80, 90, 100, 110, 121, 101, 111, 121
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 opencv-python-headless==5.0.0.93 decord==0.6.0 imageio-ffmpeg==0.6.0 \
    transformers==5.24.0 pillow==12.3.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import subprocess

import av
import cv2
import decord
import imageio_ffmpeg
import numpy as np
from transformers.video_utils import load_video

FIRST, COUNT, KEY = 80, 52, 50
settings = {"g": str(KEY), "keyint_min": str(KEY), "sc_threshold": "0", "bf": "2", "b_strategy": "0", "crf": "1"}
with av.open("film.mp4", "w") as film:
    stream = film.add_stream("libx264", rate=25, options=settings)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    for number in range(FIRST + COUNT):
        planes = np.full((96, 64), 128, np.uint8)
        planes[:64, :32], planes[:64, 32:] = 16 + number // 10 * 10, 16 + number % 10 * 20
        film.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
    film.mux(stream.encode(None))
cut = ["-ss", str(FIRST / 25), "-i", "film.mp4", "-c", "copy", "clip.mp4"]
subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *cut], check=True)


def number(frame):
    tens, units = (float(half.mean()) * 219 / 255 for half in (frame[:, :32], frame[:, 32:]))
    return round(tens / 10) * 10 + round(units / 20)


with av.open("clip.mp4") as clip:
    decoded = [number(frame.to_ndarray(format="rgb24")) for frame in clip.decode(video=0)]
    counted = {"by decoding": len(decoded), "stream.frames": clip.streams.video[0].frames}
assert decoded == list(range(FIRST, FIRST + COUNT))
by_opencv = cv2.VideoCapture("clip.mp4")
counted["OpenCV"] = int(by_opencv.get(cv2.CAP_PROP_FRAME_COUNT))
counted["decord"] = len(decord.VideoReader("clip.mp4"))
print("counted:", ", ".join(f"{name} {count}" for name, count in counted.items()))
total = FIRST - KEY + COUNT
assert list(counted.values()) == [COUNT, total, total, total]

spread = np.linspace(0, total - 1, 8).astype(int).tolist()
print(f"eight spread over {total} frames:", spread)
seen = {"OpenCV": []}
for index in spread:
    by_opencv.set(cv2.CAP_PROP_POS_FRAMES, index)
    read, frame = by_opencv.read()
    seen["OpenCV"].append(number(frame) if read else "none")
seen["decord"] = [number(frame) for frame in decord.VideoReader("clip.mp4").get_batch(spread).asnumpy()]
for name, backend in (("transformers by PyAV, 8 wanted", "pyav"), ("transformers by decord", "decord")):
    frames, told = load_video("clip.mp4", num_frames=8, backend=backend)
    assert told.total_num_frames == total
    seen[name] = [number(np.asarray(frame)) for frame in frames]
for name, numbers in seen.items():
    print(f"{name + ':':32}", ", ".join(map(str, numbers)))
assert seen["OpenCV"][:5] == [FIRST + index for index in spread[:5]] and seen["OpenCV"][5:] == ["none"] * 3
assert len(seen["transformers by PyAV, 8 wanted"]) < 8
for name in ("decord", "transformers by decord"):
    assert seen[name][0] == FIRST and seen[name] != sorted(seen[name])
PYTHON
