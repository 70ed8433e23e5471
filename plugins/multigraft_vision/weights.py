"""Build a timm backbone: from scratch, from the hub, from a folder or from a weights file."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import timm
import torch
from safetensors import SafetensorError
from timm.models import adapt_input_conv, load_state_dict
from torch import Tensor

from multigraft import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft.models.untrusted import budget
from multigraft.system.libraries import offline
from multigraft_vision.backbone import TimmBackbone
from multigraft_vision.plan import Plan, fetched, plan
from multigraft_vision.survey import survey

FOLDER_FILES = ("model.safetensors", "pytorch_model.bin")
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
# Training-time branches that the backbone is built without.
AUXILIARY = ("AuxLogits.",)


def build(origin: Origin, spec: Spec) -> TimmBackbone:
    """Build a backbone of the reader's size with the origin's weights. Raises WeightsError."""
    height, width = spec["size"]
    chosen = _sized(plan(origin), (height, width), spec.get("channels", 3))
    anatomy = survey(chosen.name, chosen.cfg, chosen.args, (height, width))
    if origin.path is not None:
        with budget(origin.path):
            _create(chosen, None)
    model = _create(chosen, origin.hub)
    if origin.path is not None:
        _adopt(model, _read(origin.path), tuple(anatomy.classifier), origin.path, chosen.args)
    return TimmBackbone(model, chosen, anatomy, spec)


def _sized(chosen: Plan, size: tuple[int, int], channels: int) -> Plan:
    """Tell a network how many channels images have, where it is not RGB's number, and one that has
    a position table how large they are."""
    told: dict[str, Any] = {} if channels == 3 else {"in_chans": channels}
    if chosen.cfg.get("fixed_input_size"):
        told["img_size"] = list(size)
    return replace(chosen, args={**chosen.args, **told})


def _create(chosen: Plan, hub: str | None) -> Any:
    def create() -> Any:
        return timm.create_model(
            chosen.name,
            pretrained=hub is not None,
            pretrained_cfg=dict(chosen.cfg),
            num_classes=0,
            **chosen.args,
        )

    if hub is None:
        return create()
    _check_offline(chosen, hub)
    return fetched(hub, create)


def _check_offline(chosen: Plan, hub: str) -> None:
    """Raise WeightsError where timm would fetch an address although nothing is to be fetched.

    Weights on the hub are fetched by the hub's library, which looks at the variables itself.
    """
    said, address = offline(), chosen.cfg.get("url")
    if not said or not address or chosen.cfg.get("hf_hub_id"):
        return
    kept = Path(torch.hub.get_dir(), "checkpoints", Path(urlsplit(address).path).name)
    if not kept.is_file():
        raise WeightsError(
            f"weights {hub!r} are published at {address}, and {said} is set; put that file at "
            f"{kept}, set backbone.weights to where it is, or unset the variable"
        )


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, or of a folder's weights file, without running anything in it."""
    file = path
    if path.is_dir():
        files = [path / name for name in FOLDER_FILES if (path / name).is_file()]
        if not files:
            raise WeightsError(f"{path}: holds no weights; allowed: {', '.join(FOLDER_FILES)}")
        file = files[0]
    if file.suffix not in SUFFIXES:
        raise WeightsError(f"{file}: is no weights file; allowed: {', '.join(SUFFIXES)}")
    try:
        state: dict[str, Tensor] = load_state_dict(str(file), weights_only=True)
    except (
        OSError,
        RuntimeError,
        ValueError,
        EOFError,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        raise WeightsError(f"{file}: cannot be opened safely: {error}") from error
    return state


def _adopt(
    model: Any,
    state: dict[str, Tensor],
    classifier: tuple[str, ...],
    path: Path,
    args: Mapping[str, Any],
) -> None:
    """Load ``state`` without its classifier; every other tensor must fit."""
    module = importlib.import_module(type(model).__module__)
    # timm's own, for older layouts and other image sizes
    convert = getattr(module, "checkpoint_filter_fn", None)
    state = state if convert is None else convert(state, model)
    dropped = (*(f"{name}." for name in classifier), *AUXILIARY)
    state = {name: value for name, value in state.items() if not name.startswith(dropped)}
    name = model.pretrained_cfg["architecture"]
    _adapt(model, state, args.get("in_chans", 3))
    try:
        found = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: the tensors are not of the shape that {name} has: {error}"
        ) from error
    if found.missing_keys or found.unexpected_keys:
        raise WeightsError(
            f"{path}: is not {name}: {_some(found.missing_keys)} missing, "
            f"{_some(found.unexpected_keys)} unknown"
        )


def _adapt(model: Any, state: dict[str, Tensor], channels: int) -> None:
    """Make RGB's first convolutions those of another number of channels, as timm does: repeated and
    scaled, or summed for one. What has other channels is left, and refused by its shape."""
    names = model.pretrained_cfg.get("first_conv") or ()
    for name in (names,) if isinstance(names, str) else names:
        kernel = state.get(f"{name}.weight")
        if channels != 3 and kernel is not None and kernel.ndim == 4 and kernel.shape[1] == 3:
            state[f"{name}.weight"] = adapt_input_conv(channels, kernel)


def _some(names: list[str]) -> str:
    return f"{len(names)} tensors" + (f" ({', '.join(names[:3])}, ...)" if names else "")
