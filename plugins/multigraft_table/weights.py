"""Weights of the networks: built anew or from a folder, and written to one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from multigraft.contracts.records import Origin
from multigraft.errors import WeightsError
from multigraft.models.untrusted import budget
from multigraft_table.layout import CONFIG, WEIGHTS, weights_folder

HEAD = "head."
M = TypeVar("M", bound=nn.Module)


def made(make: Callable[[], M], origin: Origin) -> M:
    """A new network, or one with the weights in the origin's folder. Raises WeightsError."""
    if origin.scratch:
        return make()
    folder = weights_folder(origin)
    with budget(folder):
        make()
    network = make()
    file = folder / WEIGHTS
    try:
        state = load_file(file)
        own = {name: value for name, value in state.items() if not name.startswith(HEAD)}
        network.load_state_dict(own)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise WeightsError(
            f"{file} cannot be read as {origin.backbone}: {str(error).splitlines()[0]}"
        ) from error
    return network


def save(
    network: nn.Module,
    folder: Path,
    *,
    head: nn.Linear | None,
    config: Callable[[tuple[str, ...]], str],
    labels: Sequence[str],
) -> None:
    """Write config.json and model.safetensors, a head as ``head.weight``, ``head.bias``."""
    state: dict[str, Tensor] = dict(network.state_dict())
    if head is not None:
        state |= {f"{HEAD}{name}": value for name, value in head.state_dict().items()}
    kept: dict[str, Any] = {name: value.contiguous() for name, value in state.items()}
    save_file(kept, folder / WEIGHTS)
    text = config(tuple(labels) if head is not None else ())
    (folder / CONFIG).write_text(text, encoding="utf-8")
