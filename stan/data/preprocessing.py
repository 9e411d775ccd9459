"""Describes how one CLIP reads frames and captions, as far as the loader of its batches must know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from stan.common.json_values import require
from stan.data.video.scaling import Scaling

RESIZE_MODES = ("shortest", "longest", "squash")


@dataclass(frozen=True)
class PixelSettings:
    """How frames become a tower's input, under open_clip's names; the defaults are those of OpenAI's CLIPs.

    Raises ValueError for an interpolation or a resize mode that doesn't exist, and for values of another kind.
    """

    mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    """Mean of each colour channel, for pixel values from 0 to 1."""
    std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)
    interpolation: str = "bicubic"
    """Name of one of PIL's filters."""
    resize_mode: str = "shortest"
    """What is made `size` pixels long: `shortest`, the short side, of which the centre crop is taken; `longest`, the
    long side, and the rest is padded; `squash`, both sides, whatever their ratio."""
    fill_color: int = 0
    """Value, from 0 to 255, of padded pixels."""
    size: int = 224
    """Height and width of a prepared frame, in pixels."""

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            require(name, getattr(self, name), "tuple[float, ...]")
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON has lists
        for name, kind in {"interpolation": "str", "resize_mode": "str", "fill_color": "int"}.items():
            require(name, getattr(self, name), kind)
        if self.interpolation.upper() not in Image.Resampling.__members__:
            filters = ", ".join(name.lower() for name in Image.Resampling.__members__)
            raise ValueError(f"interpolation {self.interpolation!r}: choose one of {filters}")
        if self.resize_mode not in RESIZE_MODES:
            raise ValueError(f"resize_mode {self.resize_mode!r}: choose one of {', '.join(RESIZE_MODES)}")

    @property
    def scaling(self) -> Scaling:
        """The part of these settings that takes no arithmetic on colours, for decoders."""
        return Scaling(self.size, self.resize_mode, self.interpolation, self.fill_color)

    @property
    def saved(self) -> list[Any]:
        """All but the size, which the tower has, as JSON values: `PixelSettings(*saved)` reads them."""
        *settings, _ = astuple(self)
        return settings

    @property
    def unlike_openai(self) -> list[Any]:
        """What keys and identities hold of these settings: nothing where they are OpenAI's, else all but the size.

        So keys from before there were other settings stay as they are.
        """
        return [] if self.saved == OPENAI.saved else self.saved


OPENAI = PixelSettings()


@dataclass(frozen=True)
class Preprocessing:
    """How frames and captions are prepared."""

    pixels: PixelSettings
    tokenize: Callable[[list[str], int], Int[Tensor, "N L"]]
    """Turns captions and a number of tokens (L) into token ids."""
    reads_padding: bool = False
    """Whether the padding of captions counts, so that it must be kept."""


def token_ids(
    tokenize: Callable[[list[str], int], Int[Tensor, "N L"]],
    texts: list[str],
    words: int,
    reads_padding: bool = False,
) -> Int[Tensor, "N L"]:
    """Return the token ids of all texts, cut to the length of the longest unless the tower reads the padding beyond."""
    if not texts:
        return torch.empty(0, 0, dtype=torch.long)
    distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    ids = tokenize(list(distinct), words)[[distinct[text] for text in texts]]
    return ids if reads_padding else ids[:, : int(last_tokens(ids).max()) + 1]


def last_tokens(ids: Int[Tensor, "N L"]) -> Int[Tensor, " N"]:
    """Return the position of each text's last token before its padding, which is 0 or the end token repeated."""
    last, places = ids[:, -1], torch.arange(ids.shape[1], device=ids.device)
    # the last token that isn't like the very last one
    before = torch.where(ids == last[:, None], -1, places).amax(1)
    return (before + (last != 0).int()).clamp(min=0)
