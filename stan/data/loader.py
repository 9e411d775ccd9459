"""A split's clips in, batches of tensors out: prepared frames (or their cached levels), token ids, labels.

The content of a batch depends on the clips' indices and the draw alone, so that a resumed run sees the same batches.
Letters: B clips, V views, T frames, S pixels in `video` and tokens in `levels`, L text tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from stan.common.cores import cores
from stan.common.progress import Progress
from stan.config import DataConfig
from stan.data import prompts
from stan.data.datasets import VideoSet
from stan.data.frame_cache import FrameCache, frame_cache
from stan.data.preprocessing import Preprocessing, token_ids
from stan.data.shards import Member
from stan.data.video import decoding, transforms
from stan.data.video.augmentation import AUGMENTATIONS


class Levels(Protocol):
    """Levels of a frozen image tower that were computed earlier: clip after clip, the views of a clip in a row."""

    def rows(self, rows: Sequence[int] | np.ndarray) -> dict[int, Float[Tensor, "B T S D"]]: ...


Batch = dict[str, Any]
"""index (B,), text (B, L), video (B * V, T, 3, S, S) or levels {i: (B * V, T, S, D)} or embedded {field: (B * V, ...)};
for recognition also label (B,) and twin_label (B,), which is -1 where a clip has no time-reversed twin."""

MARGIN = 256 / 224
"""Short side of decoded training frames divided by the size of the crop, as released."""

BUFFER = 2000
"""Clips of shards among which the next one is drawn."""

_ORDER, _CLIP, _TEMPLATE, _SENTENCE = 1, 2, 3, 4  # keys of independent streams of random numbers


class Loader:
    """Makes batches of one split, for one backbone and number of frames.

    views: 1; or 3, 12 or 30, which are three crops along the long side in 1, 4 or 10 passes over a video. Each pass has
    its own places in the segments. The middle crop of a single pass is the view that `views=1` gives.
    augment: whether batches with a draw take random frames, changed as `data.augmentation` says.
    """

    def __init__(
        self,
        videos: VideoSet,
        preprocessing: Preprocessing,
        data: DataConfig,
        *,
        views: int = 1,
        augment: bool = False,
    ):
        self.videos, self.views, self.augment = videos, views, augment
        self.frames = data.frames
        self._augmentation = AUGMENTATIONS[data.augmentation]
        self._preprocessing = preprocessing
        self._tokens = partial(
            token_ids, preprocessing.tokenize, words=data.words, reads_padding=preprocessing.reads_padding
        )
        self._levels: Levels | None = None
        self._embedded: dict[str, Tensor] | None = None
        self._kept: FrameCache | None = None
        self._order: Int[Tensor, "clips n"] | None = None
        self.templates = prompts.named(data.templates)
        self.template_average = prompts.averaged(data.template_average)
        self.owner = np.repeat(np.arange(len(videos.clips)), [len(v.captions) for v in videos.clips])
        """Index of each caption's clip."""
        self.first_caption = np.searchsorted(self.owner, np.arange(len(videos.clips)))
        place = {v.id: i for i, v in enumerate(videos.clips)}
        self.twins = np.array([place.get(v.twin, -1) for v in videos.clips])
        """Index of each clip's time-reversed twin, -1 where there is none."""
        self.shards = _shards(videos)
        """Number of the shard that holds each clip; None if they are files."""
        if videos.task == "recognition":
            labels = np.array([v.label for v in videos.clips])
            self.labels = torch.from_numpy(labels)
            self.twin_labels = torch.from_numpy(np.where(self.twins < 0, -1, labels[self.twins]))

    def __len__(self) -> int:
        return len(self.videos.clips)

    @cached_property
    def captions(self) -> Int[Tensor, "captions L"]:
        return self._tokens([caption for clip in self.videos.clips for caption in clip.captions])

    @cached_property
    def classes(self) -> Int[Tensor, "n L"]:
        """Token ids of all classes in the first template, then of all classes in the second, and so on."""
        return self._tokens(
            [prompts.fill(template, name) for template in self.templates for name in self.videos.classes]
        )

    def read_levels(self, levels: Levels) -> None:
        """From now on, put these levels of a frozen image tower into batches instead of frames."""
        assert not self.augment, "what is computed once cannot be drawn anew"
        self._levels = levels

    def read_embedded(self, embedded: dict[str, Tensor]) -> None:
        """From now on, put these embeddings of all clips into batches: tensors (clips x views, ...) by name."""
        self._embedded = embedded

    def cache_frames(self, root: str | Path, count: int, progress: Progress | None = None) -> None:
        """From now on, draw training frames from those that are decoded once, at most `count` of each clip."""
        assert self.augment, "what isn't drawn anew has its levels or few frames to keep"
        with ThreadPoolExecutor(_threads()) as pool:
            self._kept = frame_cache(root, self.videos, count, self._decoded_size, pool, progress)

    def arranged(self, order: Int[np.ndarray, "clips n"]) -> Loader:
        """Return a loader of the same clips, each with its frames in this order, which may repeat or leave out some."""
        assert self._embedded is None, "an embedding belongs to frames in the order in which it read them"
        other = copy.copy(self)
        other._order = torch.from_numpy(np.ascontiguousarray(order))
        return other

    def batch(self, indices: Sequence[int] | np.ndarray, draw: tuple[int, int] | None = None) -> Batch:
        """Return a batch of the clips at `indices`.

        draw: (seed, epoch) of what is random in training; None: nothing is random.
        """
        with ThreadPoolExecutor(_threads()) as pool:
            return self._batch(np.asarray(indices), draw, pool)

    def class_texts(self, draw: tuple[int, ...]) -> Int[Tensor, "classes L"]:
        """Return each class in a template that is drawn for it. draw: seed, epoch and what identifies the step."""
        templates, classes, _ = self._by_template.shape
        drawn = np.random.default_rng((_TEMPLATE, *draw)).integers(templates, size=classes)
        return self._by_template[torch.from_numpy(drawn), torch.arange(classes)]

    def own_texts(self, indices: np.ndarray, draw: tuple[int, int]) -> Int[Tensor, "B L"]:
        """Return the class of each clip at `indices`, in a template drawn for it. draw: seed and epoch."""
        templates = len(self.templates)
        drawn = [int(np.random.default_rng((_SENTENCE, *draw, int(i))).integers(templates)) for i in indices]
        return self._by_template[torch.tensor(drawn), self.labels[indices]]

    @property
    def _by_template(self) -> Int[Tensor, "templates classes L"]:
        return rearrange(self.classes, "(n c) l -> n c l", n=len(self.templates))

    def batches(self, order: Iterable[np.ndarray], draw: tuple[int, int] | None = None) -> Iterator[Batch]:
        """Yield a batch for each item of `order`, while the next one is being decoded."""
        with ThreadPoolExecutor(_threads()) as pool, ThreadPoolExecutor(1) as ahead:
            waiting = None
            for indices in order:
                upcoming = ahead.submit(self._batch, np.asarray(indices), draw, pool)
                if waiting is not None:
                    yield waiting.result()
                waiting = upcoming
            if waiting is not None:
                yield waiting.result()

    def in_order(self, size: int) -> Iterator[Batch]:
        """Yield batches with all clips once, in the split's order."""
        return self.batches(np.array_split(np.arange(len(self)), range(size, len(self), size)))

    def _batch(self, indices: np.ndarray, draw: tuple[int, int] | None, pool: ThreadPoolExecutor) -> Batch:
        draws = [None if draw is None else np.random.default_rng((_CLIP, *draw, int(i))) for i in indices]
        batch: Batch = {"index": torch.from_numpy(indices.astype(np.int64))}
        if len(self.captions):
            batch["text"] = self.captions[
                [self._caption(i, rng) for i, rng in zip(indices, draws, strict=True)]
            ]
        if self.videos.task == "recognition":
            batch |= {"label": self.labels[indices], "twin_label": self.twin_labels[indices]}
        rows = (indices[:, None] * self.views + np.arange(self.views)).ravel()
        if self._embedded is not None:
            batch["embedded"] = {name: tensor[rows] for name, tensor in self._embedded.items()}
        elif self._levels is not None:
            levels = self._levels.rows(rows)
            batch["levels"] = {i: self._rearranged(level, indices) for i, level in levels.items()}
        else:
            videos = torch.cat(list(pool.map(self._video, indices, draws)))
            batch["video"] = self._rearranged(videos, indices)
        return batch

    def _rearranged(self, frames: Float[Tensor, "BV T *rest"], indices: np.ndarray) -> Tensor:
        if self._order is None:
            return frames
        order = self._order[indices].repeat_interleave(self.views, 0)
        return frames[torch.arange(len(frames))[:, None], order]

    def _caption(self, index: int, rng: np.random.Generator | None) -> int:
        """Return the index of the clip's first caption or, with `rng`, of one drawn from its captions."""
        count = len(self.videos.clips[index].captions)
        return self.first_caption[index] + (0 if rng is None else int(rng.integers(count)))

    def _video(self, index: int, rng: np.random.Generator | None = None) -> Float[Tensor, "V T 3 S S"]:
        path, count = self.videos.clips[index].path, self.frames
        if rng is not None and self.augment:
            assert self._augmentation is not None
            if self._kept is not None:
                drawn = self._kept.draw(index, count, rng)
            else:
                drawn = decoding.decode(path, count, self._decoded_size, rng).frames
            changed = transforms.training(self._preprocessing.pixels, self._augmentation)
            return torch.as_tensor(changed(drawn, rng))[None]
        if self.views == 1:
            settings = self._preprocessing.pixels
            frames = decoding.decode(path, count, settings.scaling).frames
            return torch.as_tensor(transforms.evaluation(settings)(frames))[None]
        passes, crops = self.views // transforms.CROPS, transforms.views(self._preprocessing.pixels)
        frames = decoding.decode(path, passes * count).frames
        return torch.as_tensor(np.concatenate([crops(frames[k::passes]) for k in range(passes)]))

    @property
    def _decoded_size(self) -> int:
        """Short side of training frames before they are cropped, in pixels."""
        return round(self._preprocessing.pixels.size * MARGIN)

    def all_videos(self) -> Iterator[Float[Tensor, "V T 3 S S"]]:
        """Yield every clip's prepared frames, in the split's order."""
        with ThreadPoolExecutor(_threads()) as pool:
            for start in range(0, len(self), 64):  # so that no more than 64 clips are decoded ahead
                yield from pool.map(self._video, range(start, min(start + 64, len(self))))


