"""EVL: a decoder beside CLIP, whose one query asks the frames' tokens of the last levels, one level after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from stan.models.attention import attention_heads, weights_of
from stan.models.temporal.base import Project, Temporal, last_norm, require_parts
from stan.models.temporal.decoder_layer import DecoderLayer, heads_of_query
from stan.models.temporal.video_tokens import TimePositions, convolve_over_time, without_padding
from stan.models.towers.base import widened

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class Decoded(NamedTuple):
    """The query after the levels read so far, None before the first, and the last block's output."""

    query: Float[Tensor, "B 1 D"] | None
    tokens: Float[Tensor, "B T S D"]


class Evl(Temporal):
    """A query that attends to all frames' tokens, at one of the last levels after another (EVL, `model.py`).

    Three things are added to a level's tokens before the query reads them: what a convolution over time makes of them,
    channel by channel; their frame's position in time; and, to patches, a vector for each distance in the picture,
    weighted by where in the previous and the next frame the block's own attention would find the patch again. What
    comes out of the last layer is the video; nothing of CLIP's output is added to it.

    layers: number of decoder layers; the last one reads CLIP's last block. heads: of the query's attention, None for as
    many as CLIP's blocks have. convolution, times, matches: False leaves out one of the three. dropout: share of the
    channels inside an MLP that training drops, .5 in the source.

    CLIP's last LayerNorm and projection read the query. The norm is trained even where CLIP is frozen: in the source it
    is the decoder's own.

    Starts as in the source: query, times and vectors at zero, linear layers from Xavier's uniform distribution.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        layers: int = 4,
        heads: int | None = None,
        convolution: bool = True,
        times: bool = True,
        matches: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__(clip, frames)
        require_parts(clip, "evl")
        if not 1 <= layers < clip.layers:
            raise ValueError(
                f"evl: layers={layers}: this CLIP has {clip.layers} blocks, of which the first can't be read"
            )
        heads = heads_of_query(clip, heads, "evl")
        self.trained_of_clip = last_norm(clip)
        self.first = clip.layers - layers
        self.levels = tuple(range(self.first - 1, clip.layers))
        # A tuple keeps CLIP's blocks from being registered a second time.
        self._blocks = tuple(clip.blocks[self.first :])
        self.query = nn.Parameter(torch.zeros(clip.width))
        self.over_time, self.times, self.matches = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        if convolution:
            self.over_time.extend(ConvolutionOverTime(clip.width) for _ in range(layers))
        if times:
            self.times.extend(TimePositions(frames, clip.width) for _ in range(layers))
        if matches:
            self.matches.extend(Matches(clip) for _ in range(layers))
        self.layers = nn.ModuleList(DecoderLayer(clip.width, heads, dropout) for _ in range(layers))

    def beside(self, i: int, x: Tensor, side: Decoded | None, mask: Tensor | None) -> Decoded:
        if side is None or i < self.first:
            return Decoded(None, x)
        k = i - self.first
        query = repeat(self.query, "d -> b 1 d", b=x.shape[0]) if side.query is None else side.query
        return Decoded(self.layers[k](query, self.read(k, x, side.tokens, mask), mask), x)

    def after(self, cls: Tensor, side: Decoded, mask: Tensor | None, project: Project) -> Tensor:
        assert side.query is not None  # `beside` has seen every level that the query reads
        return project(widened(side.query, cls.shape[2])).expand(-1, cls.shape[1], -1)

    def read(
        self,
        k: int,
        x: Float[Tensor, "B T S D"],
        given: Float[Tensor, "B T S D"],
        mask: Bool[Tensor, "B T"] | None,
    ) -> Float[Tensor, "B T S D"]:
        """Return what layer `k`'s query reads: a block's output `x`, with what time adds. given: the block's input."""
        y = x
        if self.over_time:
            y = y + self.over_time[k](without_padding(x, mask))
        if self.times:
            y = self.times[k](y)
        if self.matches:
            found = self.matches[k](self._blocks[k], given, mask)
            y = torch.cat([y[:, :, : self.own_tokens], y[:, :, self.own_tokens :] + found], 2)
        return y


class ConvolutionOverTime(nn.Module):
    """A convolution of each channel over three frames."""

    def __init__(self, width: int):
        super().__init__()
        self.convolution = nn.Conv3d(width, width, (3, 1, 1), padding=(1, 0, 0), groups=width)

    def forward(self, x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B T S D"]:
        return convolve_over_time(self.convolution, x)


class Matches(nn.Module):
    """Where in the previous and in the next frame a patch is found again, as a vector of the distance.

    A block's own queries and keys find it: the attention of a frame's patches to those of its neighbour, as the mean
    over heads.
    """

    offsets: Tensor

    def __init__(self, clip: Clip):
        super().__init__()
        rows, columns = clip.grid
        self.own_tokens = clip.prefix
        self.previous, self.following = (
            nn.Parameter(torch.zeros((2 * rows - 1) * (2 * columns - 1), clip.width)) for _ in range(2)
        )
        row, column = torch.arange(clip.patches) // columns, torch.arange(clip.patches) % columns
        down, right = row[:, None] - row + rows - 1, column[:, None] - column + columns - 1
        self.register_buffer("offsets", down * (2 * columns - 1) + right, persistent=False)

    def forward(
        self, block: Block, given: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T P D"]:
        """Return what is added to the patches. given: the block's input. No patch is found in a padding frame."""
        x = block.ln_1(rearrange(given, "b t s d -> (b t) s d"))
        q, k = (
            rearrange(y[:, :, self.own_tokens :], "(b t) h p d -> b t h p d", t=given.shape[1])
            for y in attention_heads(block.attn, x)[:2]
        )
        real = given.new_ones(given.shape[:2], dtype=torch.bool) if mask is None else mask
        previous = self._vectors(q, _moved(k, 1), self.previous) * _moved(real, 1)[:, :, None, None]
        following = self._vectors(q, _moved(k, -1), self.following) * _moved(real, -1)[:, :, None, None]
        return previous + following

    def _vectors(
        self, q: Float[Tensor, "B T H P d"], k: Float[Tensor, "B T H P d"], of_distance: Float[Tensor, "O D"]
    ) -> Float[Tensor, "B T P D"]:
        """Return the vectors of a patch's distances to the patches that `k` is of, weighted by how well they match."""
        weights = weights_of(q.flatten(0, 1), k.flatten(0, 1)).mean(1)
        found = torch.einsum("n q k, q k d -> n q d", weights, of_distance[self.offsets])
        return rearrange(found, "(b t) p d -> b t p d", t=q.shape[1])


def _moved(x: Shaped[Tensor, "B T *rest"], frames: int) -> Shaped[Tensor, "B T *rest"]:
    """Move all frames back by so many, or forward by a negative number; zeros come in at the end."""
    return F.pad(x, [0, 0] * (x.ndim - 2) + [frames, -frames])
