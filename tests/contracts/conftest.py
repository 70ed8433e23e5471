from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import multigraft_series
from multigraft.catalog import Catalog
from multigraft.readers import collate
from multigraft.records import Backbone, Modality, Origin, Reader, Spec
from samples import WRITERS
from toys import write_rows

CATALOG = Catalog([multigraft_series])
SMALLEST = {"inception": ("v3", {"size": 96})}
"""Families without a tiny size: the size to test, and reader options that keep it affordable."""


@dataclass(frozen=True)
class Subject:
    """A backbone from scratch, in evaluation mode, with rows that it can read."""

    family: Backbone
    origin: Origin
    modality: Modality
    spec: Spec
    reader: Reader
    module: Any
    raws: list[Any]

    def batch(self, *indices: int) -> dict[str, torch.Tensor]:
        rows = [self.reader.read(self.raws[index]) for index in indices]
        return {k: torch.from_numpy(v.copy()) for k, v in collate(rows, self.reader.fills).items()}

    def again(self, path: Path | None = None) -> nn.Module:
        origin = Origin(
            backbone=self.origin.backbone, size=self.origin.size, config=self.origin.config, path=path
        )
        torch.manual_seed(99)
        return self.family.build(origin, self.spec).eval()


def families() -> list[str]:
    return [family.name for family in CATALOG.backbones() if family.sizes]


@pytest.fixture(scope="session")
def raws(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Raw values by modality, shortest and longest among them."""
    folder = tmp_path_factory.mktemp("raws")
    texts = WRITERS["text"](folder, 24).read_text().splitlines()[1:]
    series = write_rows(folder / "series.csv", rows=24).read_text().splitlines()[1:]
    return {
        "text": [line.rpartition(",")[0].strip('"') for line in texts],
        "image": sorted(WRITERS["image"](folder, 24).rglob("*.png")),
        "audio": sorted(WRITERS["audio"](folder, 24).rglob("*.wav")),
        "series": [line.partition(",")[0] for line in series],
    }


@pytest.fixture(scope="session", params=families())
def subject(request: pytest.FixtureRequest, raws: dict[str, list[Any]]) -> Subject:
    family = next(family for family in CATALOG.backbones() if family.name == request.param)
    size, options = SMALLEST.get(family.name, ("tiny", {}))
    origin = Origin(backbone=f"{family.name}-{size}", size=size, config=family.sizes[size].config)
    modality = CATALOG.modality(family.modality)
    spec = family.reader(origin, options)
    if modality.fit is not None:
        spec = modality.fit(raws[modality.name], spec)
    torch.manual_seed(0)
    module = family.build(origin, spec).eval()
    return Subject(family, origin, modality, spec, modality.reader(spec), module, raws[modality.name])
