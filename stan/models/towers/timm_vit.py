"""A timm transformer under open_clip's adapter in (ViT, EVA, Perception Encoder, ViTamin), an image tower out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from open_clip.timm_model import TimmModel
from timm.layers import AttentionPoolLatent, PatchEmbed, apply_rot_embed_cat
from torch import Tensor, nn

from stan.models.attention import Places, TowerAttention
from stan.models.blocks import Block, PatchEmbedding
from stan.models.towers.base import ImageTower
from stan.models.towers.pooling import MeanPool
from stan.models.towers.timm_adapter import embedding_width, undropped


class TimmVit(ImageTower):
    """Blocks of one width over one grid, with any prefix, absolute, rotary or relative positions, any pooling.

    Parameters keep timm's names outside the blocks. What timm drops at random in training, it doesn't drop here.
    """

    def __init__(self, model: TimmModel):
        super().__init__()
        trunk: Any = undropped(model.trunk)
        self.trunk, self.head = trunk, model.head
        self.image_size = model.image_size[0]
        embedding = trunk.patch_embed
        self.grid = tuple(embedding.dynamic_feat_size(model.image_size))
        self.prefix = trunk.num_prefix_tokens
        self.width = self.pooled_width = trunk.embed_dim
        self.embed_dim = embedding_width(model)
        self.heads = trunk.blocks[0].attn.num_heads
        self.pooling = trunk.global_pool
        whole = getattr(trunk, "pool_include_prefix", self.pooling == "map")
        self.pooled_from = 0 if whole else self.prefix
        self.read_at_cls = self.pooling == "token"
        self.mean = MeanPool()
        self.last_norm = "trunk.norm" if isinstance(trunk.norm, nn.LayerNorm) else "trunk.fc_norm"
        rotary = getattr(trunk, "rope", None)
        sines = None if rotary is None else rotary.get_embed(shape=list(self.grid)).detach()
        places = torch.arange(1 - self.prefix, 1 + self.grid[0] * self.grid[1]).clamp(min=0)
        self.averages_after = getattr(trunk, "averages_after", None)
        trunk.blocks = nn.ModuleList(_as_block(block, sines, places) for block in trunk.blocks)
        trunk.rope = None
        if type(embedding) is PatchEmbed:
            embedding.proj = PatchEmbedding(embedding.proj)

    @property
    def blocks(self) -> Sequence[Block]:
        return self.trunk.blocks

    @property
    def pooler(self) -> MeanPool | AttentionPoolLatent | None:
        if self.read_at_cls:
            return None
        return self.mean if self.pooling == "avg" else self.trunk.attn_pool

    @property
    def _positions(self) -> Float[Tensor, "N D"] | None:
        positions = getattr(self.trunk, "pos_embed", None)
        return None if positions is None else positions[0]

    @property
    def _placed_prefix(self) -> int:
        """Number of prefix tokens that have a position."""
        return 0 if self._positions is None else len(self._positions) - self.grid[0] * self.grid[1]

    @property
    def patch_positions(self) -> Float[Tensor, "P D"] | None:
        positions = self._positions
        return None if positions is None else positions[self._placed_prefix :]

    @property
    def cls_start(self) -> tuple[Float[Tensor, " D"], ...]:
        if not self.prefix:
            return ()
        positions = self._positions if self._placed_prefix else None
        return (self._own()[0], *([] if positions is None else [positions[0]]))

    def _own(self) -> Float[Tensor, "prefix D"]:
        """Return the class token and the registers."""
        own = (self.trunk.cls_token, getattr(self.trunk, "reg_token", None))
        return torch.cat([token[0] for token in own if token is not None])

    def tokens(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N S D"]:
        x = self.trunk.patch_embed(images).flatten(1, -2)
        positions, placed = self._positions, self._placed_prefix
        if positions is not None and not placed:
            x = x + positions.to(x.dtype)
        if self.prefix:
            x = torch.cat([self._own().to(x.dtype).expand(x.shape[0], -1, -1), x], 1)
        return x if positions is None or not placed else x + positions.to(x.dtype)

    def start(self, tokens: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N S D"]:
        return self.trunk.norm_pre(tokens) if hasattr(self.trunk, "norm_pre") else tokens

    def pool(self, x: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N C"]:
        """Return token 0; the mean of the normalised patches; or what the attention pool makes of all tokens."""
        if self.read_at_cls:
            return x[..., 0, :]
        x = self.trunk.norm(x)
        x = x[..., self.pooled_from :, :]
        if self.pooling == "avg":
            return self.mean(x)
        return self.trunk.attn_pool(x.flatten(0, -3)).reshape(*x.shape[:-2], -1)

    def normalise(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N C"]:
        return self.trunk.fc_norm(self.trunk.norm(pooled) if self.read_at_cls else pooled)

    def project(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N E"]:
        return self.head(self.trunk.head(self.normalise(pooled)))

    def projection(self) -> Iterator[nn.Parameter]:
        yield from self.head.parameters()
        yield from self.trunk.head.parameters()


def _as_block(block: Any, sines: Tensor | None, places: Places) -> Block:
    """Return timm's block as the sum of its parts. The norms of a post-norm block scale what its parts add."""
    attention = _as_attention(block.attn, places if _knows_places(block.attn, sines) else None)
    if sines is not None:
        half = getattr(block.attn, "rotate_half", False)
        attention.rotary(partial(apply_rot_embed_cat, half=half), sines)
    norms = block.norm1, block.norm2
    if "PostNorm" in type(block).__name__ or "ResPost" in type(block).__name__:
        return Block(nn.Identity(), attention, norms[0], nn.Identity(), block.mlp, norms[1])
    scales = [_scale(block, i) for i in (1, 2)]
    return Block(norms[0], attention, scales[0], norms[1], block.mlp, scales[1])


def _knows_places(attention: Any, sines: Tensor | None) -> bool:
    return sines is not None or getattr(attention, "rel_pos", None) is not None


def _as_attention(attention: Any, places: Places | None) -> TowerAttention:
    if getattr(attention, "qkv", None) is not None:
        weight, bias = attention.qkv.weight, attention.qkv.bias
        biases: Any = (None,) * 3 if bias is None else tuple(map(nn.Parameter, bias.detach().chunk(3)))
        if getattr(attention, "q_bias", None) is not None:
            biases = attention.q_bias, attention.k_bias, attention.v_bias
    else:
        parts = attention.q_proj, attention.k_proj, attention.v_proj
        weight = torch.cat([part.weight for part in parts])
        biases = tuple(part.bias for part in parts)
        if biases[1] is None and biases[0] is not None:
            biases = biases[0], torch.zeros_like(biases[0]), biases[2]
    return TowerAttention(
        attention.num_heads,
        weight,
        biases,
        attention.proj,
        getattr(attention, "norm", None),
        getattr(attention, "rel_pos", None),
        places,
    )


class LayerScale(nn.Module):
    """Scales each channel."""

    def __init__(self, gamma: nn.Parameter):
        super().__init__()
        self.gamma = gamma

    def forward(self, x: Float[Tensor, "*N D"]) -> Float[Tensor, "*N D"]:
        return x * self.gamma


def _scale(block: Any, i: int) -> nn.Module:
    gamma = getattr(block, f"gamma_{i}", None)
    return getattr(block, f"ls{i}", nn.Identity()) if gamma is None else LayerScale(gamma)
