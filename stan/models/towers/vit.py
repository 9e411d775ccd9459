"""open_clip's own ViT in, the same weights as an image tower out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from stan.models.blocks import Block, PatchEmbedding, with_fewer_passes
from stan.models.towers.base import ImageTower, widened
from stan.models.towers.pooling import FirstQueryPool, MeanPool


class OpenClipVit(ImageTower):
    """A ViT read at its class token, at the mean of its patches, or through an attentional pooler (a CoCa's).

    Parameters keep open_clip's names. Raises ValueError for blocks and poolings of another kind.
    """

    last_norm = "ln_post"

    def __init__(self, vit: VisionTransformer):
        super().__init__()
        _require_known(vit)
        assert vit.proj is not None  # only pruning sets it to None
        self.class_embedding, self.positional_embedding = vit.class_embedding, vit.positional_embedding
        self.proj = vit.proj
        self.conv1 = PatchEmbedding(vit.conv1)
        self.ln_pre = vit.ln_pre
        self.transformer: Any = nn.Module()
        self.transformer.resblocks = nn.ModuleList(_as_block(block) for block in vit.transformer.resblocks)
        self.attn_pool = None if vit.attn_pool is None else FirstQueryPool(vit.attn_pool)
        self.mean = MeanPool()
        self.ln_post: Any = vit.ln_post
        self.pooling, self.norm_after_pool = vit.pool_type, vit.final_ln_after_pool
        self.read_at_cls = self.attn_pool is None and self.pooling == "tok"
        self.image_size, self.grid, self.prefix = vit.image_size[0], vit.grid_size, 1
        self.width, self.embed_dim = vit.transformer.width, vit.output_dim
        self.pooled_width = max(self.width, self.ln_post.normalized_shape[0])
        self.heads = self.blocks[0].attn.num_heads

    @property
    def blocks(self) -> Sequence[Block]:  # a ModuleList, whose type doesn't tell what it holds
        return self.transformer.resblocks

    @property
    def pooler(self) -> MeanPool | FirstQueryPool | None:
        return None if self.read_at_cls else self.attn_pool or self.mean

    @property
    def patch_positions(self) -> Float[Tensor, "P D"]:
        return self.positional_embedding[1:]

    @property
    def cls_start(self) -> tuple[Float[Tensor, " D"], ...]:
        return self.class_embedding, self.positional_embedding[0]

    def tokens(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "N S D"]:
        patches = self.conv1(images).flatten(2).transpose(1, 2)
        cls = self.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        return torch.cat([cls, patches], 1) + self.positional_embedding.to(patches.dtype)

    def start(self, tokens: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N S D"]:
        return self.ln_pre(tokens)

    def pool(self, x: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N C"]:
        """Return the class token, the mean of the patches, or what a CoCa's first query makes of all tokens.

        The last is padded with zeros from E to D channels.
        """
        if self.read_at_cls:
            return x[..., 0, :]
        if self.attn_pool is None:
            return self.mean((x if self.norm_after_pool else self.ln_post(x))[..., 1:, :])
        pooled = self.attn_pool(x.flatten(0, -3))
        return widened(pooled.reshape(*x.shape[:-2], -1), self.pooled_width)

    def normalise(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N C"]:
        if self.pooling == "avg" and not self.norm_after_pool:
            return pooled
        return self.ln_post(pooled[..., : self.ln_post.normalized_shape[0]])

    def project(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N E"]:
        return self.normalise(pooled) @ self.proj

    def projection(self) -> Iterator[nn.Parameter]:
        yield self.proj

    def cls(self, x: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N D"]:
        """Return the class token or, where the tower reads the mean of its patches, that mean.

        There, nothing ever trained the class token to hold anything.
        """
        return x[..., 1:, :].mean(-2) if self.attn_pool is None and self.pooling == "avg" else x[..., 0, :]


def _as_block(block: Any) -> Block:
    mlp = with_fewer_passes(block.mlp)
    return Block(block.ln_1, block.attn, block.ls_1, block.ln_2, mlp, block.ls_2)


def _require_known(vit: VisionTransformer) -> None:
    first = vit.transformer.resblocks[0]
    if not isinstance(first, ResidualAttentionBlock):
        raise ValueError(f"blocks of open_clip's kind {type(first).__name__} are not supported")
    pooler = vit.attn_pool is not None
    if (
        pooler and (vit.attn_pool_contrastive is not None or vit.pool_type != "tok")
    ) or vit.pool_type == "none":
        raise ValueError(
            f"an image tower read by pool_type={vit.pool_type!r}"
            f"{f' behind an attentional pooler {vit.attn_pool_type!r}' if pooler else ''} is not supported: it gives no"
            " single embedding, or open_clip itself calls it untested"
        )
