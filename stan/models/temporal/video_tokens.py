"""Tokens of video frames in, tokens after a part of a CLIP block or after mixing over time out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.attention import Attention, Places, attend, own_places

if TYPE_CHECKING:
    from stan.models.blocks import Block

Layer = TypeVar("Layer", nn.Linear, nn.Conv3d)
WHOLE = nn.Identity()
"""Drops nothing."""


def attend_within(
    block: Block,
    x: Float[Tensor, "B T S D"],
    queries: int | None = None,
    places: Places | None = None,
) -> Float[Tensor, "B T Q D"]:
    """Return what CLIP's attention adds to each frame's tokens, or only to the first `queries` of them.

    places: where the tokens lie, for a sequence other than the tower's own.
    """
    y = attend(block.attn, block.ln_1(rearrange(x, "b t s d -> (b t) s d")), queries=queries, places=places)
    return block.ls_1(rearrange(y, "(b t) s d -> b t s d", t=x.shape[1]))


def transform(block: Block, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
    """Return what CLIP's MLP adds to each token."""
    return block.ls_2(block.mlp(block.ln_2(x)))


def run(
    block: Block,
    x: Float[Tensor, "N S D"],
    keys: Bool[Tensor, "N 1 1 S"] | None = None,
    drop_path: nn.Module = WHOLE,
    places: Places | None = None,
) -> Float[Tensor, "N S D"]:
    """Run CLIP's block on each sequence; nothing attends to tokens where `keys` is False.

    places: where the tokens lie, for a sequence other than the tower's own.
    """
    x = x + drop_path(block.ls_1(attend(block.attn, block.ln_1(x), keys, places=places)))
    return x + drop_path(transform(block, x))


def run_jointly(
    block: Block,
    x: Float[Tensor, "B T S D"],
    mask: Bool[Tensor, "B T"] | None,
    drop_path: nn.Module = WHOLE,
) -> Float[Tensor, "B T S D"]:
    """Run CLIP's block on all frames' tokens as one sequence; nothing attends to padding frames."""
    frames, count = x.shape[1:3]
    keys = None if mask is None else repeat(mask, "b t -> b 1 1 (t s)", s=count)
    own = own_places(block.attn)
    places = None if own is None else own.repeat(frames)
    y = run(block, rearrange(x, "b t s d -> b (t s) d"), keys, drop_path, places)
    return rearrange(y, "b (t s) d -> b t s d", t=frames)


def run_jointly_with_one_cls(
    block: Block,
    x: Float[Tensor, "B T S D"],
    mask: Bool[Tensor, "B T"] | None,
    drop_path: nn.Module = WHOLE,
) -> Float[Tensor, "B T S D"]:
    """Run CLIP's block on the video's one CLS token, which every frame holds a copy of, and all patches."""
    frames, count = x.shape[1], x.shape[2] - 1
    y, keys = _in_one_sequence(x[:, 0, :1], x[:, :, 1:], mask)
    own = own_places(block.attn)
    places = None if own is None else F.pad(own[1:].repeat(frames), (1, 0))
    cls, patches = run(block, y, keys, drop_path, places).split([1, frames * count], 1)
    return with_copies(cls, rearrange(patches, "b (t p) d -> b t p d", t=frames))


def attend_from_shared(
    attention: Attention,
    shared: Float[Tensor, "B M D"],
    patches: Float[Tensor, "B T P D"],
    mask: Bool[Tensor, "B T"] | None,
) -> Float[Tensor, "B M D"]:
    """Return what the tokens that a video's frames share get from themselves and all patches of real frames."""
    tokens, keys = _in_one_sequence(shared, patches, mask)
    return attend(attention, tokens, keys, queries=shared.shape[1])


def attend_in_groups(
    attention: Attention,
    shared: Float[Tensor, "B M D"],
    patches: Float[Tensor, "B G N D"],
    real: Bool[Tensor, "BG N"] | None,
) -> Float[Tensor, "B G N D"]:
    """Return what each patch gets from the shared tokens and the real patches of its group."""
    groups = patches.shape[1]
    tokens = rearrange(with_copies(shared, patches), "b g n d -> (b g) n d")
    y = attend(attention, tokens, _beside(shared, real))
    return rearrange(y[:, shared.shape[1] :], "(b g) n d -> b g n d", g=groups)


