"""Shapes of the networks, and the folder of weights that holds one beside its reader's spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from multigraft.contracts.readers import SPEC_BYTES
from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft.system.files import check_plain
from multigraft.system.validation import problem_lines

FORMAT = 1
WEIGHTS, CONFIG = "model.safetensors", "config.json"
Width = Annotated[int, Field(ge=1, le=16_384)]
Depth = Annotated[int, Field(ge=1, le=256)]
Probability = Annotated[float, Field(ge=0, le=0.9)]


@dataclass(frozen=True)
class TransformerLayout:
    """Sizes of a `multigraft_table.ft_transformer.FTTransformer`."""

    width: Width
    depth: Depth
    heads: Annotated[int, Field(ge=1, le=1024)]
    dropout: Probability = 0.1
    """Inside each feed-forward layer."""
    attention_dropout: Probability = 0.2


@dataclass(frozen=True)
class PerceptronLayout:
    """Sizes of a `multigraft_table.mlp_plr.PeriodicMLP`."""

    width: Width
    depth: Depth
    embedding: Width
    """Of each column."""
    frequencies: Width
    """Of each number."""
    sigma: Annotated[float, Field(gt=0, le=100)] = 0.1
    """Deviation of the first frequencies."""
    dropout: Probability = 0.1


L = TypeVar("L", bound=TransformerLayout | PerceptronLayout)


def layout_of(origin: Origin, kind: type[L]) -> L:
    """The layout of the weights, or of the size where none are asked for. Raises WeightsError."""
    known = {field.name for field in fields(kind)}
    given = {key: value for key, value in origin.config.items() if key in known}
    if origin.scratch:
        return kind(**given)
    raw = read_config(origin)
    layout = _checked({key: value for key, value in raw.items() if key in known}, kind, origin)
    dropped = {key: value for key, value in given.items() if key.endswith("dropout")}
    return replace(layout, **dropped)


def _checked(held: Mapping[str, Any], kind: type[L], origin: Origin) -> L:
    """What a file says of a layout. Raises WeightsError where it describes none."""
    adapter: TypeAdapter[L] = TypeAdapter(kind)
    try:
        return adapter.validate_json(json.dumps(held), strict=True)
    except ValidationError as error:
        told = f"{weights_folder(origin)}/{CONFIG} describes no such network"
        raise WeightsError("\n  ".join([told, *problem_lines(error, BaseModel)])) from error


def saved_spec(origin: Origin) -> Spec:
    """The spec of the reader of saved weights. Raises WeightsError."""
    spec = read_config(origin).get("reader")
    if not isinstance(spec, dict):
        raise WeightsError(f"{weights_folder(origin)}/{CONFIG} does not say how rows are read")
    return spec


def dump_config(
    kind: str, layout: TransformerLayout | PerceptronLayout, spec: Spec, labels: tuple[str, ...]
) -> str:
    """The text of config.json."""
    held = {"model_type": kind, "format": FORMAT, **asdict(layout), "labels": list(labels)}
    return json.dumps({**held, "reader": spec}, indent=2, ensure_ascii=False)


def model_type(origin: Origin) -> str:
    """What config.json calls the family of a backbone: ``multigraft-mlp-plr``."""
    return f"multigraft-{origin.backbone.removesuffix(f'-{origin.size}')}"


def weights_folder(origin: Origin) -> Path:
    """The folder that holds the weights. Raises WeightsError where there is none."""
    if origin.path is None or not origin.path.is_dir():
        raise WeightsError(
            f"{origin.path or origin.hub} is no folder; give the one that holds {CONFIG} and "
            f"{WEIGHTS}, or weights: scratch"
        )
    return origin.path


def read_config(origin: Origin) -> Mapping[str, Any]:
    """The content of config.json. Raises WeightsError where it is of no network of the family."""
    folder = weights_folder(origin)
    try:
        check_plain(folder / CONFIG, limit=SPEC_BYTES)
        raw = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{folder}/{CONFIG} cannot be read: {error}") from error
    wanted = model_type(origin)
    if not isinstance(raw, dict) or raw.get("model_type") != wanted or raw.get("format") != FORMAT:
        raise WeightsError(
            f"{folder} holds no weights of {origin.backbone!r} (model_type {wanted!r}, format "
            f"{FORMAT})"
        )
    return raw
