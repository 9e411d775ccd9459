"""A folder in LSMDC's layout in, its splits as entries out: one sentence per clip of a film.

The files are `LSMDC16_annos_training.csv`, `LSMDC16_annos_val.csv` and `LSMDC16_challenge_1000_publictect.csv` (spelt
like this), tab-separated without a header: clip_id, start_aligned, end_aligned, start_extracted, end_extracted,
sentence.
"""

from __future__ import annotations

from pathlib import Path

from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet
from stan.data.datasets.files import annotation, lines

FILES = {
    "train": ("LSMDC16_annos_training.csv",),
    "val": ("LSMDC16_annos_val.csv",),
    "test": ("LSMDC16_challenge_1000_publictect.csv", "LSMDC16_challenge_1000_publictext.csv"),
}
COLUMNS = 6


def annotations(root: Path, split: str) -> Annotations:
    """Return the split train, val or test."""
    file = annotation(root, *FILES[split])
    return Annotations(sentences(file), (file,))


def sentences(path: Path) -> tuple[AnnotationEntry, ...]:
    """Return one entry per clip; a clip named in several lines keeps all its sentences."""
    found: dict[str, list[str]] = {}
    for number, line in lines(path):
        columns = line.split("\t")
        if len(columns) != COLUMNS:
            raise ValueError(
                f"{path}:{number}: {len(columns)} tab-separated columns where {COLUMNS} are expected"
            )
        found.setdefault(columns[0], []).append(columns[-1].strip())
    return tuple(AnnotationEntry(clip, clip, tuple(texts)) for clip, texts in found.items())


SET = DataSet(
    "lsmdc",
    "retrieval",
    annotations,
    ", ".join(names[0] for names in FILES.values()),
    "sites.google.com/site/describingmovies/download, after asking its makers for access",
    # A training or validation clip can have several lines, and the published numbers count lines.
    {"test": (1000,)},
)
