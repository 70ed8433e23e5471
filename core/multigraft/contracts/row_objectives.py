"""The torch-free half of an objective: what it asks of rows, and what metrics it makes of what is
kept of them. A bundle is measured by this half alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from multigraft.contracts.padding import Fill
from multigraft.contracts.reader import Reader
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays, Spec

Row = Mapping[str, Any]
"""One raw row: its columns by name."""
KeptOfRow = Mapping[str, np.ndarray | np.generic | float]
"""What is kept of one row to evaluate: numbers, or arrays of a fixed shape."""


@dataclass(frozen=True, kw_only=True)
class RowBrief:
    """All that the torch-free half of an objective may know of a run, or of a bundle."""

    reader: Reader
    targets: Spec
    """What `Task.targets` learned from the training rows; empty where the task has none."""
    options: Mapping[str, Any]
    """The task's options, defaults filled in."""
    modality: str
    room: int | None = None
    """Of a bundle that writes: the most tokens that it can write behind what a text begins with."""
    serve: Callable[[Arrays], Arrays] | None = None
    """Of a bundle: what the graph gives for one row as it was read. None in a run."""


class RowObjective(Protocol):
    """Inherit it and write what the task needs; what has a body here may be left as it is.

    Every `Objective` is one too. A task whose record names one besides (`Task.row_objective`) is
    measured where there is no torch, by a bundle's outputs and answers.
    """

    monitor: str
    """The metric that chooses the best checkpoint, a key of `summarise`, or of the answers'."""
    greater_is_better: bool
    fills: Mapping[str, float | Fill] = {}
    """The target arrays that vary from row to row, with what pads them (see `Reader.fills`)."""
    moves: Mapping[str, str] = {}
    """The targets that lie on the raw value's plane, and what they are: ``mask`` [H, W], ``boxes``
    [N, 4], ``points`` [..., 2], or ``with:boxes`` [N, ...], an entry for each of the target
    ``boxes``.

    `encode` gives them in raw pixels; the engine carries them to the input's, after augmentation,
    by the row's ``frame`` and ``extent`` (see `multigraft.contracts.frames`), which a reader gives
    where `Task.reader` asks for them.
    """
    packs: bool = False
    """Whether rows may be joined into one sequence; the backbone then keeps them apart by
    ``segments``.

    [B, T]: 1, 2 ... number the rows inside a sequence, 0 is padding. `Features.pooled` then belongs
    to no row.
    """
    whole: bool = False
    """Whether a target describes all of the raw value, as a transcript does a sound: a row that the
    reader would cut off (see `WindowReader`) is then a bad row, in training and held out."""

    def arrange(self, rows: Sequence[Row], rng: np.random.Generator) -> Sequence[Row]:
        """Rewrite one split's raw rows before they are read (documents into sentence pairs,
        say)."""
        return rows

    def parts(self, row: Row) -> Sequence[Row]:
        """The rows that one training row is learned from: itself, or others, as windows of a long
        passage. Held-out rows stay whole (see `Answers.windows`).

        A row for which it raises RowError is read as it is.
        """
        return (row,)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """The target arrays of one raw row. Raises RowError for a target that cannot be used.

        ``arrays`` are what the reader gave of it, read-only and before augmentation: labels of
        words are laid on the sub-words that were read, spans on what was not cut off.
        """
        return {}

    def doubts(self, rows: Iterable[Arrays]) -> Sequence[str]:
        """What a person should know of the training rows, each with its reader's arrays and its
        targets, before augmentation. No more of them are read than are asked for."""
        return ()

    def view(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        """Change one read row each time it is used, in training and in validation (two views,
        say)."""
        return row

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Change a collated batch before it becomes tensors (mask tokens, say)."""
        return batch

    def further_rows(self, arrays: Arrays) -> Sequence[Arrays]:
        """Of a row's arrays, its targets among them, the further rows whose outputs `keep` needs,
        as those of a second text."""
        return ()

    def keep(self, outputs: Sequence[Arrays], arrays: Arrays) -> KeptOfRow:
        """What `Objective.measure` keeps of one row, from what a bundle's graph gives for it and
        for its `further_rows`, arrays without a batch axis; ``arrays`` are the row's, its targets
        among them.

        ``loss`` and ``weight`` may be left out. Where texts are written there are no outputs.
        """
        return {}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The metrics of the rows in ``kept``, arrays [N, ...]. Called again on every bootstrap
        resample."""
        if "loss" not in kept:
            return {}
        weight = max(float(kept["weight"].sum()), 1e-12)
        return {"loss": float(kept["loss"].sum()) / weight}

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline | None:
        """What an answer without a look at its input scores on the rows in ``kept``; None: nothing
        to say."""
        return None

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What a report shows besides numbers, as JSON: ``confusion``, ``tables`` by title, and
        ``label_counts`` (``labels``, how often each is ``expected`` and ``answered``); of each row
        in words what was ``expected`` and ``answered``, and whether it is ``correct``."""
        return {}
