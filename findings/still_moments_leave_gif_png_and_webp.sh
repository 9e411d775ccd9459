#!/usr/bin/env bash
# Short clips are kept as animated pictures: TGIF and the questions about it are GIFs, small copies are WebP. Pillow, and
# imageio with it, writes them from a list of frames.
# Guess, written before the run: eight frames go in and eight come out, whatever the format, as with a video.
#
# Seen (Pillow 12.3.0, imageio 2.38.1, PyAV 18.1.0): in GIF, PNG and WebP a frame that equals the one before isn't written;
# the one before is shown for longer. AVIF keeps all. So a clip has as many frames as it has changes, and whoever takes frames
# at equal numbers instead of equal times, as most loaders do, passes over what holds still. Of a clip that waits during six
# of its eight frames:
#   gif:  3 frames, shown for 600, 100, 100 ms; of four at equal numbers, the waiting is in 1
#   png:  3 frames, shown for 600, 100, 100 ms; of four at equal numbers, the waiting is in 1
#   webp: 3 frames, shown for 600, 100, 100 ms; of four at equal numbers, the waiting is in 1
#   avif: 8 frames, shown for 100, 100, 100, 100, 100, 100, 100, 100 ms; of four at equal numbers, the waiting is in 3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==12.3.0 imageio==2.38.1 av==18.1.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import av
import imageio.v3 as iio
import numpy as np
from PIL import Image

SHOWN = [0, 0, 0, 0, 0, 0, 1, 2]
colours = np.array([(200, 40, 40), (40, 160, 40), (40, 40, 200)], dtype=np.uint8)
frames = np.broadcast_to(colours[SHOWN][:, None, None], (8, 32, 32, 3)).copy()
first, *others = [Image.fromarray(frame) for frame in frames]

for ending in ("gif", "png", "webp", "avif"):
    first.save(f"by_pillow.{ending}", save_all=True, append_images=others, duration=100)
    iio.imwrite(f"by_imageio.{ending}", frames, duration=100)
    with Image.open(f"by_pillow.{ending}") as picture:
        durations = []
        for number in range(picture.n_frames):
            picture.seek(number)
            picture.load()
            durations.append(round(picture.info["duration"]))
    read = iio.imread(f"by_imageio.{ending}", index=..., mode="RGB")
    assert len(read) == len(durations) and sum(durations) == 800
    numbers = np.linspace(0, len(read) - 1, 4).round().astype(int)
    waiting = sum(np.abs(read[number].astype(int) - frames[0]).mean() < 20 for number in numbers)
    print(
        f"{ending}: {len(durations)} frames, shown for {', '.join(map(str, durations))} ms; "
        f"of four at equal numbers, the waiting is in {waiting}"
    )
    assert (durations, waiting) == (([100] * 8, 3) if ending == "avif" else ([600, 100, 100], 1))

with av.open("by_pillow.gif") as film:
    assert sum(1 for _ in film.decode(video=0)) == 3
PYTHON
