"""A folder in UCF101's layout in, its splits as entries out: 101 kinds of action, three ways to divide them.

The files are `classInd.txt` (`1 ApplyEyeMakeup`), `trainlist01.txt` (`Class/v_Class_g08_c01.avi 1`) and
`testlist01.txt` (the same without labels). `ucf101` is split 01; `ucf101-2` and `ucf101-3` are the others. Clips of one
group (g08) are cut from one video. A twentieth of the groups is held out of training for validation.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet, of_training
from stan.data.datasets.files import annotation, lines, without_extension
from stan.data.datasets.kinetics import labelled


def annotations(number: int, root: Path, split: str) -> Annotations:
    """Return train, val or test of the published split `number` (1 to 3)."""
    index = annotation(root, "classInd.txt")
    classes = class_names(index)
    texts = tuple(words(name) for name in classes)
    if split == "test":
        file = annotation(root, f"testlist0{number}.txt")
        return Annotations(tested(file, classes), (file, index), texts)
    file = annotation(root, f"trainlist0{number}.txt")
    entries = of_training(split, labelled(file, len(classes), first=1), lambda e: e.id.rpartition("_c")[0])
    return Annotations(entries, (file, index), texts, held_out=True)


def class_names(path: Path) -> tuple[str, ...]:
    """Return the classes in the order of their numbers, named as the folders are."""
    names = []
    for number, line in lines(path):
        index, _, name = line.partition(" ")
        if index != str(len(names) + 1) or not name:
            raise ValueError(f"{path}:{number}: `{len(names) + 1} Class` is expected, not {line[:80]!r}")
        names.append(name.strip())
    return tuple(names)


def tested(path: Path, classes: tuple[str, ...]) -> tuple[AnnotationEntry, ...]:
    """Return one entry per line; the folder is the class."""
    entries = []
    for number, line in lines(path):
        folder = line.partition("/")[0]
        if folder not in classes:
            raise ValueError(f"{path}:{number}: {folder!r} is no class of classInd.txt")
        entries.append(AnnotationEntry(without_extension(line), line, label=classes.index(folder)))
    return tuple(entries)


def words(name: str) -> str:
    """Return the class name `ApplyEyeMakeup` as `Apply Eye Makeup`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


SETS = tuple(
    DataSet(
        "ucf101" if number == 1 else f"ucf101-{number}",
        "recognition",
        partial(annotations, number),
        f"classInd.txt, trainlist0{number}.txt, testlist0{number}.txt",
        "www.crcv.ucf.edu/data/UCF101.php",
        {"train": (training,), "test": (testing,)},
        classes=101,
    )
    for number, training, testing in ((1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696))
)
