"""How a detector's pictures are read, as its folder's preprocessor_config.json says, and says
again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multigraft import MultigraftError, Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft.models.untrusted import CONFIG_BYTES
from multigraft.system.files import check_plain
from multigraft_vision.detr.configuration import folder_of
from multigraft_vision.plan import image_spec

FILE = "preprocessor_config.json"
RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, where a file asks for normalisation and gives none."""


@dataclass(frozen=True)
class Preprocessing:
    """What a detector was trained with; the defaults are those of RT-DETR."""

    size: tuple[int, int] = (640, 640)
    interpolation: str = "bilinear"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    """Of pixels from 0 to 1."""
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    fit: str = "squash"
    crop: float = 1.0


def reader_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The reader that the weights expect, changed by what the recipe sets. Raises MultigraftError
    for other channels than RGB."""
    if options.get("channels") is not None or options.get("depth") is not None:
        raise MultigraftError(
            f"{origin.backbone} reads RGB pictures of 8 bits; leave out reader.channels and "
            "reader.depth, or take a network of timm"
        )
    said = preprocessing_of(origin)
    fit = options.get("fit") or said.fit
    return image_spec(
        options,
        size=list(said.size),
        crop=said.crop if fit == said.fit else 1.0,
        interpolation=said.interpolation,
        fit=fit,
        mean=said.mean,
    )


def preprocessing_of(origin: Origin) -> Preprocessing:
    """What the folder says; of no weights, or a folder without the file, the defaults."""
    if origin.scratch:
        return Preprocessing()
    path = folder_of(origin) / FILE
    if not path.exists():
        return Preprocessing()
    try:
        check_plain(path, limit=CONFIG_BYTES)
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError
    ) as error:  # fmt: skip
        raise WeightsError(
            f"{path}: does not say a height and width, a resampling and a scale that are known "
            f"({error!r}); give the file that these weights were published with"
        ) from error


def save_preprocessing(folder: Path, spec: Spec, *, mean: Any, std: Any) -> None:
    """Write the file, as RT-DETR's image processor reads it, with the fit beside it."""
    numbers = {name: number for number, name in RESAMPLE.items()}
    height, width = spec["size"]
    said = {
        "image_processor_type": "RTDetrImageProcessor",
        "do_resize": True,
        "size": {"height": height, "width": width},
        "resample": numbers[spec["interpolation"]],
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": any(mean) or set(std) != {1.0},
        "image_mean": list(mean),
        "image_std": list(std),
        "do_pad": False,
        "fit": spec["fit"],
        "crop_pct": spec["crop"],
    }
    (folder / FILE).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def _parsed(raw: Mapping[str, Any]) -> Preprocessing:
    scale = raw.get("rescale_factor", 1 / 255) if raw.get("do_rescale", True) else 1.0
    normalised = raw.get("do_normalize", False)
    mean = raw.get("image_mean") or MEAN if normalised else (0.0, 0.0, 0.0)
    std = raw.get("image_std") or STD if normalised else (1.0, 1.0, 1.0)
    shrink = float(scale) * 255
    if not shrink > 0 or len(mean) != 3 or len(std) != 3 or not all(each > 0 for each in std):
        raise ValueError(f"a scale of {scale}, a mean of {mean} and a deviation of {std}")
    size = raw.get("size", {"height": 640, "width": 640})
    return Preprocessing(
        size=(int(size["height"]), int(size["width"])),
        interpolation=RESAMPLE[raw.get("resample", 2)],
        mean=tuple(float(each) / shrink for each in mean),
        std=tuple(float(each) / shrink for each in std),
        fit=raw.get("fit", "squash"),
        crop=float(raw.get("crop_pct", 1.0)),
    )
