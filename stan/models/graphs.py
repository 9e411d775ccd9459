"""A model in; what embeds videos and texts, as graphs that run without this package, out.

A graph (`torch.export`) takes any number of videos and texts, and as many frames as the method has positions for. It
knows no padding: all videos of a call have equally many frames. Letters: A texts, L tokens of a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.base import PairSimilarity
from stan.models.similarity.cosine import Cosine
from stan.models.temporal.center_clip import CenterClip
from stan.models.temporal.token_roll import Shuffle
from stan.models.text_tower import NoText, TextOutput
from stan.models.video_encoder import VideoOutput

OPEN = {
    "pixels": ("videos", "frames"),
    "frames": ("videos", "frames"),
    "video": ("videos",),
    "context": ("videos",),
    "ids": ("texts",),
    "tokens": ("texts",),
    "text": ("texts",),
    "words": ("texts",),
    "scores": ("texts", "videos"),
}
"""Every input and output of a graph, with the names of its first dimensions: those that are open."""
WORDS = 100
"""Token ids of examples lie below it, and every vocabulary has as many."""


class Runs(Protocol):
    """What is called with its inputs, and returns its outputs, under the names of `OPEN`."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]: ...


class Part(nn.Module):
    """A part of a model that becomes a graph, a `Runs`."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class VideoPart(Part):
    """Prepared frames in; a vector of length one, or all that a similarity reads of a video, not normalised, out."""

    inputs = ("pixels",)

    def __init__(self, model: DualEncoder):
        super().__init__()
        self.encoder = model.encoder
        self.outputs = ("video",) if _is_cosine(model) else ("frames", "video", "context")

    def forward(self, pixels: Float[Tensor, "B T 3 H W"]) -> tuple[Tensor, ...]:
        found = self.encoder.together(pixels)
        if self.outputs == ("video",):
            return (F.normalize(found.video, dim=-1),)
        return found.frames, found.video, found.context


class TextPart(Part):
    """Token ids in; a vector of length one, or all that a similarity reads of a text, not normalised, out."""

    inputs = ("ids",)

    def __init__(self, model: DualEncoder):
        super().__init__()
        self.clip, self.temporal = model.clip, model.temporal
        self.outputs = ("text",) if _is_cosine(model) else ("tokens", "text", "words")

    def forward(self, ids: Int[Tensor, "A L"]) -> tuple[Tensor, ...]:
        found = self.clip.encode_text(ids, self.temporal.text_tokens)
        return (F.normalize(found.text, dim=-1),) if self.outputs == ("text",) else tuple(found)


class ScorePart(Part):
    """What a similarity reads of texts and videos in, the score of each text with each video out."""

    inputs, outputs = ("tokens", "text", "words", "frames", "video", "context"), ("scores",)

    def __init__(self, model: DualEncoder):
        super().__init__()
        self.score = model.score

    def forward(
        self,
        tokens: Float[Tensor, "A L E"],
        text: Float[Tensor, "A E"],
        words: Bool[Tensor, "A L"],
        frames: Float[Tensor, "B T E"],
        video: Float[Tensor, "B E"],
        context: Float[Tensor, " B *read"],
    ) -> tuple[Float[Tensor, "A B"], ...]:
        score = self.score.pairs if isinstance(self.score, PairSimilarity) else self.score
        real = torch.ones_like(frames[..., 0], dtype=torch.bool)
        return (score(TextOutput(tokens, text, words), VideoOutput(frames, video, real, context)),)


def parts_of(model: DualEncoder) -> dict[str, Part]:
    """Return the parts `video` and `text`, whose vectors' inner product is the score.

    Where a score takes more than two vectors, these return sequences, and a third part, `scores`, reads them. Raises
    ValueError, with the reason, for a model that is no such graph.
    """
    if reason := _refusal(model):
        raise ValueError(f"this model can't be exported as a graph: {reason}; its weights can (--out)")
    both: dict[str, Part] = {"video": VideoPart(model), "text": TextPart(model)}
    return both if _is_cosine(model) else both | {"scores": ScorePart(model)}


class Graph(NamedTuple):
    """A part that was traced, and its inputs and outputs by name."""

    program: ExportedProgram
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, part: Part, known: Mapping[str, Tensor]) -> Graph:
        """Return a part as a graph, traced with those of the known tensors that it reads; open dimensions are above 1.

        How many frames it takes at most is found on the way: by the checks that the method itself makes.
        """
        given = [known[name] for name in part.inputs]
        shapes = [dict.fromkeys(range(len(OPEN[name])), Dim.AUTO) for name in part.inputs]
        with torch.no_grad():
            program = torch.export.export(part.eval(), tuple(given), dynamic_shapes=tuple(shapes))
        return cls(program, part.inputs, part.outputs)

    @property
    def most_frames(self) -> int | None:
        """Most frames of a video that the graph `video` takes; None for any number."""
        pixels = next(
            n for n in self.program.graph.nodes if n.name in self.program.graph_signature.user_inputs
        )
        most = self.program.range_constraints[pixels.meta["val"].shape[1].node.expr].upper
        return int(most) if most.is_Integer else None


def trace(model: DualEncoder) -> dict[str, Graph]:
    """Return the graphs of `parts_of` by name. Raises ValueError, with the reason, for a model that has none."""
    parts = parts_of(model)
    known = flow(parts, examples(model, videos=2, frames=max(2, model.frames), texts=2))
    return {name: Graph.of(part, known) for name, part in parts.items()}


def examples(model: DualEncoder, videos: int, frames: int, texts: int) -> dict[str, Tensor]:
    """Return random `pixels` and `ids`."""
    drawn, size = torch.Generator().manual_seed(0), model.clip.image_size
    pixels = torch.randn(videos, frames, 3, size, size, generator=drawn)
    return {
        "pixels": pixels,
        "ids": torch.randint(1, WORDS, (texts, model.clip.context_length), generator=drawn),
    }


@torch.no_grad()
def flow(parts: Mapping[str, Runs], given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what is given together with what all parts make of it, by name."""
    known = dict(given)
    for part in parts.values():
        known |= zip(part.outputs, part(*(known[name] for name in part.inputs)), strict=True)
    return known


def _is_cosine(model: DualEncoder) -> bool:
    return isinstance(model.score, Cosine)


def _refusal(model: DualEncoder) -> str | None:
    """Return why a model is no fixed graph of two encoders; None where it is one."""
    if isinstance(model.temporal, CenterClip):
        return "center_clip moves centres until none changes, so how much it computes depends on the video"
    if any(isinstance(module, Shuffle) for module in model.temporal.modules()):
        return "token_roll with shuffled=True draws an order of the patches anew for every video"
    if not model.score.reads_texts:
        return "linear_classifier scores classes of its own, and reads no text"
    if isinstance(model.clip.text, NoText):
        return "it was released without a text tower"
    return None
