#!/usr/bin/env bash
# Kinetics-400 lies in one folder per class, as its authors' names are written, under train and val or without. Hugging
# Face's datasets reads such folders with load_dataset("videofolder"). Here four of the 400 have two clips each.
# Guess, written before the run: without train and val, one split with all clips and one label per folder; with them, two.
#
# Seen (datasets 5.2.0): the class "training dog" is taken for the training split, since its first word is "training". Without
# train and val, all other classes are gone and no clip has a label. With them, its validation clips are in the training
# split, too, and its training clips are there twice. No warning is printed. Without that class, all is as guessed.
#   one folder per class:  train: 2 clips, without labels
#   under train and val:   train: 12 clips, of which 2 twice and 2 of val; validation: 8 clips
#   without that class:    train: 6 clips of 3 labels
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0
HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1 "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from collections import Counter
from pathlib import Path

from datasets import Video, load_dataset

CLASSES = ["tossing salad", "training dog", "trapezing", "trimming trees"]


def read(name, folders):
    """For each split, its clips by path, and how many labels it knows."""
    root = Path(sys.argv[1]) / name
    for folder in folders:
        for clip in ("a.mp4", "b.mp4"):
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / clip).write_bytes(b"names alone decide; no clip is decoded")
    found = load_dataset("videofolder", data_dir=str(root)).cast_column("video", Video(decode=False))
    return {
        split: (
            Counter(Path(row["video"]["path"]).relative_to(root).as_posix() for row in rows),
            rows.features["label"].num_classes if "label" in rows.features else 0,
        )
        for split, rows in found.items()
    }


flat = read("flat", CLASSES)
split = read("split", [f"{half}/{name}" for half in ("train", "val") for name in CLASSES])
others = read("others", [name for name in CLASSES if name != "training dog"])
for name, found in (("flat", flat), ("split", split), ("others", others)):
    for half, (clips, labels) in found.items():
        print(f"{name}: {half}: {clips.total()} clips, {len(clips)} of them different, {labels} labels")

assert flat == {"train": (Counter({"training dog/a.mp4": 1, "training dog/b.mp4": 1}), 0)}
train, validation = split["train"][0], split["validation"][0]
assert train.total() == 12 and [path for path, times in train.items() if times == 2] == [
    "train/training dog/a.mp4",
    "train/training dog/b.mp4",
]
assert sorted(path for path in train if path.startswith("val/")) == ["val/training dog/a.mp4", "val/training dog/b.mp4"]
assert validation.total() == len(validation) == 8
assert list(others) == ["train"] and others["train"][0].total() == 6 and others["train"][1] == 3
PYTHON
