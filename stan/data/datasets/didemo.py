"""A folder in DiDeMo's layout in, a VideoSet out: all descriptions of a video joined to one paragraph.

`{train,val,test}_list.txt` (a video file a line; all videos of the JSON file where there is none) and
`{train,val,test}_data.json` or `didemo_{...}_data.json` ([{"video", "description", "times", ...}]).
"""

from __future__ import annotations

from pathlib import Path

from stan.data.datasets.base import (
    Entry,
    VideoSet,
    annotation,
    assemble,
    items,
    lines,
    optional_annotation,
)


def read(root: str | Path, split: str, name: str = "didemo") -> VideoSet:
    """The split train, val or test. Raises ValueError naming file and line of what cannot be used."""
    root = Path(root)
    data = annotation(root, f"{split}_data.json", f"didemo_{split}_data.json")
    entries = paragraphs(data, optional_annotation(root, f"{split}_list.txt"))
    return assemble(name, split, "retrieval", root, entries)


def paragraphs(data: Path, listed: Path | None = None) -> list[Entry]:
    """One entry a video, its descriptions joined by a space in the file's order."""
    sentences: dict[str, list[str]] = {}
    for video, description in items(data, lambda item: (item["video"], item["description"])):
        sentences.setdefault(video, []).append(description.strip())
    names = list(sentences) if listed is None else _listed(listed, data, sentences)
    return [Entry(Path(video).stem, video, (" ".join(sentences[video]),)) for video in names]


def _listed(listed: Path, data: Path, sentences: dict[str, list[str]]) -> list[str]:
    """The listed videos by the names they have in the JSON file; lists often leave out or change the extension."""
    by_stem = {Path(video).stem: video for video in sentences}
    names = []
    for number, line in lines(listed):
        video = line if line in sentences else by_stem.get(line) or by_stem.get(Path(line).stem)
        if video is None:
            raise ValueError(f"{listed}:{number}: {line} has no description in {data.name}")
        names.append(video)
    return names
