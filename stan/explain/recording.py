"""A model's modules in; what they read or returned when the model last ran out."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from stan.models.dual_encoder import DualEncoder


@contextmanager
def noted_outputs(modules: Iterable[nn.Module]) -> Generator[dict[nn.Module, Any]]:
    """Yield a dict that keeps each module's last output while the context is open."""
    seen: dict[nn.Module, Any] = {}

    def note(module: nn.Module, _: Any, output: Any) -> None:
        seen[module] = output

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(note).remove)
        yield seen


@contextmanager
def noted_inputs(modules: Iterable[nn.Module]) -> Generator[dict[nn.Module, Tensor]]:
    """Yield a dict that keeps each module's last input while the context is open."""
    read: dict[nn.Module, Tensor] = {}

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        read[module] = given[0]

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_pre_hook(note).remove)
        yield read


def require_own_patches(model: DualEncoder, frames: int, seen: dict[nn.Module, Any]) -> None:
    """Raise ValueError if CLIP's blocks read other tokens than each frame's own.

    Blocks without parts read nothing else.
    """
    norms = [block.ln_1 for block in model.clip.blocks] if model.clip.has_parts else []
    if any(seen[norm].shape[:2] != (frames, model.clip.tokens_per_frame) for norm in norms):
        name = type(model.temporal).__name__
        raise ValueError(
            f"there are no attention maps of {name}: its tokens are not each frame's own patches"
        )
