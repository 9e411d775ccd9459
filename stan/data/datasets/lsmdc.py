"""A folder in LSMDC's layout in, a VideoSet out: one sentence a clip of a film.

`LSMDC16_annos_training.csv`, `LSMDC16_annos_val.csv`, `LSMDC16_challenge_1000_publictect.csv` (so spelt), tab-separated
without a header: clip_id, start_aligned, end_aligned, start_extracted, end_extracted, sentence.
"""

from __future__ import annotations

from pathlib import Path

from stan.data.datasets.base import Entry, VideoSet, annotation, assemble, lines

FILES = {
    "train": ("LSMDC16_annos_training.csv",),
    "val": ("LSMDC16_annos_val.csv",),
    "test": ("LSMDC16_challenge_1000_publictect.csv", "LSMDC16_challenge_1000_publictext.csv"),
}
COLUMNS = 6


def read(root: str | Path, split: str, name: str = "lsmdc") -> VideoSet:
    """The split train, val or test. Raises ValueError naming file and line of what cannot be used."""
    root = Path(root)
    return assemble(name, split, "retrieval", root, sentences(annotation(root, *FILES[split])))


def sentences(path: Path) -> list[Entry]:
    """One entry a clip; a clip named in several lines keeps all its sentences."""
    found: dict[str, list[str]] = {}
    for number, line in lines(path):
        columns = line.split("\t")
        if len(columns) != COLUMNS:
            raise ValueError(
                f"{path}:{number}: {len(columns)} tab-separated columns where {COLUMNS} are expected"
            )
        found.setdefault(columns[0], []).append(columns[-1].strip())
    return [Entry(clip, clip, tuple(texts)) for clip, texts in found.items()]
