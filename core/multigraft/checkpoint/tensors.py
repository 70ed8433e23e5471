"""The tensors of a training: which of them change, and their way to safetensors and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
import xxhash
from torch import Tensor, nn


def changing(model: nn.Module, resting: frozenset[str]) -> dict[str, Tensor]:
    """The tensors of a model's state but those named in ``resting``, each storage once, by name."""
    kept: dict[str, Tensor] = {}
    seen: set[tuple[int, torch.Size, tuple[int, ...]]] = set()
    for name, tensor in model.state_dict().items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if name in resting or (tensor.numel() and place in seen):
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
    """Copy ``values`` into the tensors of the same names. Raises ValueError where names or shapes differ."""
    for name in sorted(into.keys() ^ values.keys()):
        raise ValueError(f"{name} is {'missing' if name in into else 'not part of the model'}")
    for name, tensor in into.items():
        if tensor.shape != values[name].shape:
            raise ValueError(f"{name} has shape {tuple(values[name].shape)}, not {tuple(tensor.shape)}")
        tensor.copy_(values[name])


def fingerprint(model: nn.Module, names: frozenset[str]) -> str:
    """A hash of the tensors that a checkpoint leaves out."""
    digest = xxhash.xxh3_128()
    state = model.state_dict()
    for name in sorted(names):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
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
    """Put back what `moments` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for index, part, tensor in _places(names, tensors):
        state.setdefault(index, {})[part] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    for parameter, values in optimizer.state.items():
        for part, value in values.items():
            if value.shape == parameter.shape:
                # fused kernels walk memory in order, so a moment must lie as its weight does (channels-last)
                values[part] = torch.empty_like(parameter, requires_grad=False).copy_(value)


def _places(names: Sequence[str], tensors: Mapping[str, Tensor]) -> Iterator[tuple[int, str, Tensor]]:
    index = {name: position for position, name in enumerate(names)}
    for key, tensor in tensors.items():
        name, _, part = key.rpartition(":")
        if name not in index:
            raise ValueError(f"{name} does not learn in this run")
        yield index[name], part, tensor
