"""One video in; what a tour of STAN shows of it (scores forwards and backwards, movement at CLIP's levels) out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from stan.config import DataConfig, ModelConfig
from stan.data.splits import video_set
from stan.data.video import decoding
from stan.data.video.transforms import evaluation
from stan.models import temporal
from stan.models.dual_encoder import DualEncoder, build
from stan.models.factory import load_model

UNTRAINED = (
    "There is no trained model `{name}` here ({reason}). The tour goes on with an untrained one: "
    "all pictures are of the right kind, but no score means anything."
)


@dataclass(frozen=True)
class Example:
    """A video file and texts that may describe it."""

    path: Path
    captions: tuple[str, ...]


def example(
    video: str = "", captions: Sequence[str] = (), suite: str = "retrieval", worlds: str = "worlds"
) -> Example:
    """Return the given video with the given captions.

    Without a video, return a small one of the embedded world, with its own caption and the caption of its twin. Raises
    ValueError for a video without captions.
    """
    if video:
        if not captions:
            raise ValueError("give captions for the video: a list of two or more texts, the right one first")
        return Example(Path(video), tuple(captions))
    clips = {clip.id: clip for clip in video_set(DataConfig(suite=suite, size="tiny"), "test", worlds).clips}
    clip = next(clip for clip in clips.values() if clip.twin in clips and clip.seen)
    assert clip.twin is not None and isinstance(clip.path, Path)
    return Example(clip.path, (clip.captions[0], clips[clip.twin].captions[0]))


def open_model(name: str) -> tuple[DualEncoder, str]:
    """Return the model and a sentence about it: that it is trained, or why it is an untrained replacement."""
    try:
        return load_model(name), f"The model is `{name}`."
    except ValueError as error:
        model = build(ModelConfig(pretrained="random"), DataConfig().frames).eval()
        return model, UNTRAINED.format(name=name, reason=error)


def mean_pooled(model: DualEncoder) -> DualEncoder:
    """Return a model with the same CLIP and no temporal method: it takes the mean over frames."""
    return DualEncoder(model.clip, temporal.build("mean", model.clip, model.frames)).eval()


def pixels(model: DualEncoder, path: str | Path) -> tuple[Float[Tensor, "1 T 3 S S"], decoding.Decoded]:
    """Return the model's input for a file, and the decoded frames that it was made from. Raises VideoError."""
    decoded = decoding.decode(path, model.frames)
    clip = model.clip
    return torch.as_tensor(evaluation(clip.pixels)(decoded.frames))[None], decoded


@torch.inference_mode()
def forwards_and_backwards(
    models: dict[str, DualEncoder], seen: Float[Tensor, "1 T 3 S S"], captions: Sequence[str]
) -> pd.DataFrame:
    """Return, for each model by name, every caption's cosine with the video as it is and with its frames reversed."""
    columns = {}
    for name, model in models.items():
        both = F.normalize(model.encode_video(torch.cat([seen, seen.flip(1)])).video, dim=-1)
        scores = both @ F.normalize(model.encode_text(list(captions)).text, dim=-1).T
        for direction, row in zip(("forwards", "backwards"), scores.tolist(), strict=True):
            columns[name, direction] = row
    return pd.DataFrame(columns, index=list(captions))


def movement(model: DualEncoder, seen: Float[Tensor, "1 T 3 S S"]) -> dict[str, Float[Tensor, "T h w"]]:
    """Return, by block, how far each patch token is from its own mean over time. What stands still is dark."""
    height = model.clip.grid[0]
    shown = {}
    levels = model.encoder.levels(seen)
    for i in range(model.clip.layers):
        patches = rearrange(model.clip.visual.patches(levels[i][0]), "t (h w) d -> t h w d", h=height)
        shown[f"block {i + 1}"] = (patches - patches.mean(0)).norm(dim=-1).cpu()
    return shown


def reads(model: DualEncoder) -> pd.DataFrame:
    """Return which of CLIP's blocks each branch layer reads, counted from 1."""
    blocks = [block + 1 for block in getattr(model.temporal, "reads", ())]
    return pd.DataFrame({"branch layer": range(1, len(blocks) + 1), "reads CLIP's block": blocks})
