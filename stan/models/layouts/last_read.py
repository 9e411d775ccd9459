"""Tensors by name in, the names of those that were read last out: what an error about shapes leaves unsaid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves


class LastRead(TorchFunctionMode):
    """Within it, `names` are those of the tensors that the last call on any of them read, whole or in part."""

    def __init__(self, tensors: Mapping[str, Tensor]):
        super().__init__()
        self.names: list[str] = []
        self._by_memory: dict[int, list[str]] = {}
        for name, tensor in tensors.items():
            self._by_memory.setdefault(_memory(tensor), []).append(name)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        self.names = [name for x in given for name in self._by_memory.get(_memory(x), [])] or self.names
        return func(*args, **(kwargs or {}))


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
