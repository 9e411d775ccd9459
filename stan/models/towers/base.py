"""Pictures in, an embedding out, by way of blocks over tokens: what every image tower says about itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.blocks import Block, MapBlock
from stan.models.towers.pooling import AttentionPool, MeanPool, averaged


class ImageTower(nn.Module):
    """An image tower as blocks over S tokens: `prefix` tokens of its own, then P patches, row by row.

    After the last block, `pool` makes one token of a frame's tokens, with C >= D channels, and `project` embeds it.
    """

    image_size: int
    """Height and width of a frame, in pixels."""
    grid: tuple[int, int]
    """Rows and columns of patches."""
    prefix: int
    """Tokens before the patches: a class token, registers."""
    width: int
    """D: channels of a token."""
    pooled_width: int
    """C: channels of the token that `pool` makes."""
    embed_dim: int
    """E: channels of the embedding."""
    heads: int
    """Heads of the blocks' attention, or as many as a new attention of this width may have."""
    last_norm: str
    """Name of the LayerNorm after the last block."""
    read_at_cls = False
    """Whether `pool` takes token 0 as it is."""

    tubelet = 1
    """Frames that are embedded together, as the channels of one picture; 1 in every CLIP."""
    frames_before = 0
    """Frames before a tubelet that its embedding also reads; before the first, they are zero."""

    averages_after: int | None = None
    """Index of the block behind which the mean of all patches stands in place of each; from there on, none has a
    place."""

    @property
    def blocks(self) -> Sequence[Block | MapBlock]:
        raise NotImplementedError

    @property
    def pooler(self) -> MeanPool | AttentionPool | None:
        """What `pool` calls on tokens to make one of them, the patches behind all others; None where it takes token 0
        as it is."""
        raise NotImplementedError

    @property
    def patch_positions(self) -> Float[Tensor, "P D"] | None:
        """What the tower adds to patches to place them; None where it places them in another way or not at all."""
        raise NotImplementedError

    @property
    def cls_start(self) -> tuple[Float[Tensor, " D"], ...]:
        """The terms whose sum is token 0 before the first block; none without a class token."""
        raise NotImplementedError

    def tokens(self, images: Float[Tensor, "N C H W"]) -> Float[Tensor, "N S D"]:
        """Return the tokens with their positions, before a LayerNorm that precedes the blocks. Never drops patches.

        C is 3, or 3z where an embedding reads z frames (`tubelet` and `frames_before`).
        """
        raise NotImplementedError

    def start(self, tokens: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N S D"]:
        """Return the input of the first block."""
        raise NotImplementedError

    def after(self, i: int, x: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N S D"]:
        """Return what the tower hands on of block i's output."""
        return averaged(x, self.prefix) if i == self.averages_after else x

    def pool(self, x: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N C"]:
        """Return what `project` reads of the last block's tokens."""
        raise NotImplementedError

    def normalise(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N C"]:
        """Return what the last projection reads."""
        raise NotImplementedError

    def project(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N E"]:
        """Map what `pool` returns into the space shared with the texts."""
        raise NotImplementedError

    def projection(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that `project` reads and `normalise` doesn't."""
        raise NotImplementedError

    def cls(self, x: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N D"]:
        """Return the token that stands for a frame at any level.

        It is the tower's first own token, a class token or a register, or, in a tower without any, what its pooling
        makes of the level's tokens.
        """
        return x[..., 0, :] if self.prefix else self.pool(x)[..., : self.width]

    def patches(self, x: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N P D"]:
        """Return the patches' tokens."""
        return x[..., self.prefix :, :]

    def train(self, mode: bool = True) -> ImageTower:
        """Set training mode. Batch norms keep the statistics that they come with, as a frozen tower must."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N E"]:
        """Embed each picture by itself."""
        x = self.start(self.tokens(images))
        for i, block in enumerate(self.blocks):
            x = self.after(i, block(x))
        return self.project(self.pool(x))


def widened(x: Float[Tensor, "*N D"], width: int) -> Float[Tensor, "*N C"]:
    """Append zeros up to `width` channels."""
    return x if x.shape[-1] == width else F.pad(x, (0, width - x.shape[-1]))
