"""Shape of a log-mel encoder: its sizes, and the config.json they are kept in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from multigraft.contracts.records import Origin
from multigraft.errors import WeightsError
from multigraft.system.files import check_plain
from multigraft.system.validation import problem_lines

MODEL_TYPE = "multigraft-logmel"
FORMAT = 1
CONFIG_BYTES = 2**24


@dataclass(frozen=True)
class Layout:
    """Sizes of a `multigraft_speech.logmel.LogMelEncoder`."""

    mels: Annotated[int, Field(ge=1, le=1024)]
    width: Annotated[int, Field(ge=1, le=16_384)]
    depth: Annotated[int, Field(ge=0, le=256)]
    """Residual blocks."""
    sample_rate: Annotated[int, Field(ge=1000, le=768_000)] = 16_000
    dropout: Annotated[float, Field(ge=0, le=0.9)] = 0.1

    @property
    def window(self) -> int:
        """Samples in one spectrum: 25 ms."""
        return round(0.025 * self.sample_rate)

    @property
    def hop(self) -> int:
        """Samples from one spectrum to the next: 10 ms."""
        return round(0.010 * self.sample_rate)


def load_layout(origin: Origin) -> Layout:
    """The layout of the weights, or of the size where none are asked for. Raises WeightsError."""
    known = {field.name for field in fields(Layout)}
    if origin.scratch:
        return Layout(**{key: value for key, value in origin.config.items() if key in known})
    raw = _read_config(origin)
    try:
        chosen = json.dumps({key: value for key, value in raw.items() if key in known})
        layout = TypeAdapter(Layout).validate_json(chosen, strict=True)
    except ValidationError as error:
        lines = [f"  {line}" for line in problem_lines(error, BaseModel)]
        raise WeightsError(
            "\n".join([f"{weights_folder(origin)}/config.json describes no encoder", *lines])
        ) from error
    return replace(layout, dropout=origin.config.get("dropout", layout.dropout))


def dump_config(layout: Layout, labels: tuple[str, ...]) -> str:
    """The text of config.json."""
    return json.dumps(
        {"model_type": MODEL_TYPE, "format": FORMAT, **asdict(layout), "labels": list(labels)},
        indent=2,
        ensure_ascii=False,
    )


def weights_folder(origin: Origin) -> Path:
    """The folder that holds the weights. Raises WeightsError where there is none."""
    if origin.path is None:
        raise WeightsError(
            f"{origin.hub}: no log-mel encoder is published; give a folder of ours, or weights: "
            "scratch"
        )
    if not origin.path.is_dir():
        raise WeightsError(
            f"{origin.path} is no folder; give the one that holds config.json and model.safetensors"
        )
    return origin.path


def _read_config(origin: Origin) -> Mapping[str, Any]:
    folder = weights_folder(origin)
    try:
        check_plain(folder / "config.json", limit=CONFIG_BYTES)
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{folder}/config.json cannot be read: {error}") from error
    if (
        not isinstance(raw, dict)
        or raw.get("model_type") != MODEL_TYPE
        or raw.get("format") != FORMAT
    ):
        raise WeightsError(
            f"{folder} holds no log-mel encoder (model_type {MODEL_TYPE!r}, format {FORMAT})"
        )
    return raw
