"""A model and a video in; raw attention out: over space for CLIP and the branch, over time for the branch.

The input of each attention module is recorded while the model runs, and the weights are computed from it again, because
neither open_clip nor the branch keeps them. The model's output is the same as without this.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from stan.common.recording import Passes, all_recorded
from stan.explain.readout import Readout, readout_of
from stan.models.attention import Attention as AttentionModule
from stan.models.attention import attention_weights, weights_of
from stan.models.temporal.decoder_layer import DecoderLayer
from stan.models.temporal.stan_layer import CrossFrameAttention, IntraFrame
from stan.models.towers.pooling import MeanPool

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.dual_encoder import DualEncoder
    from stan.models.video_encoder import VideoOutput

NOTE = "This is attention, not an explanation: it shows what a layer mixes, not why the score is what it is."


@dataclass(frozen=True)
class Attention:
    """Raw attention weights of one video, and what the model saw of it."""

    pixels: UInt8[np.ndarray, "T S S 3"]
    times: Float[np.ndarray, " T"]
    """Time of each frame in seconds."""
    grid: tuple[int, int]
    """Rows and columns of patches."""
    clip: Float[np.ndarray, "layers T heads h w"] | None
    """Attention to the patches in each of CLIP's blocks, from the CLS token or, where CLIP doesn't read that, from the
    tokens that its pooling mixes, each by its share (`Readout`). Each row sums to one together with the attention to
    tokens before the patches. None if the blocks have no attention that can be seen apart."""
    branch: Float[np.ndarray, "K T heads h w"] | None
    """Attention from the branch's CLS to each frame's patches, or from EVL's query to all frames', layer by layer; None
    if there is neither."""
    temporal: Float[np.ndarray, "K heads h w T T"] | None
    """Attention between frames at each patch, rows summing to one; None if there is no cross-frame attention."""
    pooling: Float[np.ndarray, "T heads h w"] | None
    """Weights with which CLIP's attention pool mixes the last block's patches; None if it has no such pool."""
    note: str = NOTE
    """Note that has to stand beside every picture of these weights."""


def attention(model: DualEncoder, path: str | Path, frames: int | None = None) -> Attention:
    """Return the attention of `model` on `frames` frames of the video at `path` (None: the model's own number).

    Raises VideoError for a file that cannot be decoded. Raises ValueError for more frames than the model has positions
    for, and for a temporal method whose blocks read other tokens than each frame's own.
    """
    pixels, times = model.decode(path, frames)
    maps, _ = attention_of(model, pixels)
    of_parts = maps["clip"], maps["branch"], maps["temporal"], maps["pooling"]
    return Attention(shown(pixels, model.clip), times, model.clip.grid, *of_parts)


@torch.inference_mode()
def attention_of(
    model: DualEncoder, pixels: Float[Tensor, "T 3 S S"]
) -> tuple[dict[str, np.ndarray | None], VideoOutput]:
    """Return the attention maps by name, as in `Attention`, and the output that the model gave in the same run.

    Raises ValueError for a temporal method whose blocks read other tokens than each frame's own.
    """
    tower = model.clip.visual
    blocks = list(model.clip.blocks) if model.clip.has_parts else []
    intra = [m for m in model.temporal.modules() if isinstance(m, IntraFrame)]
    cross = [m for m in model.temporal.modules() if isinstance(m, CrossFrameAttention)]
    decoder = [m for m in model.temporal.modules() if isinstance(m, DecoderLayer)]
    norms = [*(block.ln_1 for block in blocks), *(m.block.ln_1 for m in intra), *(m.norm for m in cross)]
    with all_recorded([*norms, *decoder, *([tower.pooler] if tower.pooler else [])]) as passes:
        output = model.encode_video(pixels[None].to(model.device))
    require_own_patches(model, len(pixels), passes)
    readout, grid = readout_of(tower, passes, len(pixels)), model.clip.grid
    seen = {norm: passes[norm].last_result for norm in norms}
    own = [_rows(readout, attention_weights(block.attn, seen[block.ln_1])) for block in blocks]
    branch = [attention_weights(m.block.attn, seen[m.block.ln_1], places=m.places)[:, :, 0] for m in intra]
    branch += [_of_query(layer, *passes[layer].given[-1][:2]) for layer in decoder]
    pool = None if tower.pooler is None or isinstance(tower.pooler, MeanPool) else readout.weights
    maps = {
        "clip": _stacked([_on_grid(rows, grid) for rows in own]),
        "branch": _stacked([_on_grid(rows, grid) for rows in branch]),
        "temporal": _stacked([_over_time(m.attention, seen[m.norm], grid) for m in cross]),
        "pooling": None if pool is None else _on_grid(pool, grid),
    }
    return maps, output


def require_own_patches(model: DualEncoder, frames: int, passes: dict[nn.Module, Passes]) -> None:
    """Raise ValueError if CLIP's blocks, as far as they were recorded, read other tokens than each frame's own.

    Blocks without parts read nothing else.
    """
    norms = (
        [block.ln_1 for block in model.clip.blocks if block.ln_1 in passes] if model.clip.has_parts else []
    )
    if any(passes[norm].last_result.shape[:2] != (frames, model.clip.tokens_per_frame) for norm in norms):
        name = type(model.temporal).__name__
        raise ValueError(
            f"there are no attention maps of {name}: its tokens are not each frame's own patches"
        )


def _rows(readout: Readout, weights: Float[Tensor, "T heads S S"]) -> Float[Tensor, "T heads S"]:
    """Return the rows of the tokens that are read, each by its share."""
    return torch.einsum("t q, t h q s -> t h s", readout.shares, readout.of_read(weights))


def _on_grid(rows: Float[Tensor, "T heads S"], grid: tuple[int, int]) -> Float[np.ndarray, "T heads h w"]:
    """Return the patches' part of rows of attention."""
    patches = rows[..., -grid[0] * grid[1] :].float().cpu().numpy()
    return rearrange(patches, "t heads (h w) -> t heads h w", h=grid[0])


def _of_query(
    layer: DecoderLayer, query: Float[Tensor, "1 1 D"], tokens: Float[Tensor, "1 T S D"]
) -> Float[Tensor, "T heads S"]:
    """Return the query's attention to the tokens of all frames, which sums to one."""
    q, k, _ = layer.attention_heads(query, tokens)
    return rearrange(weights_of(q, k), "1 h 1 (t s) -> t h s", t=tokens.shape[1])


def _over_time(
    attention: AttentionModule, x: Float[Tensor, "1 T S D"], grid: tuple[int, int]
) -> Float[np.ndarray, "heads h w T T"]:
    patches = x[:, :, -grid[0] * grid[1] :]
    weights = attention_weights(attention, rearrange(patches, "1 t p d -> p t d"))
    return rearrange(weights.float().cpu().numpy(), "(h w) heads t s -> heads h w t s", h=grid[0])


def _stacked(layers: list[np.ndarray]) -> np.ndarray | None:
    return np.stack(layers) if layers else None


def shown(pixels: Float[Tensor, "T 3 S S"], clip: Clip) -> UInt8[np.ndarray, "T S S 3"]:
    """Return the model's input as pictures again."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (clip.pixels.mean, clip.pixels.std))
    restored = pixels * std + mean
    return (rearrange(restored, "t c h w -> t h w c").clamp(0, 1) * 255).round().byte().numpy()
