"""Folders of runs as an evaluation leaves them: a record, and results by row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.evaluation.statistics import metric_draws
from multigraft.runs.row_results import RowResults, keep_results, results_file

ROWS = 400
RECIPE = {
    "task": "text-classification",
    "backbone": "bert-tiny",
    "data": "rows.csv",
    "strategy": "full",
}


class Accuracy:
    """A share of rows, and a mean of theirs."""

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        return {"accuracy": float(kept["right"].mean()), "loss": float(kept["loss"].mean())}


def write_run(
    folder: Path,
    share: float = 0.8,
    *,
    seed: int = 0,
    rows: np.ndarray | None = None,
    count: int = 200,
    task: str = "text-classification",
    **recipe: Any,
) -> Path:
    """A run of which about a ``share`` of the rows is answered right, the easy ones first."""
    folder.mkdir(parents=True)
    facts = {
        "state": "finished",
        "task": task,
        "stage": "finetune",
        "backbone": "bert-tiny",
        "seed": seed,
        "recipe": {**RECIPE, **recipe, "seed": seed},
    }
    (folder / "run.json").write_text(json.dumps(facts))
    identities = np.arange(ROWS, dtype=np.uint64) if rows is None else rows
    hard = np.random.default_rng(0).random(ROWS)
    noise = np.random.default_rng([len(folder.name), seed]).normal(0, 0.1, ROWS)
    right = (hard + noise < share)[: len(identities)]
    kept = {"right": right, "loss": 1.0 - right}
    results = RowResults(
        task=task,
        data="test",
        metric="accuracy",
        greater=True,
        identities=identities,
        values=Accuracy().summarise(kept),
        draws=metric_draws(Accuracy(), kept, count=count, seed=0),
        right=right,
    )
    keep_results(results, results_file(folder))
    return folder