def _in_one_sequence(
    shared: Float[Tensor, "B M D"], patches: Float[Tensor, "B T P D"], mask: Bool[Tensor, "B T"] | None
) -> tuple[Float[Tensor, "B M+TP D"], Bool[Tensor, "B 1 1 M+TP"] | None]:
    """Return the shared tokens with all frames' patches behind them, and which of these are real."""
    tokens = torch.cat([shared, rearrange(patches, "b t p d -> b (t p) d")], 1)
    real = None if mask is None else repeat(mask, "b t -> b (t p)", p=patches.shape[2])
    return tokens, _beside(shared, real)


def _beside(
    shared: Float[Tensor, "B M D"], real: Bool[Tensor, "N S"] | None
) -> Bool[Tensor, "N 1 1 M+S"] | None:
    """Return which keys are real, behind those of the shared tokens, which all are."""
    return None if real is None else F.pad(real, (shared.shape[1], 0), value=True)[:, None, None]


def with_copies(
    shared: Float[Tensor, "B M D"], patches: Float[Tensor, "B T P D"]
) -> Float[Tensor, "B T M+P D"]:
    """Put a copy of the tokens that all frames share, such as the video's CLS token, before each frame's patches."""
    return torch.cat([repeat(shared, "b m d -> b t m d", t=patches.shape[1]), patches], 2)


class TimePositions(nn.Module):
    """A vector per frame that is added to the frame's tokens; with `std` 0, the vectors start at zero.

    places: above 1, number of tokens, each of which has a vector of its own per frame.
    """

    def __init__(self, frames: int, width: int, std: float = 0.0, places: int = 1):
        super().__init__()
        self.weight = nn.Parameter(std * torch.randn(frames, *[places] * (places > 1), width))

    def forward(self, x: Float[Tensor, "B T *rest"], first: int = 0) -> Float[Tensor, "B T *rest"]:
        """Add the vectors to a frame's tokens from `first` on.

        Raises ValueError for more frames than there are vectors.
        """
        count = x.shape[1]
        if count > len(self.weight):
            raise ValueError(f"{count} frames; this model was built for {len(self.weight)} at most")
        vectors = self.weight[:count]
        if vectors.ndim == 2:
            vectors = vectors.reshape(count, *[1] * (x.ndim - 3), -1)
        timed = x[:, :, first:] + vectors
        return torch.cat([x[:, :, :first], timed], 2) if first else timed


def without_padding(
    x: Float[Tensor, "B T P D"], mask: Bool[Tensor, "B T"] | None
) -> Float[Tensor, "B T P D"]:
    """Set padding frames to zero, which is what a convolution sees beyond a clip's ends."""
    return x if mask is None else x * mask[:, :, None, None]


def convolve_over_time(over_time: nn.Conv3d, x: Float[Tensor, "B T P D"]) -> Float[Tensor, "B T P D"]:
    """Apply a convolution over time whose kernel is one patch wide.

    It runs in two dimensions, time and patches, which gives the same numbers: on a CPU, the gradient of a depthwise
    convolution takes twenty times as long in three.
    """
    y = F.conv2d(
        rearrange(x, "b t p d -> b d t p"),
        over_time.weight.flatten(3),
        over_time.bias,
        padding=over_time.padding[:2],
        groups=over_time.groups,
    )
    return rearrange(y, "b d t p -> b t p d")


def zero(layer: Layer) -> Layer:
    """Set the layer's weight and bias to zero and return the layer."""
    assert layer.bias is not None
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def draw_as_flax(module: nn.Module) -> None:
    """Draw a module's own matrices as scenic does: from Xavier's uniform distribution; biases from N(0, 1e-12).

    Attention's are drawn one by one, and their biases are zero.
    """
    if isinstance(module, nn.MultiheadAttention):
        for weight in module.in_proj_weight.chunk(3):
            nn.init.xavier_uniform_(weight)
        nn.init.zeros_(module.in_proj_bias)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.normal_(module.bias, std=1e-6)
