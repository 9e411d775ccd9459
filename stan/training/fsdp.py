"""A model in, its parameters spread over processes (FSDP2) out; whole tensors in, each process's part out, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning_fabric.strategies import ModelParallelStrategy, Strategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from stan.models.dual_encoder import whole_blocks
from stan.training.objective import Objective

FSDP = "fsdp"


def strategy(name: str, devices: int | str, nodes: int) -> str | Strategy:
    """What fabric understands: its own names, and `fsdp`. Raises ValueError where that isn't told how many devices."""
    if name != FSDP:
        return name
    if not isinstance(devices, int):
        raise ValueError(f"strategy fsdp with devices={devices!r}: say how many devices a machine has")
    return ModelParallelStrategy(shard, data_parallel_size=devices * nodes, tensor_parallel_size=1)


def shard(objective: Objective, mesh: DeviceMesh) -> Objective:
    """Spreads each block's parameters by themselves, so that those of one at a time are gathered, and all others
    together."""
    processes = mesh["data_parallel"]
    for block in whole_blocks(objective.model):
        fully_shard(block, mesh=processes)
    # a scalar can't be spread; this one isn't trained
    return fully_shard(objective, mesh=processes, ignored_params={objective.model.logit_scale})


def whole(value: Any) -> Any:
    """Tensors in nested dicts and lists, each whole where it is spread; all processes must ask together."""
    if isinstance(value, Tensor):
        return value.detach().full_tensor() if isinstance(value, DTensor) else value
    if isinstance(value, Mapping):
        return {key: whole(inner) for key, inner in value.items()}
    return [whole(inner) for inner in value] if isinstance(value, list) else value


def spread_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor in the way that the parameter is spread, if it is, and on its device."""
    tensor = tensor.to(parameter.device)
    if not isinstance(parameter, DTensor):
        return tensor
    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements)


@torch.no_grad()
def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Puts whole tensors into the parameters of these names."""
    parameters = dict(model.named_parameters())
    for name, tensor in tensors.items():
        parameters[name].copy_(spread_like(tensor, parameters[name]))
