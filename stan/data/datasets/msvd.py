"""A folder in MSVD's layout in, its splits as entries out: some forty sentences per video, which all count in testing.

The files are `{train,val,test}_list.txt` (one video per line, such as `-4wsuPCjDBc_5_15`) and the English sentences:
`AllVideoDescriptions.txt` (`video sentence`; lines that start with # are comments), or else `video_corpus.csv`
(VideoID, Start, End, Language, Description, ...), which may also be named `MSR Video Description Corpus.csv`. The
pickle `raw-captions.pkl`, which other code reads, is not read here: a pickle can run code.
"""

from __future__ import annotations

from pathlib import Path

from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet
from stan.data.datasets.files import Absent, annotation, lines, optional_annotation, rows

TEXT = "AllVideoDescriptions.txt"
TABLES = ("video_corpus.csv", "MSR Video Description Corpus.csv")


def annotations(root: Path, split: str) -> Annotations:
    """Return the split train, val or test."""
    listed, corpus = annotation(root, f"{split}_list.txt"), optional_annotation(root, TEXT, *TABLES)
    if corpus is None:
        pickled = optional_annotation(root, "raw-captions.pkl")
        why = f"; {pickled.name} is a pickle, which could run code and is not read" if pickled else ""
        raise Absent(f"{root}: there is no {TEXT} or {' or '.join(TABLES)}{why}")
    return Annotations(captioned(listed, corpus), (listed, corpus))


def captioned(listed: Path, corpus: Path) -> tuple[AnnotationEntry, ...]:
    """Return one entry per listed video, with all its English sentences."""
    captions = from_text(corpus) if corpus.suffix == ".txt" else from_table(corpus)
    entries = []
    for number, video in lines(listed):
        if video not in captions:
            raise ValueError(f"{listed}:{number}: {video} has no English sentence in {corpus.name}")
        entries.append(AnnotationEntry(video, video, tuple(captions[video])))
    return tuple(entries)


def from_text(path: Path) -> dict[str, list[str]]:
    """Return the sentences by video."""
    captions: dict[str, list[str]] = {}
    for number, line in lines(path):
        if line.startswith("#"):
            continue
        video, _, sentence = line.partition(" ")
        if not sentence.strip():
            raise ValueError(f"{path}:{number}: `video sentence` is expected, not {line[:80]!r}")
        captions.setdefault(video, []).append(sentence.strip())
    return captions


def from_table(path: Path) -> dict[str, list[str]]:
    """Return the English sentences by video; the corpus has rows in other languages and some without a sentence."""
    captions: dict[str, list[str]] = {}
    for _, row in rows(path, ("VideoID", "Start", "End", "Language")):
        sentence = row.get("Description", "").strip()
        if row["Language"] == "English" and sentence:
            captions.setdefault("_".join(row[key] for key in ("VideoID", "Start", "End")), []).append(
                sentence
            )
    return captions


SET = DataSet(
    "msvd",
    "retrieval",
    annotations,
    f"train_list.txt, val_list.txt, test_list.txt; {TEXT} or {TABLES[0]}",
    "www.cs.utexas.edu/users/ml/clamp/videoDescription; lists: github.com/albanie/collaborative-experts",
    {"train": (1200,), "val": (100,), "test": (670,)},
)
