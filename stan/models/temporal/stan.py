"""STAN (CVPR 2023): a branch beside CLIP that reads several of its levels and mixes them across frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.common.recording import all_recorded
from stan.models.temporal.base import Project, Temporal, mean_over_frames
from stan.models.temporal.dropout import Dropout, rising
from stan.models.temporal.stan_layer import CONVOLUTIONS, CrossFrameAttention, StanLayer
from stan.models.towers.base import widened

if TYPE_CHECKING:
    from stan.models.clip import Clip

FIRST_INPUTS = ("released", "paper")
CROSS_FRAMES = ("attention", "convolution", "none")
MERGES = ("sum", "projection", "zero_projection")
ATTENTION_STARTS = ("xavier", "linear")


class Branch(NamedTuple):
    """The branch's tokens: one CLS token per video, and patches frame by frame, as in CLIP's levels."""

    cls: Float[Tensor, "B 1 D"]
    patches: Float[Tensor, "B T P D"]


class Stan(Temporal):
    """Spatial-temporal auxiliary network beside CLIP's blocks (or, with `branch=False`, after them).

    layers: K, the number of branch layers; their spatial parts start as copies of CLIP's last K blocks.
    interval, levels: layer k reads block `levels[k]`; None means K blocks that lie `interval` apart and end with the
        last.
    cross_frame: `attention`, `convolution` or `none`; convolution: `dense` (first released code: a full 3x3x3 kernel
        over time, rows and columns), `dense_over_time` (the same, 3x1x1) or `bottleneck` (eq. 9).
    attention_start: how the cross-frame attention's projections are drawn: `xavier` (torch's attention, biases zero)
        or `linear` (torch's linear layers, as in the released code: weights and biases uniform within 1/sqrt(D)).
    intra_frame: False drops the spatial part. Then nothing carries patches to the CLS token, so the mean of the
        branch's patches is added to it. The sources don't say how their row without this part reads the patches, only
        that it gains from them.
    branch: False appends the layers to CLIP (section 4.3): they read CLIP's last tokens, and only their CLS token is
        the output.
    multi_level: False runs all layers on the level of the first; CLIP's CLS token is still added.
    merge: `sum` (released), `projection` (eq. 5-6: W_proj starts as the identity, so the merge starts as the sum) or
        `zero_projection` (W_proj starts at zero: the branch first reads a single level and learns how much of each
        further level to let in). No source gives the start of W_proj.
    first_input: `released` (CLS token averaged with CLIP's initial CLS token, CLIP's own positions, time from N(0, 1))
        or `paper` (eq. 4: CLS token is the mean over frames; positions of its own and time from N(0, .02^2)).
    drop_path: rate on the attention residuals of the last layer; it rises linearly from 0 in the first layer.

    In a tower that isn't OpenAI's ViT, the branch's CLS token is what stands for a frame at each level
    (`ImageTower.cls`): its class token or, without one, what its pooling makes of the level's tokens. The branch's
    output is added to what CLIP's projection reads, and first_input `released` leaves out what a tower doesn't have.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        layers: int = 4,
        interval: int = 1,
        levels: list[int] | None = None,
        cross_frame: str = "attention",
        convolution: str = "dense",
        attention_start: str = "xavier",
        intra_frame: bool = True,
        branch: bool = True,
        multi_level: bool = True,
        merge: str = "sum",
        first_input: str = "released",
        dropout: float = 0.0,
        drop_path: float = 0.1,
        max_frames: int = 64,
    ):
        super().__init__(clip, frames)
        _require(cross_frame in CROSS_FRAMES, f"cross_frame={cross_frame!r}: choose one of {CROSS_FRAMES}")
        _require(convolution in CONVOLUTIONS, f"convolution={convolution!r}: choose one of {CONVOLUTIONS}")
        _require(merge in MERGES, f"merge={merge!r}: choose one of {MERGES}")
        _require(first_input in FIRST_INPUTS, f"first_input={first_input!r}: choose one of {FIRST_INPUTS}")
        _require(
            attention_start in ATTENTION_STARTS,
            f"attention_start={attention_start!r}: choose one of {ATTENTION_STARTS}",
        )
        _require(
            intra_frame or cross_frame != "none",
            "without cross_frame and intra_frame the branch has no layers",
        )
        _require(
            branch or not multi_level, "branch=False reads CLIP's last tokens only: set multi_level=False"
        )
        _require(1 <= layers <= clip.layers, f"layers={layers}: this CLIP has {clip.layers} blocks to copy")
        _require(frames <= max_frames, f"frames={frames}: the table of times has max_frames={max_frames}")
        self.branch, self.multi_level, self.intra_frame = branch, multi_level, intra_frame
        self.reads = _reads(clip.layers, layers, interval, levels)
        if not branch:
            self.reads = (clip.layers - 1,)
        elif not multi_level:
            self.reads = self.reads[:1]
        self.levels = tuple(sorted({*self.reads, clip.layers - 1}))
        rates = rising(drop_path, layers, "stan")
        self.layers = nn.ModuleList(
            StanLayer(clip.width, clip.heads, block, rate, cross_frame, convolution, intra_frame, clip.grid)
            for block, rate in zip(clip.blocks[-layers:], rates, strict=True)
        )
        if attention_start == "linear":
            self.layers.apply(_draw_as_linear)
        self.merges = nn.ModuleList()
        if merge != "sum":
            start = nn.init.eye_ if merge == "projection" else nn.init.zeros_
            self.merges.extend(_projection(clip.width, start) for _ in self.reads[1:])
        self._add_first_input(clip, first_input, max_frames)
        self.dropout = Dropout(dropout)

    @property
    def own_blocks(self) -> Sequence[nn.Module]:
        return cast("Sequence[nn.Module]", self.layers)

    def _add_first_input(self, clip: Clip, first_input: str, max_frames: int) -> None:
        self.time = nn.Embedding(max_frames, clip.width)  # from N(0, 1)
        self.space = None
        # A tuple keeps CLIP's own embeddings from being registered a second time. They stay CLIP's in the state dict
        # and the optimizer, even where sharding replaces the parameters.
        self._visual = (clip.visual,)
        if first_input == "paper":
            self.space = nn.Parameter(torch.empty(clip.patches, clip.width))
            nn.init.normal_(self.space, std=0.02)
            nn.init.normal_(self.time.weight, std=0.02)

    def beside(self, i: int, x: Tensor, side: Branch | None, mask: Tensor | None) -> Branch | None:
        return self._step(i, x, side, mask, whole=False) if i in self.reads else side

    def after(self, cls: Tensor, side: Branch | None, mask: Tensor | None, project: Project) -> Tensor:
        assert side is not None  # `beside` has seen every level that the branch reads
        added = side.cls
        if not self.intra_frame:
            added = added + mean_over_frames(side.patches, mask).mean(1, keepdim=True)
        added = widened(added, cls.shape[2])
        if not self.branch:
            return project(added).expand(-1, cls.shape[1], -1)
        return project(cls + added)

    def branch_tokens(
        self, levels: Mapping[int, Float[Tensor, "B T S D"]], mask: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B J D"]:
        """Return the last layer's tokens, J = 1 + P * T: the CLS token, then patch 0 of all frames, patch 1, ..."""
        side = None
        for i in self.reads:
            side = self._step(i, levels[i], side, mask, whole=True)
        assert side is not None
        return torch.cat([side.cls, rearrange(side.patches, "b t p d -> b (p t) d")], 1)

    @torch.no_grad()
    def attention(
        self, levels: Mapping[int, Float[Tensor, "B T S D"]], mask: Bool[Tensor, "B T"] | None = None
    ) -> list[dict[str, Tensor]]:
        """Return attention weights by layer: `cross_frame` (B, P, heads, T, T), `intra_frame` (B, T, heads, S, S).

        A layer without such attention lacks the entry. Rows (queries) sum to one; token 0 of S is the CLS token.
        """
        layers = cast("Sequence[StanLayer]", self.layers)
        with all_recorded(layers) as passes:
            self.branch_tokens(levels, mask)
        return [layer.attention(*passes[layer].given[-1][:3]) for layer in layers]

    def _step(self, i: int, x: Tensor, side: Branch | None, mask: Tensor | None, whole: bool) -> Branch:
        """Merge level `i` and run its layer, or all layers if only one level is read."""
        k = self.reads.index(i)
        side = self._first(x, mask) if side is None else self._merge(k, x, side, mask)
        layers = [self.layers[k]] if self.multi_level else self.layers
        for layer in layers:
            # Only the CLS token of the last layer is read, so nothing else is computed there.
            cls_only = layer is self.layers[-1] and not whole
            side = Branch(*layer(side.cls, side.patches, mask, cls_only))
        return side

    def _first(self, x: Tensor, mask: Tensor | None) -> Branch:
        frames = x.shape[1]
        if frames > self.time.num_embeddings:
            raise ValueError(
                f"{frames} frames; this model was built with max_frames={self.time.num_embeddings}"
            )
        tower = self._visual[0]
        cls, patches = self._read(x, mask)
        where, space = self.time.weight[:frames, None], self.space
        if space is None:
            space, start = tower.patch_positions, tower.cls_start
            cls = sum(start, cls) / 2 if start else cls
        where = where if space is None else where + space  # (T, P, D)
        return Branch(cls, self.dropout(patches + where))

    def _read(self, x: Tensor, mask: Tensor | None) -> Branch:
        """Return what the branch reads of a level."""
        tower = self._visual[0]
        return Branch(mean_over_frames(tower.cls(x)[:, :, None], mask), tower.patches(x))

    def _merge(self, k: int, x: Tensor, side: Branch, mask: Tensor | None) -> Branch:
        cls, patches = self._read(x, mask)
        if self.merges:
            cls, patches = self.merges[k - 1](cls), self.merges[k - 1](patches)  # eq. 5, 6
        return Branch(side.cls + cls, side.patches + patches)


def _reads(blocks: int, layers: int, interval: int, levels: list[int] | None) -> tuple[int, ...]:
    """Return the index of the block that each layer reads."""
    if levels is None:
        levels = [blocks - 1 - interval * k for k in reversed(range(layers))]
    ordered = all(a < b for a, b in zip(levels, levels[1:], strict=False))
    if len(levels) != layers or not ordered or levels[0] < 0 or levels[-1] >= blocks:
        raise ValueError(
            f"levels {levels} (interval {interval}): name {layers} rising blocks, one per layer, of 0 to"
            f" {blocks - 1}"
        )
    return tuple(levels)


def _projection(width: int, start: Callable[[Tensor], Tensor]) -> nn.Linear:
    projection = nn.Linear(width, width, bias=False)
    start(projection.weight)
    return projection


def _draw_as_linear(module: nn.Module) -> None:
    """Draw cross-frame attention's four projections as torch draws a linear layer."""
    if isinstance(module, CrossFrameAttention):
        attention = module.attention
        attention.out_proj.reset_parameters()
        bound = attention.embed_dim**-0.5
        nn.init.uniform_(attention.in_proj_weight, -bound, bound)
        nn.init.uniform_(attention.in_proj_bias, -bound, bound)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(f"stan: {otherwise}")
