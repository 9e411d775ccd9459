"""A model in, its parameters spread over processes (FSDP2) out; also turns whole tensors into spread ones and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning_fabric.strategies import ModelParallelStrategy, Strategy
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from stan.config import TrainConfig
from stan.models.dual_encoder import whole_blocks
from stan.training.objective import Objective

FSDP = "fsdp"


def strategy(name: str, devices: int | str, nodes: int) -> str | Strategy:
    """Return the strategy `name` as fabric understands it: one of its own names, or for `fsdp` the strategy itself.

    Raises ValueError if `fsdp` isn't given a number of devices.
    """
    if name != FSDP:
        return name
    if not isinstance(devices, int):
        raise ValueError(f"strategy fsdp with devices={devices!r}: say how many devices a machine has")
    return ModelParallelStrategy(shard, data_parallel_size=devices * nodes, tensor_parallel_size=1)


def check(recipe: TrainConfig) -> None:
    """Raise ValueError for a recipe that needs what parameters spread over processes can't do."""
    if recipe.learned_scale:
        raise ValueError(
            "train.learned_scale and strategy fsdp don't go together: a single number can't be spread; choose ddp"
        )
    if recipe.interpolated_loss:
        raise ValueError(
            "train.interpolated_loss and strategy fsdp don't go together: the weights that CLIP started from aren't"
            " spread; choose ddp"
        )


def shard(objective: Objective, mesh: DeviceMesh) -> Objective:
    """Spread the objective's parameters over the mesh: each block's as a unit of its own, all others as one unit.

    So the parameters of only one block are gathered at a time.
    """
    processes = mesh["data_parallel"]
    for block in whole_blocks(objective.model):
        fully_shard(block, mesh=processes)
    # logit scale and bias are scalars, which can't be spread, and they aren't trained
    model = objective.model
    scalars = {p for p in (model.logit_scale, model.logit_bias) if p is not None}
    fully_shard(objective, mesh=processes, ignored_params=scalars)
    return objective


def whole(value: Any) -> Any:
    """Return nested dicts and lists with every spread tensor put together; all processes must call it together."""
    if isinstance(value, Tensor):
        return value.detach().full_tensor() if isinstance(value, DTensor) else value
    if isinstance(value, Mapping):
        return {key: whole(inner) for key, inner in value.items()}
    return [whole(inner) for inner in value] if isinstance(value, list) else value


def spread_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return a whole tensor on the parameter's device, spread over processes as the parameter is, if it is."""
    tensor = tensor.to(parameter.device)
    if not isinstance(parameter, DTensor):
        return tensor
    return distribute_tensor(tensor, parameter.device_mesh, parameter.placements)


@torch.no_grad()
def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy whole tensors into the model's own of the same names."""
    own = model.state_dict()
    for name, tensor in tensors.items():
        own[name].copy_(spread_like(tensor, own[name]))
