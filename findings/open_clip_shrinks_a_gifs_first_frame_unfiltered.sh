#!/usr/bin/env bash
# TGIF's films are GIFs, and small PNGs have a palette, too. CLIP's frames are shrunk by bicubic filtering. Each picture goes
# through open_clip's transform and through transformers' processor, once as Pillow opens it and once after convert("RGB").
# Guess, written before the run: that is the same, as both turn pictures into RGB themselves.
#
# Seen (open_clip 3.3.0, transformers 5.24.0, torchvision 0.28.0, Pillow 12.3.0): it is with transformers. open_clip shrinks
# first and turns into RGB afterwards, as OpenAI's own transform did, and Pillow takes the nearest pixel for pictures with a
# palette, whatever filter is asked for. Pillow opens a GIF's first frame with its palette and the others as RGB: so the first
# one is shrunk in another way than the rest of its film. A fine chessboard, which should become grey, stays black and white.
# Below: the mean difference to what it should be, in shares of the picture's contrast.
#   open_clip:    GIF's frame 0 (P) 0.16, frame 1 (RGB) 0.00, frame 2 (RGB) 0.00, PNG (P) 0.16
#   transformers: GIF's frame 0 (P) 0.00, frame 1 (RGB) 0.00, frame 2 (RGB) 0.00, PNG (P) 0.00
#   contrast of a chessboard by open_clip: as RGB 0.00, with a palette 0.50
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 open_clip_torch==3.3.0 transformers==5.24.0 \
    pillow==12.3.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import numpy as np
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image, ImageSequence
from transformers import CLIPImageProcessor

y, x = np.mgrid[:720, :960]
waves = [[np.sin(x / 7 + time), np.sin(y / 5), np.sin((x + y) / 3)] for time in range(3)]
film = [Image.fromarray((127.5 + 127.5 * np.stack(one, -1)).astype(np.uint8)).quantize(64) for one in waves]
film[0].save("film.gif", save_all=True, append_images=film[1:], duration=40)
film[0].save("frame.png")
pictures = {f"frame {i}": one.copy() for i, one in enumerate(ImageSequence.Iterator(Image.open("film.gif")))}
pictures["PNG"] = Image.open("frame.png")
assert [picture.mode for picture in pictures.values()] == ["P", "RGB", "RGB", "P"]

of_open_clip = image_transform_v2(PreprocessCfg(size=224), is_train=False)
of_transformers = CLIPImageProcessor()
libraries = {
    "open_clip": of_open_clip,
    "transformers": lambda picture: of_transformers(picture, return_tensors="pt")["pixel_values"][0],
}
for library, seen_by in libraries.items():
    differ = {}
    for name, picture in pictures.items():
        right = seen_by(picture.convert("RGB"))
        assert right.shape == (3, 224, 224)
        differ[f"{name} ({picture.mode})"] = float((seen_by(picture) - right).abs().mean() / right.std())
    print(f"{library + ':':13} GIF's", ", ".join(f"{name} {by:.2f}" for name, by in differ.items()))
    wrong = {name for name, by in differ.items() if by > 0.1}
    assert wrong == ({"frame 0 (P)", "PNG (P)"} if library == "open_clip" else set()), differ
    assert all(by == 0 for name, by in differ.items() if name not in wrong)

board = Image.fromarray(((x + y) % 2 * 255).astype(np.uint8))
contrast = [float(of_open_clip(board.convert(mode)).std((1, 2)).mean()) * 0.27 for mode in ("RGB", "P")]
print("contrast of a chessboard by open_clip: as RGB {:.2f}, with a palette {:.2f}".format(*contrast))
assert contrast[0] < 0.01 and contrast[1] > 0.4
PYTHON
