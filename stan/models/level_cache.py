"""Clips and a frozen image tower in, the outputs of its blocks out: computed once, kept on disk, shared by all runs.

A cache is the folder `<root>/<key>`. It holds one `level<i>.npy` per kept block, `level-1.npy` for the input of the
first block, and `level-2.npy` for the tokens before CLIP's first LayerNorm if a method changes those. Each is float16
(clips x views, T, S, D) with a frame's S tokens, the tower's own first. The key is a hash of what the levels depend on:
the tower's weights and modules, how it reads pixels, the clips, T and the views.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float
from torch import Tensor

from stan.common.progress import Progress
from stan.data.loader import Loader

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.video_encoder import VideoEncoder

FRAMES_AT_ONCE = 256
"""Number of waiting frames at which a batch goes through the tower."""

ALL_LEVELS_BELOW = 4 * 2**30
"""If all levels take at most this many bytes, all are kept, so that the next method finds the ones it needs. Otherwise
only the levels asked for are kept."""


class Levels:
    """Read access to the cached levels of one set of clips."""

    def __init__(self, folder: Path, wanted: Iterable[int]):
        self.arrays = {i: np.load(_file(folder, i), mmap_mode="r") for i in wanted}

    def rows(self, rows: Sequence[int] | np.ndarray) -> dict[int, Float[Tensor, "B T S D"]]:
        """Return the float32 levels of these rows by block index."""
        rows = np.asarray(rows)
        return {i: torch.from_numpy(array[rows]).float() for i, array in self.arrays.items()}


def cache_levels(
    loader: Loader, root: str | Path, encoder: VideoEncoder, progress: Progress | None = None
) -> None:
    """Make the loader's batches hold the levels of a frozen image tower; compute the levels that aren't kept yet."""
    identity = f"{loader.videos.hash} {loader.videos.split} segment centres, {loader.views} views"
    shape = (len(loader) * loader.views, loader.frames)
    loader.read_levels(level_cache(root, encoder, identity, shape, loader.all_videos, progress))


def level_cache(
    root: str | Path,
    encoder: VideoEncoder,
    identity: str,
    shape: tuple[int, int],
    videos: Callable[[], Iterator[Float[Tensor, "V T 3 S S"]]],
    progress: Progress | None = None,
) -> Levels:
    """Return the levels that the encoder needs, and compute those that aren't kept yet.

    While one process computes levels, a second one waits for them.
    identity: names the clips and how they were sampled. shape: number of rows (clips x views) and T.
    videos: called only if a level is missing; yields every clip's prepared frames, with the views as first axis.
    progress: called with the number of rows done and that of all rows.
    """
    clip = encoder.clip
    folder = Path(root) / _key(clip, identity, shape)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = encoder.levels_to_keep
    with FileLock(folder / ".lock"):
        if any(not _file(folder, i).exists() for i in wanted):
            _compute(folder, encoder, shape, _to_keep(clip, shape, wanted), videos(), progress)
    return Levels(folder, wanted)


def _compute(
    folder: Path,
    encoder: VideoEncoder,
    shape: tuple[int, int],
    keep: list[int],
    videos: Iterator[Tensor],
    progress: Progress | None,
) -> None:
    """Write `.part` files and rename them when they are complete, so that every `level<i>.npy` is complete."""
    clip = encoder.clip
    rows, frames = shape
    size = (rows, frames // clip.visual.tubelet, clip.tokens_per_frame, clip.width)
    parts = {i: _file(folder, i).with_suffix(".part") for i in keep if not _file(folder, i).exists()}
    arrays = {i: np.lib.format.open_memmap(part, "w+", np.float16, size) for i, part in parts.items()}
    done = 0
    for batch in _batches(videos, FRAMES_AT_ONCE):
        levels = encoder.levels(batch.to(clip.logit_scale.device))
        for i, array in arrays.items():
            array[done : done + len(batch)] = levels[i].half().cpu().numpy()
        done += len(batch)
        if progress:
            progress(done, shape[0])
    assert done == shape[0], f"{done} rows for {shape[0]}"
    for i, array in arrays.items():
        array.flush()
        os.replace(parts[i], _file(folder, i))


def _batches(videos: Iterator[Tensor], frames: int) -> Iterator[Float[Tensor, "B T 3 S S"]]:
    waiting: list[Tensor] = []
    for video in videos:
        waiting.append(video)
        if sum(v.shape[0] * v.shape[1] for v in waiting) >= frames:
            yield torch.cat(waiting)
            waiting = []
    if waiting:
        yield torch.cat(waiting)


def _to_keep(clip: Clip, shape: tuple[int, int], wanted: tuple[int, ...]) -> list[int]:
    everything = 2 * shape[0] * shape[1] * clip.tokens_per_frame * clip.width * (1 + clip.layers)
    return sorted({*range(-1, clip.layers), *wanted} if everything <= ALL_LEVELS_BELOW else wanted)


def _key(clip: Clip, identity: str, shape: tuple[int, int]) -> str:
    settings = [clip.pixels.mean, clip.pixels.std, *clip.unlike_openai]
    digest = hashlib.sha256(json.dumps([identity, *shape, *settings]).encode())
    # towers with the same weights may differ in activations, epsilons or positions
    digest.update(repr(clip.visual).encode())
    for name, tensor in sorted({**clip.visual.state_dict(), **dict(clip.visual.named_buffers())}.items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def _file(folder: Path, i: int) -> Path:
    return folder / f"level{i}.npy"