def order(
    twins: Int[np.ndarray, " clips"],
    batch: int,
    seed: int,
    epoch: int,
    shards: Int[np.ndarray, " clips"] | None = None,
) -> list[np.ndarray]:
    """Return an epoch's batches of clip indices, shuffled; an incomplete last batch is dropped.

    twins: index of each clip's twin or -1. Twins follow each other, so that most batches hold both: only a comparison
    of the two tells anything about frame order. shards: number of each clip's shard, if there are shards: then clips of
    one shard stay near each other. Raises ValueError if not even one batch is full.
    """
    clips = len(twins)
    if clips < batch:
        raise ValueError(
            f"a batch of {batch} from {clips} training clips: set train.batch to at most {clips}"
        )
    rng = np.random.default_rng((_ORDER, seed, epoch))
    shuffled = rng.permutation(clips) if shards is None else _by_shard(shards, rng)
    pairs = np.stack([shuffled, twins[shuffled]], 1)
    first = (twins[shuffled] < 0) | (shuffled < twins[shuffled])  # one of two twins brings both
    chosen = pairs[first].ravel()
    return list(chosen[chosen >= 0][: clips - clips % batch].reshape(-1, batch))


def _by_shard(shards: Int[np.ndarray, " clips"], rng: np.random.Generator) -> Int[np.ndarray, " clips"]:
    """Return the clips shard after shard, in a random order of shards, mixed in a buffer of BUFFER clips.

    So each shard is read in one stretch of the epoch. The order of an epoch is drawn as a whole, so that a resumed run
    needs no state of it.
    """
    place = rng.permutation(shards.max() + 1)[shards]
    stream, buffer, mixed = np.argsort(place, kind="stable"), [], []
    for clip in stream:
        buffer.append(clip)
        if len(buffer) > BUFFER:
            i = int(rng.integers(len(buffer)))
            buffer[i], buffer[-1] = buffer[-1], buffer[i]
            mixed.append(buffer.pop())
    return np.array([*mixed, *rng.permutation(buffer)], np.int64)


def hashes(*loaders: Loader) -> dict[str, str]:
    """Return the hash of each loader's videos and texts, by its split."""
    return {loader.videos.split: loader.videos.hash for loader in loaders}


def _shards(videos: VideoSet) -> Int[np.ndarray, " clips"] | None:
    members = [clip.path.shard for clip in videos.clips if isinstance(clip.path, Member)]
    return np.unique(members, return_inverse=True)[1] if members else None


def _threads() -> int:
    return min(8, cores())
