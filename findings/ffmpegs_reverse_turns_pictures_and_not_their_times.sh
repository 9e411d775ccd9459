#!/usr/bin/env bash
# Whether a model knows the arrow of time is asked with films that run backwards; they are made by FFmpeg's filters reverse and
# areverse. Films of phones and screens have no constant rate: here six pictures are shown for .2 s each but for the third,
# which stands for a second. While a picture is shown, the sound has a loudness of its own, so that each is known by its number.
# Guess, written before the run: backwards, each picture is shown as long as before, and its own sound is heard with it.
#
# Seen (FFmpeg 7.0.2 by imageio-ffmpeg 0.6.0, av 18.1.0): reverse turns the pictures round and leaves the times where they were.
# So the third is gone after .2 s and the fourth stands still for a second: it is not the film run backwards, but one of another
# pace, and a model may tell it by that. areverse turns the sound by its samples, as guessed, so that both fall apart for
# more than half of the film. Nothing is said. With the rate made constant first, fps=10,reverse, pictures
# 1 to 4 are shown as long as guessed.
# stan turns frames that were taken at even times, and is not concerned.
#   seconds of pictures 0 to 5:      forwards 0.2 0.2 1.0 0.2 0.2 0.2, backwards 0.2 0.2 0.2 1.0 0.2 0.2
#   seconds of their sounds:         forwards 0.2 0.2 1.0 0.2 0.2 0.2, backwards 0.2 0.2 1.0 0.2 0.2 0.2
#   pictures 1 to 4 at a constant rate: backwards 0.2 1.0 0.2 0.2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q imageio-ffmpeg==0.6.0 av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np

SHOWN = [0.2, 0.2, 1.0, 0.2, 0.2, 0.2]
END, RATE = sum(SHOWN), 8000
STEP = 40

with av.open("film.mkv", "w") as file:
    pictures = file.add_stream("ffv1", rate=1000)
    pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "gray"
    pictures.codec_context.time_base = Fraction(1, 1000)
    sound = file.add_stream("pcm_s16le", rate=RATE, layout="mono")
    for number, seconds in enumerate(SHOWN):
        begin = sum(SHOWN[:number])
        frame = av.VideoFrame.from_ndarray(np.full((64, 64), STEP * number, np.uint8), format="gray")
        frame.pts, frame.time_base, frame.duration = round(1000 * begin), Fraction(1, 1000), round(1000 * seconds)
        file.mux(pictures.encode(frame))
        loud = np.full((1, round(RATE * seconds)), STEP * number, np.int16)
        heard = av.AudioFrame.from_ndarray(loud, format="s16", layout="mono")
        heard.pts, heard.rate, heard.time_base = round(RATE * begin), RATE, Fraction(1, RATE)
        file.mux(sound.encode(heard))
    file.mux(pictures.encode(None))
    file.mux(sound.encode(None))


def shown(path):
    """Return for how many seconds each picture is shown: until the next one, the last until the film's end."""
    with av.open(path) as file:
        frames = [(frame.time, int(frame.to_ndarray(format="gray")[0, 0]) // STEP) for frame in file.decode(video=0)]
    seconds = [0.0] * len(SHOWN)
    for (begin, number), (end, _) in zip(frames, [*frames[1:], (END, None)]):
        seconds[number] += end - begin
    return [round(one, 1) for one in seconds], [number for _, number in frames]


def heard(path):
    with av.open(path) as file:
        samples = np.concatenate([frame.to_ndarray().ravel() for frame in file.decode(audio=0)])
    return [round(float((samples == STEP * number).sum()) / RATE, 1) for number in range(len(SHOWN))]


def turned(out, pictures):
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "film.mkv", "-vf", pictures, "-af", "areverse"]
    subprocess.run([*ffmpeg, "-fps_mode", "passthrough", "-c:v", "ffv1", "-c:a", "pcm_s16le", out], check=True)
    return shown(out), heard(out)


def told(seconds):
    return " ".join(map(str, seconds))


(forwards, _), sounds = shown("film.mkv"), heard("film.mkv")
(backwards, order), sounds_backwards = turned("backwards.mkv", "reverse")
(constant, _), _ = turned("constant.mkv", "fps=10,reverse")
print("FFmpeg", imageio_ffmpeg.get_ffmpeg_version())
print(f"seconds of pictures 0 to 5:      forwards {told(forwards)}, backwards {told(backwards)}")
print(f"seconds of their sounds:         forwards {told(sounds)}, backwards {told(sounds_backwards)}")
print(f"pictures 1 to 4 at a constant rate: backwards {told(constant[1:5])}")
assert order == [5, 4, 3, 2, 1, 0], order
assert forwards == sounds == sounds_backwards == SHOWN
assert backwards == SHOWN[::-1] and constant[1:5] == SHOWN[1:5]
PYTHON
