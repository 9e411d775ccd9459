"""A CLIP in, transformer blocks that mix frame embeddings out: in its text tower's form, copied or drawn anew.

In most CLIPs, the text tower's blocks are as wide as the embedding. CLIP4Clip and later methods start from them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.attention import attend
from stan.models.blocks import Block
from stan.models.hugging_face_text import HuggingFaceText
from stan.models.temporal.video_tokens import transform

from open_clip.transformer import QuickGELU, ResidualAttentionBlock  # isort: skip # after stan.models.blocks, which prepares it

if TYPE_CHECKING:
    from stan.models.clip import Clip

STD = 0.02


class BlockForm(NamedTuple):
    """How blocks differ from the text blocks; None where they don't."""

    heads: int | None = None
    """With it, blocks are as wide as the embedding, and the text tower may have another width."""
    eps: float | None = None
    """Of the layer norms."""
    activation: str | None = None
    """quick_gelu or gelu."""


COPIED = BlockForm()


def copied_blocks(
    clip: Clip, layers: int, method: str, eps: float | None = None, further: int = 0
) -> nn.ModuleList:
    """Return copies of the first `layers` text blocks.

    method: named in errors. eps: of the blocks' LayerNorms, None for CLIP's own. further: number of blocks after the
    copies, drawn from N(0, .02^2) (CLIP4Clip, where the text tower has fewer blocks than are asked for).

    Raises ValueError if the text tower is not as wide as the embedding or has fewer blocks, if layers is below 1 or
    further below 0, and as `require_eps`.
    """
    require_eps(eps, method)
    _require_width(clip, method)
    theirs = clip.text.transformer.resblocks
    if not 1 <= layers <= len(theirs):
        raise ValueError(f"layers={layers}: the text tower has {len(theirs)} blocks to copy")
    if further < 0:
        raise ValueError(f"{method}: further={further}: it can't be negative")
    blocks = deepcopy(theirs[:layers]).requires_grad_(True)
    if further:
        blocks.extend(drawn_blocks(clip, further, method, STD))
    return blocks if eps is None else blocks.apply(partial(_set_eps, eps=eps))


def drawn_blocks(
    clip: Clip, layers: int, method: str, std: float | None = None, form: BlockForm = COPIED
) -> nn.ModuleList:
    """Return `layers` blocks of the text blocks' form, but for what `form` says.

    std: linear layers are drawn from N(0, std^2); None: as torch draws them.

    Raises ValueError if the text tower is not as wide as the embedding and no number of heads is given, if layers is
    below 1, if the heads don't divide the width, for an unknown activation, and as `require_eps`.
    """
    if layers < 1:
        raise ValueError(f"layers={layers}: {method} needs at least one")
    block = _formed(_first_block(clip, form.heads, method), form, method)
    blocks = nn.ModuleList(deepcopy(block) for _ in range(layers))
    return blocks.apply(lambda module: _draw(module, std)).requires_grad_(True)


def require_eps(eps: float | None, method: str) -> None:
    """Raise ValueError, naming `method`, for an eps of layer norms that isn't above 0."""
    if eps is not None and eps <= 0:
        raise ValueError(f"{method}: eps={eps}: it must be above 0")


def copied_positions(clip: Clip, frames: int) -> nn.Parameter:
    """Return a copy of the text tower's positions. Raises ValueError if there are more `frames` than positions."""
    _require_width(clip, "the copy of CLIP's text positions")
    if frames > clip.context_length:
        raise ValueError(f"frames={frames}: there are {clip.context_length} positions to copy")
    return nn.Parameter(clip.text.positional_embedding.detach().clone())


def drawn_positions(clip: Clip, frames: int, std: float) -> nn.Parameter:
    """Return positions for `frames` frames, drawn from N(0, std^2)."""
    return nn.Parameter(std * torch.randn(frames, clip.embed_dim))


def placed(frames: Float[Tensor, "B T E"], position: Float[Tensor, "N E"]) -> Float[Tensor, "B T E"]:
    """Add positions to frame embeddings. Raises ValueError if there are more frames than positions."""
    count = frames.shape[1]
    if count > len(position):
        raise ValueError(f"{count} frames; this model has {len(position)} positions")
    return frames + position[:count]


