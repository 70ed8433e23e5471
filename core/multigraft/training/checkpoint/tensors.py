"""Checkpoint tensors: which of a training's change, and their way to safetensors and back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
import xxhash
from torch import Tensor, nn

STEPS = "step"
"""AdamW's name for a parameter's number of steps, a scalar; all other state is like it."""
KEPT: Mapping[type[torch.optim.Optimizer], frozenset[str]] = {
    torch.optim.AdamW: frozenset({STEPS, "exp_avg", "exp_avg_sq"}),
    torch.optim.SGD: frozenset({"momentum_buffer"}),
}
"""The tensors that an optimizer keeps of a parameter that has learned."""


def changing(model: nn.Module, unchanging: frozenset[str]) -> dict[str, Tensor]:
    """The tensors of a model's state but ``unchanging``, each storage once, by name."""
    kept: dict[str, Tensor] = {}
    seen: set[tuple[int, torch.Size, tuple[int, ...]]] = set()
    for name, tensor in model.state_dict().items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if name in unchanging or (tensor.numel() and place in seen):
            continue
        seen.add(place)
        kept[name] = tensor
    return kept


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as safetensors stores them: on the CPU, contiguous."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that later steps do not change."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


@torch.no_grad()
def put_back(into: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Copy ``values`` into the tensors of the same names.

    Raises ValueError where names, shapes or types differ, before any is changed.
    """
    for name in sorted(into.keys() ^ values.keys()):
        raise ValueError(f"{name} is {'missing' if name in into else 'not part of the model'}")
    for name, tensor in into.items():
        _check_like(name, values[name], tensor.shape, tensor.dtype)
    for name, tensor in into.items():
        tensor.copy_(values[name])


def _check_like(name: str, value: Tensor, shape: Sequence[int], dtype: torch.dtype) -> None:
    """Raise ValueError for what is no dense tensor of this shape and type."""
    if value.shape != torch.Size(shape):
        raise ValueError(f"{name} has shape {tuple(value.shape)}, not {tuple(shape)}")
    if value.dtype != dtype or value.layout != torch.strided:
        raise ValueError(f"{name} is of type {value.dtype}, not {dtype}")


def fingerprint(model: nn.Module, names: frozenset[str]) -> str:
    """A hash of the tensors that a checkpoint leaves out."""
    digest = xxhash.xxh3_128()
    state = model.state_dict()
    for name in sorted(names):
        digest.update(name.encode())
        digest.update(
            state[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
        )
    return digest.hexdigest()


def moments(optimizer: torch.optim.Optimizer, names: Sequence[str]) -> dict[str, Tensor]:
    """The optimizer's tensors as ``{"parameter name:exp_avg": tensor}``."""
    state = optimizer.state_dict()["state"]
    return {
        f"{names[index]}:{key}": torch.as_tensor(value)
        for index, values in state.items()
        for key, value in values.items()
        if value is not None
    }


def restore_moments(
    optimizer: torch.optim.Optimizer, names: Sequence[str], tensors: Mapping[str, Tensor]
) -> None:
    """Put back what `moments` gave.

    Raises ValueError for whatever this optimizer does not keep of these parameters: a fused kernel
    takes a moment to be as long as its weight, and would walk past a shorter one.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for index, part, tensor in _places(names, tensors):
        state.setdefault(index, {})[part] = tensor
    for index, values in state.items():
        _check_moments(optimizer, names[index], parameters[index], values)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    for parameter, values in optimizer.state.items():
        for part, value in values.items():
            if part != STEPS:
                # fused kernels walk memory in order, so a moment must lie as its weight does
                # (channels-last)
                values[part] = torch.empty_like(parameter, requires_grad=False).copy_(value)


def _check_moments(
    optimizer: torch.optim.Optimizer, name: str, parameter: Tensor, values: Mapping[str, Tensor]
) -> None:
    """Raise ValueError unless a parameter's moments are all the optimizer's, each like it."""
    for part in sorted(values.keys() ^ KEPT[type(optimizer)]):
        raise ValueError(
            f"{name}:{part} is {'not part of the optimizer' if part in values else 'missing'}"
        )
    for part, value in values.items():
        if part != STEPS:
            _check_like(f"{name}:{part}", value, parameter.shape, parameter.dtype)
            continue
        _check_like(f"{name}:{part}", value, (), torch.float32)
        if not 0 <= float(value) < math.inf:
            raise ValueError(f"{name}:{part} is {float(value)}, no number of steps")


def _places(
    names: Sequence[str], tensors: Mapping[str, Tensor]
) -> Iterator[tuple[int, str, Tensor]]:
    index = {name: position for position, name in enumerate(names)}
    for key, tensor in tensors.items():
        name, _, part = key.rpartition(":")
        if name not in index:
            raise ValueError(f"{name} does not learn in this run")
        yield index[name], part, tensor
