"""Sentence pooling: the vectors of a text's tokens to one, as a sentence-transformers folder says
it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from multigraft.contracts.features import mean_pool
from multigraft.errors import WeightsError, refused_as
from multigraft.system.files import check_plain

CONFIG = Path("1_Pooling") / "config.json"
CONFIG_BYTES = 2**20
MEAN = "mean"


def first_token(sequence: Tensor, mask: Tensor) -> Tensor:
    """The first token, as [CLS]: [B, T, D], [B, T] -> [B, D]."""
    del mask
    return sequence[:, 0]


def max_pool(sequence: Tensor, mask: Tensor) -> Tensor:
    """The largest value of the real positions: [B, T, D], [B, T] -> [B, D]; 0 without any."""
    real = mask.bool().unsqueeze(-1)
    lowest = torch.finfo(sequence.dtype).min
    found = sequence.masked_fill(~real, lowest).amax(1)
    return found.masked_fill(~real.any(1), 0.0)


def last_token(sequence: Tensor, mask: Tensor) -> Tensor:
    """The last real position of rows whose padding is on the right: [B, T, D], [B, T] -> [B, D]."""
    last = (mask.long().sum(1) - 1).clamp(min=0)
    index = last.view(-1, 1, 1).expand(-1, 1, sequence.shape[-1])
    return sequence.gather(1, index).squeeze(1)


POOLINGS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    MEAN: mean_pool,
    "cls": first_token,
    "max": max_pool,
    "lasttoken": last_token,
}
"""By sentence-transformers' names."""
FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": MEAN,
    "pooling_mode_max_tokens": "max",
    "pooling_mode_lasttoken": "lasttoken",
}
"""How a folder says them."""


def folder_pooling(folder: Path | None) -> str | None:
    """The pooling of a sentence-transformers folder; None where there is none.

    Raises WeightsError where the folder's is none of `POOLINGS`.
    """
    if folder is None or not (folder / CONFIG).is_file():
        return None
    with refused_as(WeightsError, f"{folder / CONFIG}: cannot be read"):
        check_plain(folder / CONFIG, limit=CONFIG_BYTES)
        said = dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    found = _modes(said)
    if len(found) == 1 and found[0] in POOLINGS:
        return found[0]
    raise WeightsError(
        f"{folder / CONFIG}: pools by {' and '.join(found) or 'nothing'}; one of "
        f"{', '.join(POOLINGS)} is known: say it in the recipe, as backbone: {{pooling: mean}}"
    )


def _modes(said: Mapping[str, Any]) -> list[str]:
    """The poolings that are on: one name, or flags."""
    if isinstance(said.get("pooling_mode"), str):
        return [said["pooling_mode"]]
    flags = [name for name, on in said.items() if name.startswith("pooling_mode_") and on is True]
    return [FLAGS.get(name, name) for name in flags]


def pooling_config(pooling: str, width: int) -> dict[str, Any]:
    """What such a folder says of a pooling, in the form that every version reads."""
    flags = {flag: pooling == name for flag, name in FLAGS.items()}
    return {"word_embedding_dimension": width, **flags}
