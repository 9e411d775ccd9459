"""The hooks that a temporal method may use: before, inside, beside and after CLIP's blocks, and before its texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from stan.models.attention import own_places

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip

Project = Callable[[Tensor], Tensor]


class Temporal(nn.Module):
    """Mean pooling and the base class of all methods: every frame is seen by itself, as in CLIP.

    normalised: whether each frame's embedding gets length 1 before the mean over frames. False: frames count as they
    are, as in the released STAN. True: CLIP4Clip's `meanP`, which DRL, CLIP2Video and CenterCLIP share.

    A method overrides the hooks it needs. Options are keyword arguments with plain JSON values.
    """

    def __init__(self, clip: Clip, frames: int, *, normalised: bool = False):
        super().__init__()
        self.frames = frames
        self.own_tokens = clip.prefix
        """Number of a frame's tokens before its patches."""
        self.normalised = normalised
        self.changes_from = clip.layers
        """First block that `inside` runs differently from CLIP alone; the blocks before it can be computed once."""
        self.changes_tokens = False
        """Whether `before` changes the tokens; then `changes_from` is 0."""
        self.trained_of_clip: tuple[str, ...] = ()
        """Names of CLIP's parameters that are trained even where its towers are frozen."""
        self.levels: tuple[int, ...] = (clip.layers - 1,)
        """Blocks whose outputs are read, in order; the last block is always among them."""

    @property
    def own_blocks(self) -> Sequence[nn.Module]:
        """The method's own transformer layers. Each is only run as a whole, so that it may be compiled or recomputed.

        A method with a branch lists the branch's layers here; `branch_tokens(levels)` runs them alone on CLIP's levels.
        """
        return ()

    def text_tokens(
        self, x: Float[Tensor, "B L D"], end: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "B M D"], Int[Tensor, " B"]]:
        """Return what the text tower reads: by default its own token embeddings `x`, with end tokens at `end`."""
        return x, end

    def before(self, x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B T S D"]:
        """Return what CLIP's first LayerNorm reads: by default its own tokens `x`, which have their positions."""
        return x

    def inside(
        self, i: int, block: Block, x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T S D"]:
        """Run CLIP's block `i`.

        It may return fewer tokens, or fewer frames if `after` still returns an embedding for every frame.
        """
        return frame_by_frame(block, x)

    def beside(self, i: int, x: Float[Tensor, "B T S D"], side: Any, mask: Bool[Tensor, "B T"] | None) -> Any:
        """Read block `i`'s output. `side` is what the previous call returned, None at first."""
        return side

    def after(
        self, cls: Float[Tensor, "B T C"], side: Any, mask: Bool[Tensor, "B T"] | None, project: Project
    ) -> Float[Tensor, "B T E"]:
        """Return frame embeddings from what CLIP pools of the last block's output, in most CLIPs its CLS token.

        `project` maps it into the space shared with the texts, (..., C) -> (..., E).
        """
        return project(cls)

    def pool(
        self,
        frames: Float[Tensor, "B T E"],
        cls: Float[Tensor, "B T C"],
        mask: Bool[Tensor, "B T"] | None,
        project: Project,
    ) -> Float[Tensor, "B E"]:
        """Return the videos' embeddings from what `after` returned, or from what it was given (`cls`, `project`)."""
        return mean_over_frames(F.normalize(frames, dim=-1) if self.normalised else frames, mask)


class TanhPooler(nn.Linear):
    """A layer that turns the frames' mean, in the space shared with texts, into the video's embedding, as in BERT."""

    def forward(self, input: Float[Tensor, "*rest E"]) -> Float[Tensor, "*rest E"]:
        require_projected(input, self.in_features, "a pooler")
        return super().forward(input).tanh()


def frame_by_frame(block: nn.Module, x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B T S D"]:
    """Run CLIP's block on every frame by itself."""
    return rearrange(block(rearrange(x, "b t s d -> (b t) s d")), "(b t) s d -> b t s d", t=x.shape[1])


def mean_over_frames(
    x: Float[Tensor, "B T *rest"], mask: Bool[Tensor, "B T"] | None, keepdim: bool = False
) -> Tensor:
    """Return the mean over T of the frames that aren't padding."""
    if mask is None:
        return x.mean(1, keepdim=keepdim)
    weights = (mask / mask.sum(1, keepdim=True)).to(x.dtype)
    return (x * weights.reshape(*mask.shape, *[1] * (x.ndim - 2))).sum(1, keepdim=keepdim)


def last_norm(clip: Clip) -> tuple[str, ...]:
    """Return the names of the parameters of CLIP's last LayerNorm."""
    name = f"visual.{clip.visual.last_norm}"
    return tuple(parameter for parameter, _ in clip.named_parameters() if parameter.startswith(f"{name}."))


def require_parts(clip: Clip, method: str) -> None:
    """Raise ValueError where blocks are no sum of attention and an MLP that `method` could use apart."""
    if not clip.has_parts:
        raise ValueError(
            f"{method} works inside CLIP's blocks, between attention and MLP, and this image tower's blocks have no"
            " such parts: choose a method beside or after the blocks, such as stan or sequence_transformer"
        )


def require_projected(frames: Float[Tensor, "... E"], width: int, what: str) -> None:
    """Raise ValueError if embeddings are not in the space shared with texts, which is `width` wide and `what` reads."""
    if frames.shape[-1] != width:
        raise ValueError(
            f"{what} reads the space shared with texts, {width} wide, and this similarity {frames.shape[-1]} channels"
            " before it: choose a similarity that reads it (linear_classifier: before_projection=False)"
        )


def require_cls(clip: Clip, method: str) -> None:
    """Raise ValueError where a frame has not exactly one token of its own before the patches."""
    if clip.prefix != 1:
        raise ValueError(
            f"{method} shares one CLS token among all frames, and a frame of this image tower has {clip.prefix} tokens"
            " before its patches: choose another method or setting"
        )


def require_free_places(clip: Clip, method: str) -> None:
    """Raise ValueError where blocks know where patches lie: tokens that `method` makes lie nowhere."""
    if not clip.has_parts or own_places(clip.blocks[0].attn) is not None:
        raise ValueError(
            f"{method} gives CLIP's blocks tokens that lie at no one place, and this image tower's blocks need to know"
            " where each token lies: choose another method"
        )
