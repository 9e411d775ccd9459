"""An experiment, its model and a split's name in, the split as a loader of levels or frames out."""

from __future__ import annotations

from pathlib import Path

from stan.common.progress import StageProgress, stage
from stan.config import Experiment
from stan.data.loader import Loader
from stan.data.splits import readable
from stan.models.dual_encoder import DualEncoder
from stan.models.level_cache import cache_levels


def computed_once(experiment: Experiment) -> bool:
    """Tell whether training reads an image tower's levels: it is frozen, and no augmentation asks for other frames."""
    frozen = experiment.train.frozen in ("vision", "clip")
    return frozen and experiment.data.augmentation in ("crop", "none")


def open_split(
    experiment: Experiment,
    model: DualEncoder,
    split: str,
    worlds_root: str | Path,
    runs_root: str | Path,
    views: int = 1,
    progress: StageProgress | None = None,
) -> Loader:
    """Return a split as the experiment reads it: cached levels where `computed_once`, else frames decoded anew.

    `model` must still have its backbone's own image tower. `<runs_root>/.levels` keeps levels, `<runs_root>/.frames`
    frames of training clips if asked for, and `<runs_root>/.broken` the names of broken clips that are skipped.
    """
    fixed = computed_once(experiment)
    videos = readable(experiment.data, split, worlds_root, runs_root, progress)
    augment = split == "train" and not fixed and experiment.data.augmentation != "none"
    loader = Loader(videos, model.clip.preprocessing, experiment.data, views=views, augment=augment)
    if fixed:
        shown = stage(progress, f"levels of {experiment.data.suite} {split}")
        cache_levels(loader, Path(runs_root) / ".levels", model.encoder, shown)
    elif augment and experiment.data.kept_frames:
        shown = stage(progress, f"frames of {experiment.data.suite}")
        loader.cache_frames(Path(runs_root) / ".frames", experiment.data.kept_frames, shown)
    return loader
