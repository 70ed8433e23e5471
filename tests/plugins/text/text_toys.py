from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import multigraft_text as text
from multigraft import Brief, Origin
from multigraft.readers import collate
from multigraft.records import Backbone, Spec
from multigraft_text.reader import TextReader

DOCUMENTS = [
    "The fox runs. It is quick and brown! Does the dog sleep?",
    "Rain falls on the hill. The river is high. Boats wait at the shore.",
    "A cook tastes the soup. She adds salt. It is good now.",
    "Trains leave at noon. People hurry. One of them has lost a hat.",
] * 5


@dataclass(frozen=True)
class Grown:
    """A tiny backbone from scratch with its reader."""

    family: Backbone
    spec: Spec
    reader: TextReader
    module: Any

    def batch(self, raws: Sequence[Any]) -> dict[str, torch.Tensor]:
        rows = [self.reader.read(raw) for raw in raws]
        return {name: torch.from_numpy(array) for name, array in collate(rows, self.reader.fills).items()}

    def brief(self, **options: Any) -> Brief:
        return Brief(backbone=self.module, reader=self.reader, targets={}, options=options, modality="text")


def origin(family: Backbone, *, path: Path | None = None, hub: str | None = None) -> Origin:
    return Origin(
        backbone=f"{family.name}-tiny",
        size="tiny",
        config=family.sizes["tiny"].config,
        path=path,
        hub=hub,
    )


def grow(family: Backbone, **options: Any) -> Grown:
    torch.manual_seed(0)
    spec = family.reader(origin(family), {"vocabulary": 320, **options})
    assert text.TEXT.fit is not None
    spec = text.TEXT.fit(DOCUMENTS, spec)
    module = family.build(origin(family), spec).eval()
    for parameter in module.parameters():  # fresh biases are zero and norms one: mistakes would not show
        torch.nn.init.normal_(parameter, std=0.1)
    return Grown(family, spec, TextReader(spec), module)