def mix(
    blocks: nn.ModuleList,
    x: Float[Tensor, "B S E"],
    real: Bool[Tensor, "B S"] | Float[Tensor, "B S"] | None,
    read: int | None = None,
) -> Float[Tensor, "B R E"]:
    """Run `x` through the blocks. Nothing attends to tokens where `real` is False; each row needs a True.

    Numbers instead are added to the logits of the attention to each token. read: number of first tokens that are
    returned, so that the last block computes no others; None: all.
    """
    # where work is counted or a graph is exported, tensors have no values to look into
    looked_into = real is not None and not real.is_meta and not torch.compiler.is_exporting()
    nothing_hidden = looked_into and real.dtype == torch.bool and bool(real.all())
    keys = None if real is None or nothing_hidden else real[:, None, None]
    same_parts = cast("Iterable[Block]", blocks)  # as a block of the image tower has
    for i, block in enumerate(same_parts, 1):
        queries = read if i == len(blocks) else None
        x = x[:, :queries] + block.ls_1(attend(block.attn, block.ln_1(x), keys, queries))
        x = x + transform(block, x)
    return x


ACTIVATIONS: dict[str, type[nn.Module]] = {"quick_gelu": QuickGELU, "gelu": nn.GELU}


def _first_block(clip: Clip, heads: int | None, method: str) -> Any:
    """Return the first text block or, with a number of heads, a new one of its kind as wide as the embedding."""
    if heads is None:
        _require_width(clip, method)
        return deepcopy(clip.text.transformer.resblocks[0])
    if heads < 1 or clip.embed_dim % heads:
        raise ValueError(
            f"{method}: {heads} heads don't divide the {clip.embed_dim} channels of the embedding"
        )
    return ResidualAttentionBlock(clip.embed_dim, heads, act_layer=_activation(clip))


def _activation(clip: Clip) -> type[nn.Module]:
    """Return the activation of the image tower's blocks where they are open_clip's, else GELU."""
    mlp = getattr(clip.blocks[0], "mlp", None)
    return type(getattr(mlp, "gelu", nn.GELU()))


def _formed(block: Any, form: BlockForm, method: str) -> nn.Module:
    """Give the block the form's layer norms and activation."""
    require_eps(form.eps, method)
    if form.eps is not None:
        block.apply(partial(_set_eps, eps=form.eps))
    if form.activation not in (None, *ACTIVATIONS):
        known = " or ".join(ACTIVATIONS)
        raise ValueError(f"{method}: activation={form.activation!r}: choose {known}, or None for CLIP's own")
    if form.activation is not None:
        block.mlp.gelu = ACTIVATIONS[form.activation]()
        block.mlp = nn.Sequential(OrderedDict(block.mlp.named_children()))
    return block


def _require_width(clip: Clip, method: str) -> None:
    if isinstance(clip.text, HuggingFaceText):
        raise ValueError(
            f"{method} takes the form of CLIP's text blocks, and this text tower is a Hugging Face model with blocks of"
            " its own form: choose a backbone with a text tower of CLIP's kind, such as ViT-B-32"
        )
    if clip.text.width != clip.embed_dim:
        raise ValueError(
            f"{method} takes the form of CLIP's text blocks, but the text tower is {clip.text.width} wide and the"
            f" embedding {clip.embed_dim}: choose a backbone where both are equal, such as ViT-B-32"
        )


def _set_eps(module: nn.Module, eps: float) -> None:
    if isinstance(module, nn.LayerNorm):
        module.eps = eps


def _draw(module: nn.Module, std: float | None) -> None:
    if isinstance(module, nn.MultiheadAttention):
        module._reset_parameters()
    elif isinstance(module, nn.LayerNorm | nn.Linear):
        module.reset_parameters()
    if isinstance(module, nn.Linear) and std is not None:
        nn.init.normal_(module.weight, std=std)
        nn.init.zeros_(module.bias)
