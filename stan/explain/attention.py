"""A model and a video in; raw attention out: over space for CLIP and the branch, over time for the branch.

The input of each attention module is recorded while the model runs, and the weights are computed from it again, because
neither open_clip nor the branch keeps them. The model's output is the same as without this.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from stan.models.attention import TowerAttention, attention_weights
from stan.models.temporal.stan_layer import CrossFrameAttention, IntraFrame

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
    clip: Float[np.ndarray, "layers T heads h w"]
    """Attention from the CLS token to the patches in each of CLIP's blocks. Each row sums to one together with the
    attention from CLS to itself."""
    branch: Float[np.ndarray, "K T heads h w"] | None
    """Attention from the branch's CLS to the patches, layer by layer; None if there is no intra-frame attention."""
    temporal: Float[np.ndarray, "K heads h w T T"] | None
    """Attention between frames at each patch, rows summing to one; None if there is no cross-frame attention."""
    note: str = NOTE
    """Note that has to stand beside every picture of these weights."""


def attention(model: DualEncoder, path: str | Path, frames: int | None = None) -> Attention:
    """Return the attention of `model` on `frames` frames of the video at `path` (None: the model's own number).

    Raises VideoError for a file that cannot be decoded. Raises ValueError for more frames than the model has positions
    for, and for a temporal method whose blocks read other tokens than each frame's CLS and patch tokens.
    """
    pixels, times = model.decode(path, frames)
    maps, _ = attention_of(model, pixels)
    clip = maps["clip"]
    assert clip is not None, "CLIP has blocks"
    return Attention(shown(pixels, model.clip), times, clip, maps["branch"], maps["temporal"])


@torch.inference_mode()
def attention_of(
    model: DualEncoder, pixels: Float[Tensor, "T 3 S S"]
) -> tuple[dict[str, np.ndarray | None], VideoOutput]:
    """Return the attention maps by name, as in `Attention`, and the output that the model gave in the same run.

    Raises ValueError for a temporal method whose blocks read other tokens than each frame's CLS and patch tokens.
    """
    blocks = list(model.clip.blocks)
    intra = [m for m in model.temporal.modules() if isinstance(m, IntraFrame)]
    cross = [m for m in model.temporal.modules() if isinstance(m, CrossFrameAttention)]
    copies = [m.block for m in intra]
    with noted_outputs([*(block.ln_1 for block in blocks + copies), *(m.norm for m in cross)]) as seen:
        output = model.encode_video(pixels[None].to(model.device))
    require_own_patches(model, len(pixels), seen)
    height = model.clip.grid[0]
    spatial = [_to_patches(block.attn, seen[block.ln_1], height) for block in blocks]
    branch = [_to_patches(block.attn, seen[block.ln_1], height) for block in copies]
    temporal = [_over_time(m.attention, seen[m.norm], height) for m in cross]
    maps = {"clip": np.stack(spatial), "branch": _stacked(branch), "temporal": _stacked(temporal)}
    return maps, output


def require_own_patches(model: DualEncoder, frames: int, seen: dict[nn.Module, Any]) -> None:
    """Raise ValueError if CLIP's blocks read other tokens than each frame's CLS and patch tokens."""
    blocks = list(model.clip.blocks)
    if any(seen[block.ln_1].shape[:2] != (frames, model.clip.tokens_per_frame) for block in blocks):
        name = type(model.temporal).__name__
        raise ValueError(
            f"there are no attention maps of {name}: its tokens are not each frame's own patches"
        )


@contextmanager
def noted_outputs(modules: list[nn.Module]) -> Generator[dict[nn.Module, Any]]:
    """Yield a dict that keeps each module's last output while the context is open."""
    seen: dict[nn.Module, Any] = {}

    def note(module: nn.Module, _: Any, output: Any) -> None:
        seen[module] = output

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(note).remove)
        yield seen


def _to_patches(
    attention: nn.MultiheadAttention | TowerAttention, x: Float[Tensor, "T N D"], height: int
) -> Float[np.ndarray, "T heads h w"]:
    weights = attention_weights(attention, x)[:, :, 0, 1:]
    return rearrange(weights.float().cpu().numpy(), "t heads (h w) -> t heads h w", h=height)


def _over_time(
    attention: nn.MultiheadAttention | TowerAttention, x: Float[Tensor, "1 T P D"], height: int
) -> Float[np.ndarray, "heads h w T T"]:
    weights = attention_weights(attention, rearrange(x, "1 t p d -> p t d"))
    return rearrange(weights.float().cpu().numpy(), "(h w) heads t s -> heads h w t s", h=height)


def _stacked(layers: list[np.ndarray]) -> np.ndarray | None:
    return np.stack(layers) if layers else None


def shown(pixels: Float[Tensor, "T 3 S S"], clip: Clip) -> UInt8[np.ndarray, "T S S 3"]:
    """Return the model's input as pictures again."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (clip.pixels.mean, clip.pixels.std))
    restored = pixels * std + mean
    return (rearrange(restored, "t c h w -> t h w c").clamp(0, 1) * 255).round().byte().numpy()
