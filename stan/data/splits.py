"""A data config in, its splits as sets of videos out; renders the embedded world if it isn't there yet."""

from __future__ import annotations

from pathlib import Path

from stan.common.progress import Progress, StageProgress, stage
from stan.config import DataConfig
from stan.data.datasets import VideoSet, load
from stan.data.datasets.broken import without_broken
from stan.data.world import writer
from stan.data.world.suites import SUITES


def video_set(
    data: DataConfig, split: str, worlds_root: str | Path = "worlds", progress: Progress | None = None
) -> VideoSet:
    """Return the split `train`, `val` or `test` of the suite that `data` names.

    progress: called with the clips rendered and the number of all clips, if the world isn't there yet.
    Raises ValueError for an unknown suite or split, and for a real set without its folder.
    """
    if data.suite in SUITES:
        return load(f"world/{data.suite}:{world_folder(data, worlds_root, progress)}", split)
    if data.root is None:
        raise ValueError(
            f"suite {data.suite!r} is not in the embedded world ({', '.join(SUITES)}): give its folder"
        )
    return load(f"{data.suite}:{data.root}", split)


def readable(
    data: DataConfig,
    split: str,
    worlds_root: str | Path,
    runs_root: str | Path,
    progress: StageProgress | None = None,
) -> VideoSet:
    """Return the same as `video_set`, without broken clips where they are skipped.

    `<runs_root>/.broken` keeps which ones are. Raises ValueError as `video_set`, and if no clip is left.
    """
    videos = video_set(data, split, worlds_root, stage(progress, f"rendering {data.suite}"))
    if not data.skip_broken:
        return videos
    return without_broken(
        videos, Path(runs_root) / ".broken", stage(progress, f"decoding {data.suite} {split}")
    )


def world_folder(
    data: DataConfig, worlds_root: str | Path = "worlds", progress: Progress | None = None
) -> Path:
    """Return the folder of the suite's videos, rendered at the first call; a second process waits meanwhile."""
    told = progress or (lambda done, total: None)
    return writer.write(data.suite, data.size, worlds_root, data.world_seed, told)
