"""The toy runs' bundles with their test rows: exported here, or from a folder where there is no
torch."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import multigraft as mg
from helpers import toy_plugin

KEPT = "MULTIGRAFT_TOY_BUNDLES"
"""Names the folder that `keep` wrote; unset, torch exports the bundles."""
LABELS = ["high", "low"]


@dataclass(frozen=True)
class ToldRows:
    """Raw values and what they must be answered with."""

    raws: Sequence[Any]
    labels: Sequence[str]


@dataclass(frozen=True)
class Shipped:
    """As much of a run as a deployer has, and the rows to try it on."""

    folder: Path
    catalog: mg.Catalog
    rows: Mapping[str, ToldRows]


@functools.cache
def shipped(modality: str) -> Shipped:
    """The toy bundle of a modality; made once for all tests, which must leave it as it is."""
    kept = os.environ.get(KEPT)
    if kept:
        return _opened(Path(kept) / modality)
    from helpers.toy_runs import exported

    run, _ = exported(modality)
    rows = run.rows["test"]
    return Shipped(run.folder, run.catalog, {"test": ToldRows(rows.raws, rows.labels)})


def keep(modality: str, folder: Path) -> None:
    """Write a toy bundle with its rows into ``folder``, for processes without torch."""
    made = shipped(modality)
    shutil.copytree(made.folder / "bundle", folder / modality / "bundle")
    raws = [raw if isinstance(raw, str) else raw.tolist() for raw in made.rows["test"].raws]
    told = {"raws": raws, "labels": list(made.rows["test"].labels)}
    (folder / modality / "rows.json").write_text(json.dumps(told))


def _opened(folder: Path) -> Shipped:
    told = json.loads((folder / "rows.json").read_text())
    raws = [raw if isinstance(raw, str) else np.array(raw, dtype=np.uint8) for raw in told["raws"]]
    catalog = mg.Catalog([toy_plugin], discover=False)
    return Shipped(folder, catalog, {"test": ToldRows(raws, told["labels"])})
