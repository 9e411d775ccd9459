"""Weight files in, tensors and metadata out; also writes them to files that are never left half written."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from stan.models.vocabulary import IDS, whole


def save(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Write a safetensors file atomically: `path` is either as before or complete. `metadata`: plain JSON values.

    On an error, nothing is left behind, not even a new folder.
    """
    path = Path(path)
    made = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        save_file(plain, partial, {"stan": json.dumps(dict(metadata or {}))})
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        for folder in made:
            folder.rmdir()
        raise


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and metadata that `save` wrote; other safetensors files have no metadata.

    If the file keeps only some rows of a token embedding, the others are filled in again (`stan.models.vocabulary`).
    Raises ValueError for a file that is missing or isn't safetensors.
    """
    with _opened(path) as file:
        metadata = json.loads((file.metadata() or {}).get("stan", "{}"))
        return whole({name: file.get_tensor(name) for name in file.keys()}), metadata  # noqa: SIM118


def metadata(path: str | Path) -> dict[str, Any]:
    """Return the metadata that `save` wrote, without reading tensors. Raises the same errors as `load`."""
    with _opened(path) as file:
        return json.loads((file.metadata() or {}).get("stan", "{}"))


def names(path: str | Path) -> list[str]:
    """Return the names of the tensors, without reading them. Raises the same errors as `load`."""
    with _opened(path) as file:
        return list(file.keys())


def kept_words(path: str | Path) -> list[int] | None:
    """Return the token ids whose embeddings the file keeps; None if it keeps all. Raises the same errors as `load`."""
    with _opened(path) as file:
        names = [name for name in file.keys() if name.endswith(IDS)]  # noqa: SIM118
        return file.get_tensor(names[0]).tolist() if names else None


@contextmanager
def _opened(path: str | Path) -> Generator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
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
