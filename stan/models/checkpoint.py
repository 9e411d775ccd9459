"""Weight files in, tensors and metadata out; also writes them to files that are never left half written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from stan.common.files import new_file
from stan.common.json_values import from_json
from stan.models.vocabulary import IDS, whole

CHECKPOINT = "checkpoint.safetensors"
"""The weights' name in a run's folder, and on the hub."""
FORMER_NAMES = {
    "de1368d0dd593864": "fe5c12e6e00eb006",
    "a70c44e72971c1d8": "bf10dc47484abed2",
    "14edc01afbf82732": "b8367dbb86c29d60",
}
"""Digests of the tiny CLIP under a trained branch, of `stan-tiny` and of `clip-tiny`, each with the digest that records
of version 0.1 have for it. In 0.1, the embeddings of words that these models never read held other noise."""


class Saved(NamedTuple):
    """What a model's file holds, so that the model can be written like it again."""

    names: frozenset[str]
    """Names of the tensors; the others are the backbone's own."""
    metadata: Mapping[str, Any]


def save(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Write a safetensors file atomically: `path` is either as before or complete. `metadata`: plain JSON values.

    On an error, nothing is left behind, not even a new folder.
    """
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    made = [folder for folder in Path(path).parents if not folder.exists()]
    try:
        with new_file(Path(path)) as part:
            save_file(plain, part, {"stan": json.dumps(dict(metadata or {}))})
    except BaseException:
        for folder in made:
            folder.rmdir()
        raise


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and metadata that `save` wrote; other safetensors files have no metadata.

    If the file keeps only some rows of a token embedding, the others are filled in again (`stan.models.vocabulary`).
    Raises ValueError for a file that is missing or isn't safetensors.
    """
    with _opened(path) as file:
        metadata = _told(file)
        return whole({name: file.get_tensor(name) for name in file.keys()}), metadata  # noqa: SIM118


def metadata(path: str | Path) -> dict[str, Any]:
    """Return the metadata that `save` wrote, without reading tensors. Raises the same errors as `load`."""
    with _opened(path) as file:
        return _told(file)


def names(path: str | Path) -> list[str]:
    """Return the names of the tensors, without reading them. Raises the same errors as `load`."""
    with _opened(path) as file:
        return list(file.keys())


def shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the tensors' shapes by name, without reading them. Raises the same errors as `load`."""
    with _opened(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def kept_words(path: str | Path) -> list[int] | None:
    """Return the token ids whose embeddings the file keeps; None if it keeps all. Raises the same errors as `load`."""
    with _opened(path) as file:
        names = [name for name in file.keys() if name.endswith(IDS)]  # noqa: SIM118
        return file.get_tensor(names[0]).tolist() if names else None


class _NoMetadata(ValueError):
    """Raised if a file's metadata isn't as `save` writes it."""


def _told(file: Any) -> dict[str, Any]:
    try:
        found = from_json((file.metadata() or {}).get("stan", "{}"))
    except ValueError as error:
        raise _NoMetadata(f"its metadata is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise _NoMetadata("its metadata is no JSON object")
    return found


@contextmanager
def _opened(path: str | Path) -> Generator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError, _NoMetadata) as error:
        raise ValueError(
            f"{path} is not a readable checkpoint ({error}): check the path and that it is complete"
        ) from error


def fill(model: nn.Module, state: Mapping[str, Tensor], source: str | Path, optional: str = "") -> None:
    """Load `state` into `model`. Names that start with `optional` (if given) may be missing from `state`.

    Raises ValueError, naming what doesn't fit.
    """
    ours = model.state_dict()
    missing = [key for key in ours if key not in state and not (optional and key.startswith(optional))]
    unknown = [key for key in state if key not in ours]
    misshaped = [key for key in state if key in ours and state[key].shape != ours[key].shape]
    for what, keys in (("misses", missing), ("has unknown", unknown), ("has another shape of", misshaped)):
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise ValueError(f"{source} {what} {', '.join(keys[:3])}{more}: it belongs to another model")
    model.load_state_dict(state, strict=False)


def digest(tensors: dict[str, Tensor], beside: list[Any] | None = None) -> str:
    """Return sixteen hex digits that identify these tensors by their names, dtypes, shapes and values.

    beside: JSON values that belong to the identity as well, if there are any.
    """
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy())
    if beside:
        sha.update(json.dumps(beside).encode())
    return sha.hexdigest()[:16]


def same_weights(recorded: str, at_hand: str) -> bool:
    """Return whether a record's digest is that of the weights at hand, or the one that version 0.1 had for them."""
    return recorded in (at_hand, FORMER_NAMES.get(at_hand))
