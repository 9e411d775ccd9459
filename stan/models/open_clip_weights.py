"""A file of weights in one of a CLIP's layouts in; open_clip's model with these weights out."""

from __future__ import annotations

import pickle
import re
import textwrap
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from open_clip.coca_model import CoCa
from open_clip.factory import load_checkpoint
from open_clip.model import CustomTextCLIP, resize_pos_embed, resize_text_pos_embed
from safetensors import SafetensorError
from torch import Tensor, nn

from stan.models import checkpoint, weight_files
from stan.models.layouts import clip, siglip
from stan.models.layouts.names import Layout

RENAMED = (siglip.HUGGINGFACE, clip.HUGGINGFACE, clip.LONG)
"""Layouts that open_clip doesn't read. The first that holds a file's names is the file's."""
TEXT_POSITIONS = (
    r"(module\.)?(text\.)?positional_embedding|text_model\.embeddings\.position_embedding\.weight"
)
"""Pattern of what the table of text positions is called in a CLIP's layouts."""
READING = (
    RuntimeError,
    LookupError,
    OSError,
    ValueError,
    AssertionError,
    AttributeError,
    pickle.UnpicklingError,
    SafetensorError,
)
"""What reading a broken or foreign file raises."""
READ_BY_OPEN_CLIP_ALONE = (".npz", ".npy")
"""Suffixes of what Big Vision releases: arrays."""


def is_wrapped(path: Path) -> bool:
    """Tell whether `stan pretrain` wrote the file, under the names of `stan.models.clip`."""
    return path.suffix == ".safetensors" and checkpoint.kept_words(path) is not None


def load_wrapped(clip: nn.Module, path: Path, name: str) -> None:
    """Load into a wrapped CLIP what `stan pretrain` wrote, in place. Raises ValueError as `load_into` does."""
    with _wrong_weights(path, name):
        clip.load_state_dict(checkpoint.load(path)[0])


def load_into(model: CustomTextCLIP | CoCa, path: Path, name: str) -> None:
    """Load a file's weights into open_clip's model, in place; positions of patches are resized to the model's.

    Layouts: open_clip's, OpenAI's (also as a TorchScript archive), Long-CLIP's, Hugging Face's (also cut into shards),
    and what open_clip converts itself. Raises ValueError for weights that cannot be read or belong to another
    architecture than `name`.
    """
    with _wrong_weights(path, name):
        if path.suffix in READ_BY_OPEN_CLIP_ALONE:
            load_checkpoint(model, str(path))  # ty: ignore[invalid-argument-type]  # takes a CoCa, too
        elif path.suffix != ".safetensors" and weight_files.is_archive(path):
            with warnings.catch_warnings(action="ignore"):  # torch.load warns that it is one
                load_checkpoint(model, str(path), weights_only=False)  # ty: ignore[invalid-argument-type]
        elif (layout := _layout_of(weight_files.names(path))) is not None:
            _fill(model, _renamed(layout, weight_files.content(path)))
        else:
            load_checkpoint(model, str(path))  # ty: ignore[invalid-argument-type]


def text_positions(path: Path, name: str) -> int | None:
    """Return the number of a file's text positions; None if it doesn't tell them by itself. Raises as `load_into` does.

    A tower reads texts as long as its file says. Left to itself, open_clip squeezes Long-CLIP's 248 positions into 77.
    """
    with _wrong_weights(path, name):
        if path.suffix in READ_BY_OPEN_CLIP_ALONE:
            return None
        if path.suffix != ".safetensors" and weight_files.is_archive(path):
            return None  # OpenAI's own, made before there were longer texts
        found = (
            shape for key, shape in weight_files.shapes(path).items() if re.fullmatch(TEXT_POSITIONS, key)
        )
        return next((shape[0] for shape in found if len(shape) == 2), None)


@contextmanager
def _wrong_weights(path: Path, name: str) -> Generator[None]:
    """Turn what loading raises into one ValueError that names the file."""
    try:
        yield
    except READING as error:
        raise ValueError(
            f"{path} does not hold weights of {name} ({_reason(error)}): check that the file is complete and that the"
            " architecture is the one it was trained with"
        ) from error


def _layout_of(names: list[str]) -> Layout | None:
    return next((layout for layout in RENAMED if layout.holds(names)), None)


def _renamed(layout: Layout, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a file's tensors under open_clip's names."""
    state, _ = layout.renamed(tensors)
    layout.design(state, {})
    return {key.removeprefix("clip."): value for key, value in state.items()}


def _fill(model: Any, state: dict[str, Tensor]) -> None:
    ours = model.state_dict()
    for name in ("logit_scale", "logit_bias"):  # a number here, a list of one there
        if name in state and name in ours:
            state[name] = state[name].reshape(ours[name].shape)
    resize_pos_embed(state, model)
    resize_text_pos_embed(state, model)
    model.load_state_dict(state)


def _reason(error: Exception) -> str:
    """Return the first line that says what is wrong; torch's own first line only says that something is."""
    lines = [line.strip() for line in str(error).splitlines()] or [type(error).__name__]
    told = lines[1] if len(lines) > 1 and lines[0].startswith("Error(s) in loading") else lines[0]
    return textwrap.shorten(told, 200, placeholder=" …")
