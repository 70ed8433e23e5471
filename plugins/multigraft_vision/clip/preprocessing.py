"""How an image tower's pictures are read, as its folder's preprocessor_config.json says, and says
again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multigraft import MultigraftError, Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft.models.untrusted import CONFIG_BYTES
from multigraft.system.files import check_plain
from multigraft_vision.clip.configuration import SIGLIP, folder_of, tower_config
from multigraft_vision.detr.preprocessing import FILE, RESAMPLE
from multigraft_vision.plan import image_spec

PROCESSOR = "processor_config.json"
"""Where transformers keeps the same beside the tokenizer's settings, as ``image_processor``."""
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""CLIP's."""
HALF = (0.5, 0.5, 0.5)
"""SigLIP's, both."""


@dataclass(frozen=True)
class Preprocessing:
    """What an image tower was trained with."""

    size: tuple[int, int]
    interpolation: str
    mean: tuple[float, ...]
    """Of pixels from 0 to 1."""
    std: tuple[float, ...]
    fit: str
    crop: float = 1.0


def reader_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader that the weights expect, changed by what the recipe sets. Raises MultigraftError
    for other channels than RGB, and another size than the network has positions for."""
    if options.get("channels") is not None or options.get("depth") is not None:
        raise MultigraftError(
            f"{origin.backbone} reads RGB pictures of 8 bits; leave out reader.channels and "
            "reader.depth, or take a network of timm"
        )
    said, side = preprocessing_of(origin), tower_config(origin).image_size
    fit = options.get("fit") or said.fit
    spec = image_spec(
        options,
        size=list(said.size),
        crop=said.crop if fit == said.fit else 1.0,
        interpolation=said.interpolation,
        fit=fit,
        mean=said.mean,
    )
    if spec["size"] != [side, side]:
        raise MultigraftError(
            f"reader.size: {origin.backbone} has positions for {side} x {side} pixels, not for "
            f"{spec['size'][0]} x {spec['size'][1]}; leave it out"
        )
    return spec


def preprocessing_of(origin: Origin) -> Preprocessing:
    """What the folder says; of no weights what the kind of network is published with."""
    config = tower_config(origin)
    usual = _usual(config.model_type, config.image_size)
    if origin.scratch:
        return _parsed(usual, usual)
    folder = folder_of(origin)
    path = next((folder / name for name in (FILE, PROCESSOR) if (folder / name).exists()), None)
    if path is None:
        raise WeightsError(
            f"{folder}: has no {FILE}, which says how pictures are scaled; copy the one that these "
            "weights were published with beside them"
        )
    try:
        check_plain(path, limit=CONFIG_BYTES)
        raw = json.loads(path.read_text(encoding="utf-8"))
        return _parsed(raw["image_processor"] if path.name == PROCESSOR else raw, usual)
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError
    ) as error:  # fmt: skip
        raise WeightsError(
            f"{path}: does not say a size, a resampling and a scale that are known ({error!r}); "
            "give the file that these weights were published with"
        ) from error


def save_preprocessing(folder: Path, spec: Spec, said: Preprocessing, kind: str) -> None:
    """Write the file, as the image processors of CLIP and SigLIP read it, with the fit beside
    it."""
    numbers = {name: number for number, name in RESAMPLE.items()}
    height, width = spec["size"]
    crops = spec["fit"] == "center"
    size: Mapping[str, int] = {"height": height, "width": width}
    if crops:
        size = {"shortest_edge": math.floor(height / spec["crop"])}
    content = {
        "image_processor_type": f"{'Siglip' if kind == SIGLIP else 'CLIP'}ImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": size,
        "resample": numbers[spec["interpolation"]],
        "do_center_crop": crops,
        **({"crop_size": {"height": height, "width": width}} if crops else {}),
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(said.mean),
        "image_std": list(said.std),
        "fit": spec["fit"],
        "crop_pct": spec["crop"],
    }
    (folder / FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _usual(kind: str, side: int) -> dict[str, Any]:
    """What transformers' processor of the kind does where a file is silent."""
    square = {"height": side, "width": side}
    if kind == SIGLIP:
        return {"size": square, "do_center_crop": False, "image_mean": HALF, "image_std": HALF}
    return {
        "size": {"shortest_edge": side},
        "crop_size": square,
        "do_center_crop": True,
        "image_mean": MEAN,
        "image_std": STD,
    }


def _parsed(given: Mapping[str, Any], usual: Mapping[str, Any]) -> Preprocessing:
    raw = {**usual, **{name: value for name, value in given.items() if value is not None}}
    scale = raw.get("rescale_factor", 1 / 255) if raw.get("do_rescale", True) else 1.0
    normalised = raw.get("do_normalize", True)
    mean = raw["image_mean"] if normalised else (0.0, 0.0, 0.0)
    std = raw["image_std"] if normalised else (1.0, 1.0, 1.0)
    shrink = float(scale) * 255
    if not shrink > 0 or len(mean) != 3 or len(std) != 3 or not all(each > 0 for each in std):
        raise ValueError(f"a scale of {scale}, a mean of {mean} and a deviation of {std}")
    size, fit, crop = _cut(raw)
    return Preprocessing(
        size=size,
        interpolation=RESAMPLE[raw.get("resample", 3)],
        mean=tuple(float(each) / shrink for each in mean),
        std=tuple(float(each) / shrink for each in std),
        fit=raw.get("fit", fit),
        crop=float(raw.get("crop_pct", crop)),
    )


def _cut(raw: Mapping[str, Any]) -> tuple[tuple[int, int], str, float]:
    """The size that is left, and how a picture comes to it."""
    size = raw["size"]
    short = size if isinstance(size, int) else size.get("shortest_edge")
    crop = _sides(raw["crop_size"]) if raw.get("do_center_crop") else None
    if short is None:
        whole = _sides(size)
        if crop not in (None, whole):
            raise ValueError(f"pictures squashed to {whole} and cut to {crop}")
        return whole, "squash", 1.0
    if crop is None and isinstance(size, int):
        return (size, size), "squash", 1.0
    if crop is None or crop[0] != crop[1] or crop[0] > short:
        raise ValueError(f"a shorter side of {short} cut to {crop}")
    return crop, "center", _share(crop[0], short)


def _share(inner: int, outer: int) -> float:
    """The share of ``outer`` that ``inner`` is, such that dividing by it gives ``outer`` again."""
    share = inner / outer
    while math.floor(inner / share) < outer:
        share = math.nextafter(share, 0)
    return share


def _sides(size: Any) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    return int(size["height"]), int(size["width"])
