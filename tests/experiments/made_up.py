"""An experiment that nobody computed: records and row results with known figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from multigraft.evaluation.statistics.bootstrap import mean_draws
from multigraft.experiments.cells import Cell, folder_of
from multigraft.experiments.opening import Experiment
from multigraft.experiments.records import Record, Score, Tested, write_record
from multigraft.runs.row_results import RowResults, keep_results

ROWS = 120
Rights = Callable[[Cell, str], np.ndarray]
"""Which rows of a domain a cell answers right, [ROWS] of 0 and 1."""


def first_right(count: int) -> np.ndarray:
    """The first rows right, and no other."""
    return (np.arange(ROWS) < count).astype(float)


def make_cell(
    source: str | None, seed: int = 0, *, scratch: bool = False, **varied: object
) -> Cell:
    told = {**({} if source is None else {"data": source}), **varied}
    key = "-".join([*map(str, told.values()), f"seed{seed}", "abcd"])
    return Cell(key, told, seed, source, scratch)


def leave_out(domain: str, seed: int = 0, **varied: object) -> Cell:
    """A cell that learned from all domains but one."""
    return replace(make_cell(f"all but {domain}", seed, **varied), left_out=domain)


def make_experiment(
    folder: Path,
    cells: Sequence[Cell],
    domains: Sequence[str],
    rights: Rights,
    *,
    train_rows: Callable[[Cell], int] = lambda cell: 50,
) -> Experiment:
    """Write what every cell would have left; one that leaves a domain out was tested on it."""
    for cell in cells:
        places = domains if cell.left_out is None else [cell.left_out]
        tested = tuple(_tested(folder, cell, domain, rights(cell, domain)) for domain in places)
        record = Record(
            cell=cell.key,
            state="finished",
            seconds=2.0,
            train_rows=train_rows(cell),
            monitor="accuracy",
            tested=tested,
        )
        write_record(folder, record)
    return Experiment(folder, cells, domains)


def _tested(folder: Path, cell: Cell, domain: str, right: np.ndarray) -> Tested:
    kept = f"reports/evaluate-{domain}.npz"
    results = RowResults(
        task="text-classification",
        data=domain,
        metric="accuracy",
        greater=True,
        identities=np.arange(len(right), dtype=np.uint64),
        values={"accuracy": float(right.mean())},
        draws={"accuracy": mean_draws(right[None], count=400, seed=0)[0]},
        right=right.astype(bool),
    )
    keep_results(results, folder_of(folder, cell.key) / kept)
    scores = (Score("accuracy", float(right.mean()), 0.0, 1.0), Score("loss", None))
    return Tested(domain, len(right), scores, 1.0, kept=kept)
