"""A folder in HMDB51's layout in, its splits as entries out: 51 kinds of action, three ways to divide them.

There is one file per class, `testTrainMulti_7030_splits/CLASS_test_split1.txt`, with lines such as `video.avi 1` (0:
unused, 1: training, 2: testing). `hmdb51` is split 1; `hmdb51-2` and `hmdb51-3` are the others. The names of clips from
one film are alike up to the class. A twentieth of the films is held out of training for validation.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet, of_training
from stan.data.datasets.files import Absent, folders, lines, without_extension

SIDES = {"0": None, "1": "train", "2": "test"}


def annotations(number: int, root: Path, split: str) -> Annotations:
    """Return train, val or test of the published split `number` (1 to 3)."""
    ending = f"_test_split{number}.txt"
    files = next((found for folder in folders(root) if (found := sorted(folder.glob(f"*{ending}")))), None)
    if files is None:
        raise Absent(f"{root}: there is no CLASS{ending}, neither here nor one folder down")
    names = [file.name.removesuffix(ending) for file in files]
    side = "test" if split == "test" else "train"
    entries = [e for label, file in enumerate(files) for e in listed(file, names[label], label, side)]
    classes = tuple(name.replace("_", " ") for name in names)
    if split == "test":
        return Annotations(tuple(entries), tuple(files), classes)
    return Annotations(of_training(split, entries, film), tuple(files), classes, held_out=True)


def listed(path: Path, name: str, label: int, side: str) -> list[AnnotationEntry]:
    """Return one entry per video of the class `name` that is on this side (train or test)."""
    entries = []
    for number, line in lines(path):
        video, _, use = line.rpartition(" ")
        if not video or use not in SIDES:
            raise ValueError(f"{path}:{number}: `video 0`, `1` or `2` is expected, not {line[:80]!r}")
        if SIDES[use] == side:
            video = f"{name}/{video.strip()}"
            entries.append(AnnotationEntry(without_extension(video), video, label=label))
    return entries


def film(entry: AnnotationEntry) -> str:
    """Return the film that a clip was cut from: the clip's name up to the class in it."""
    name, _, clip = entry.id.partition("/")
    return clip.partition(f"_{name}_")[0]


SETS = tuple(
    DataSet(
        "hmdb51" if number == 1 else f"hmdb51-{number}",
        "recognition",
        partial(annotations, number),
        f"testTrainMulti_7030_splits/CLASS_test_split{number}.txt, one a class",
        "serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database",
        {"train": (3570,), "test": (1530,)},
        classes=51,
    )
    for number in (1, 2, 3)
)
