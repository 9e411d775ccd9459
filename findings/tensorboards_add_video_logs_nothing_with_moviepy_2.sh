#!/usr/bin/env bash
# SummaryWriter.add_video of torch puts a clip into TensorBoard; it asks for moviepy. Here moviepy 2 is installed.
# Guess, written before the run: the clip is logged as a GIF; were it not possible, an error would say so.
#
# Seen (torch 2.13.0 with moviepy 2.2.1; the same with torch 2.9.0): moviepy 2 has no `moviepy.editor`, so one line on the
# terminal blames missing packages, imageio and requests, which are there. add_video returns as usual and writes an event
# that has the clip's tag and no picture: training goes on, and TensorBoard shows no clip at any step.
#   add_video: no error; tags of pictures that TensorBoard finds: []
#   events with the tag "attention": 1, of which hold a picture: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 tensorboard==2.21.0 moviepy==2.2.1 requests==2.32.5 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from pathlib import Path

import imageio, requests  # noqa: E401, F401 - both can be imported
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from torch.utils.tensorboard import SummaryWriter

writer = SummaryWriter("log")
writer.add_video("attention", torch.randint(0, 255, (1, 4, 3, 32, 32), dtype=torch.uint8), global_step=1, fps=4)
writer.close()
tags = EventAccumulator("log").Reload().Tags()["images"]
print("add_video: no error; tags of pictures that TensorBoard finds:", tags)
file = next(Path("log").iterdir())
values = [value for event in LegacyEventFileLoader(str(file)).Load() for value in event.summary.value]
tagged = [value for value in values if value.tag == "attention"]
pictures = [value for value in tagged if value.image.encoded_image_string]
print(f'events with the tag "attention": {len(tagged)}, of which hold a picture: {len(pictures)}')
assert tags == [] and len(tagged) == 1 and not pictures
PYTHON
