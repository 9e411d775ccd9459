"""Where parts act, what they mix and the sources that methods share in; a method or similarity as cards read it out."""

from __future__ import annotations

from dataclasses import dataclass

PLACES = {
    "text": "before the text tower",
    "input": "before CLIP's blocks",
    "halfway": "halfway through CLIP's blocks",
    "before attention": "inside the blocks, before attention",
    "attention": "inside the blocks, in attention",
    "after attention": "inside the blocks, before the MLP",
    "mlp": "inside the blocks, beside the MLP",
    "branch": "beside CLIP, in a branch",
    "end": "after CLIP's last block",
    "frames": "after CLIP, over frame embeddings",
    "pool": "after CLIP, where frames become a video",
    "score": "in the score",
}
"""Where a part may act, from the text and the pixels to the score."""
MIXES = ("nothing", "time", "neighbours", "frame", "all", "segments")
"""What a part mixes: each frame by itself; all frames; each frame with those beside it; the patches of a frame; the
patches of all frames; or frames into fewer."""


@dataclass(frozen=True)
class Part:
    """One part that a method adds to CLIP, or changes."""

    place: str
    """One of PLACES."""
    label: str
    """What it is, in the two or three words that a picture has room for."""
    mixes: str
    """One of MIXES."""
    words: str
    """What it does, in a sentence."""
    learned: bool = True
    """Whether it has parameters."""


@dataclass(frozen=True)
class Mechanism:
    """A method or similarity: its source, its parts in the order in which data pass them, and how it deviates."""

    title: str
    paper: str
    """Authors, where and when, arXiv number."""
    parts: tuple[Part, ...]
    differs: str
    """Where its defaults differ from the source, and why."""
    starts: str
    """What its parameters start as."""
    recipe: str
    """How the source trains it."""
    reads: str = "video, text"
    """What a similarity compares: `video` or `frames`, with `text`, `tokens` or `classes`."""
    sets: tuple[str, ...] = ()
    """Sets of reference outputs (`tests/golden`) that it is compared with."""
    layouts: tuple[str, ...] = ()
    """Released layouts that load and whose reference outputs are kept elsewhere, or not at all."""

    @property
    def where(self) -> str:
        """Where its parts act, in words."""
        return "; ".join(dict.fromkeys(PLACES[part.place] for part in self.parts))


CLIP4CLIP = "Luo et al. 2021, arXiv 2104.08860"
CLIP2VIDEO = "Fang et al. 2021, arXiv 2106.11097"
ACTIONCLIP = "Wang et al. 2021, arXiv 2109.08472"
X_CLIP = "Ni et al., ECCV 2022, arXiv 2208.02816"

CLIP4CLIP_RECIPE = "all weights, Adam 1e-4, CLIP at a thousandth of it, batch 128, 5 epochs, 12 frames"
ACTIONCLIP_RECIPE = "all weights, AdamW 5e-6, fusion times 10, KL loss over templates"
X_CLIP_RECIPE = "AdamW 8e-6, new modules times 10, text tower frozen, mixup, cutmix, label smoothing 0.1"
FREE = "no parameters"


def over_frames(label: str, words: str, mixes: str = "time") -> Part:
    return Part("frames", label, mixes, words)
