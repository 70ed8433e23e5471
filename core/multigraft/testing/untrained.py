"""A backbone grown from nothing, with made-up rows that it can read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import collate
from multigraft.contracts.records import Backbone, Modality, Origin
from multigraft.contracts.types import Spec
from multigraft.testing.workbench import Bench, origin_of

TOLERANCE = {"atol": 2e-5, "rtol": 1e-4}
"""How far two ways to compute the same may lie apart, relative to the largest number."""
LARGE = 5_000_000
"""Parameters from which one depth is tried instead of several."""


@dataclass(frozen=True)
class Grown:
    """A backbone from scratch, in evaluation mode, and its rows."""

    family: Backbone
    origin: Origin
    modality: Modality
    spec: Spec
    reader: Reader
    module: Any
    raws: list[Any]

    def batch(self, *indices: int) -> Batch:
        """These rows together, in memory of their own."""
        rows = [self.reader.read(self.raws[index]) for index in indices]
        return {
            k: torch.from_numpy(np.array(v)) for k, v in collate(rows, self.reader.fills).items()
        }

    def again(self, path: Path | None = None, *, seed: int = 99) -> Any:
        """The same backbone built once more, from scratch or from a folder."""
        torch.manual_seed(seed)
        return self.family.build(origin_of(self.family, path), self.spec).eval()

    @property
    def large(self) -> bool:
        """Tell whether it takes long to compute."""
        return sum(parameter.numel() for parameter in self.module.parameters()) > LARGE


def grow(bench: Bench, family: Backbone) -> Grown:
    """The backbone of a family, built once for all checks. Raises Skipped."""
    return bench.once(("grown", family.name), lambda: _grow(bench, family))


def _grow(bench: Bench, family: Backbone) -> Grown:
    modality, origin = bench.modality_of(family), origin_of(family)
    raws = bench.raws(modality)
    spec = bench.spec_for(family, modality, origin)
    torch.manual_seed(0)
    module = family.build(origin, spec).eval()
    return Grown(family, origin, modality, spec, modality.reader(spec), module, raws)


def computed(module: Any, batch: Batch) -> Features:
    """The features of a batch, without gradients."""
    with torch.inference_mode():
        features: Features = module(batch)
    return features


def distance(expected: Tensor, found: Tensor) -> float:
    """The largest difference, relative to the largest number in ``expected``; 0 where all are near.

    Untrained batch norms let some networks' features grow large, so it is relative.
    """
    scale = expected.abs().max().clamp(min=1e-12)
    if torch.allclose(found / scale, expected / scale, **TOLERANCE):
        return 0.0
    return float(((found - expected).abs() / scale).max())
