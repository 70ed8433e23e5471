"""Plan a timm network: the architecture, configuration and reader that an origin asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import timm
from timm.models import PretrainedCfg, is_model, load_model_config_from_hf

from multigraft import MultigraftError, Origin, Size
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft.system.files import check_plain
from multigraft_vision.channels.settings import KIND, asked

# Arguments that a saved folder sets and that do not make it another network.
FREE_ARGS = {"num_classes", "in_chans", "global_pool", "img_size"}
MAX_PIXELS = 50_000_000
FITS = {"center": "center", "squash": "squash", "border": "pad"}
"""timm's crop modes as the reader calls them."""
# Where a configuration may say that its weights lie; only the hub id that was asked for counts.
ELSEWHERE = {"url", "file", "state_dict", "hf_hub_filename"}
CONFIG_BYTES = 2**24


@dataclass(frozen=True)
class Plan:
    """All that `timm.create_model` needs besides the weights."""

    name: str
    cfg: Mapping[str, Any]
    """timm's ``pretrained_cfg``: where the weights are and what they expect."""
    args: Mapping[str, Any]
    reader: Mapping[str, Any] = field(default_factory=dict)
    """Of a saved folder: the entries of `Channels` that its weights were trained with."""


def find(name: str) -> Size | None:
    """The size behind ``timm/<name>``: any architecture of timm, with a tag or without."""
    architecture = name.partition(".")[0]
    if not is_model(architecture):
        return None
    try:
        cfg = timm.get_pretrained_cfg(name)
    except RuntimeError:  # no such tag
        return None
    known = cfg is not None and cfg.has_weights
    hub = (
        f"timm/{architecture}.{cfg.tag}"
        if known and cfg.tag
        else f"timm/{architecture}"
        if known
        else None
    )
    return Size(config={"architecture": architecture}, hub=hub)


def plan(origin: Origin) -> Plan:
    """Resolve an origin without its weights. Raises WeightsError for another network's folder."""
    config = origin.config
    name, args = config["architecture"], dict(config.get("model_args", {}))
    reader: Mapping[str, Any] = {}
    if origin.path is not None and origin.path.is_dir():
        cfg, args, reader = _from_folder(origin.path, name, args)
    else:
        published = _registered(name) if origin.hub is None else _from_hub(origin.hub, name)
        cfg = {**published, **config.get("data", {})}
    if config.get("drop_path"):
        args["drop_path_rate"] = config["drop_path"]
    return Plan(name, cfg, args, reader)


def reader_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader that the weights expect, changed by what the recipe sets."""
    planned = plan(origin)
    cfg = planned.cfg
    chosen = {key: value for key, value in options.items() if value is not None}
    fit = chosen.get("fit") or FITS.get(cfg.get("crop_mode") or "center")
    if fit is None:
        raise MultigraftError(
            f"{origin.backbone} expects the crop mode {cfg['crop_mode']!r}; set reader.fit to "
            "center, squash or pad"
        )
    return image_spec(
        options,
        size=list(cfg["input_size"][1:]),
        crop=_crop(cfg, fit, places=bool(chosen.get("places"))),
        interpolation=cfg["interpolation"],
        fit=fit,
        mean=cfg["mean"],
        channels=asked(chosen, planned.reader, cfg["mean"], cfg["std"]),
    )


def image_spec(
    options: Mapping[str, Any],
    *,
    size: list[int],
    crop: float,
    interpolation: str,
    fit: str,
    mean: Sequence[float],
    channels: Spec | None = None,
) -> Spec:
    """The spec of a reader: what weights expect, and what of it a recipe's options change;
    ``channels`` where pictures are of others than RGB."""
    chosen = {key: value for key, value in options.items() if value is not None}
    padded = fit == "pad" and not channels
    return {
        "kind": KIND if channels else "image",
        "size": _sides(chosen.get("size", size)),
        "crop": float(chosen.get("crop", crop)),
        "interpolation": chosen.get("interpolation", interpolation),
        "fit": fit,
        "max_pixels": chosen.get("max_pixels", MAX_PIXELS),
        **({"fill": [round(255 * share) for share in mean]} if padded else {}),
        **({"places": True} if chosen.get("places") else {}),
        **(channels or {}),
    }


def _sides(size: int | list[int]) -> list[int]:
    """Height and width."""
    sides = [size, size] if isinstance(size, int) else list(size)
    if len(sides) != 2:
        raise MultigraftError(f"reader.size: found {size}; give one number, or [height, width]")
    return sides


def _crop(cfg: Mapping[str, Any], fit: str, *, places: bool) -> float:
    """The share that the weights expect; all of a picture that is padded, unless they are made for
    that, or of which every place counts."""
    whole = places or (fit == "pad" and cfg.get("crop_mode") != "border")
    return 1.0 if whole else float(cfg["crop_pct"])


def _registered(name: str) -> dict[str, Any]:
    cfg = timm.get_pretrained_cfg(name)
    return {"architecture": name.partition(".")[0], **cfg.to_dict()}


def _from_hub(hub: str, name: str) -> dict[str, Any]:
    """A hub id's configuration: known to timm (``timm/resnet18.a1_in1k``), or fetched."""
    owner, _, tagged = hub.partition("/")
    if owner == "timm" and is_model(tagged.partition(".")[0]):
        cfg = _registered(tagged)
    else:
        cfg, architecture, _ = fetched(hub, lambda: load_model_config_from_hf(hub))
        cfg = {key: value for key, value in cfg.items() if key not in ELSEWHERE}
        cfg["architecture"] = architecture
    _same(f"hub weights {hub!r} hold", cfg["architecture"], name)
    return cfg


def fetched(hub: str, fetch: Any) -> Any:
    """Fetch from the hub. Raises WeightsError with the way around where that fails."""
    try:
        return fetch()
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"weights {hub!r} are not in the local hub cache and cannot be fetched "
            f"({type(error).__name__}); run `hf download {hub} --local-dir weights` on a machine "
            "with a network, bring the folder or its model.safetensors here, and set "
            "backbone.weights to it (or to 'scratch')"
        ) from error


def _from_folder(
    folder: Path, name: str, args: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Configuration and arguments of a timm hub folder, and what its reader of channels knows;
    defaults are as registered."""
    try:
        check_plain(folder / "config.json", limit=CONFIG_BYTES)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architecture, cfg = config["architecture"], config.get("pretrained_cfg", config)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{folder}: has no readable config.json of timm; pass a folder that timm or this "
            "plugin saved, or the weights file itself"
        ) from error
    _same(f"{folder} holds", architecture, name)
    saved = {
        key: value for key, value in config.get("model_args", {}).items() if key not in FREE_ARGS
    }
    if saved != args:
        raise WeightsError(f"{folder}: holds {name} with the arguments {saved}; wanted: {args}")
    known = {each.name for each in fields(PretrainedCfg)}
    cfg = {**_registered(name), **{key: value for key, value in cfg.items() if key in known}}
    return cfg, saved, _reader_of(config, cfg)


def _reader_of(config: Mapping[str, Any], cfg: Mapping[str, Any]) -> dict[str, Any]:
    """What was saved of the reader; of a folder that timm saved the number of channels alone, and
    nothing where it is RGB's."""
    saved = config.get("reader")
    if isinstance(saved, dict):
        return {key: saved[key] for key in ("channels", "depth", "range", "mean", "std")}
    count = cfg["input_size"][0]
    return {} if count == 3 else {"channels": count}


def _same(where: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise WeightsError(f"{where} {found}, not {wanted}; ask for the backbone 'timm/{found}'")
