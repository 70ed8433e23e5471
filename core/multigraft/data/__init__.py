"""Rows, from files to batches: `load_splits` finds, `Rows.audit` reads, `iterate` batches them.

Names are imported when they are first used: who reads a table alone needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multigraft.data.bad_rows import QUARANTINE, Problem, quarantine, release, told
    from multigraft.data.batching.batches import padding_share, plan_batches
    from multigraft.data.batching.loader import Epoch, iterate
    from multigraft.data.batching.packing import plan_packs
    from multigraft.data.batching.worker_count import choose_workers
    from multigraft.data.checks.labels import label_notes
    from multigraft.data.chosen_rows import ChosenRows, SomeRows
    from multigraft.data.label_cells import label_lists, labels_in
    from multigraft.data.labelled_rows import LabelledRows
    from multigraft.data.rows import Rows
    from multigraft.data.sources.load import load_table
    from multigraft.data.sources.rewriting import rewrite_of, with_known
    from multigraft.data.sources.source_table import gathered_as, part_of, source_table
    from multigraft.data.sources.table import Table
    from multigraft.data.splits import Splits, load_splits
    from multigraft.data.splitting import limit_rows, split_table

_HOMES = {
    "bad_rows": ("QUARANTINE", "Problem", "quarantine", "release", "told"),
    "batching.batches": ("padding_share", "plan_batches"),
    "batching.loader": ("Epoch", "iterate"),
    "batching.packing": ("plan_packs",),
    "batching.worker_count": ("choose_workers",),
    "checks.labels": ("label_notes",),
    "chosen_rows": ("ChosenRows", "SomeRows"),
    "label_cells": ("label_lists", "labels_in"),
    "labelled_rows": ("LabelledRows",),
    "rows": ("Rows",),
    "sources.load": ("load_table",),
    "sources.rewriting": ("rewrite_of", "with_known"),
    "sources.source_table": ("gathered_as", "part_of", "source_table"),
    "sources.table": ("Table",),
    "splits": ("Splits", "load_splits"),
    "splitting": ("limit_rows", "split_table"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "QUARANTINE",
    "ChosenRows",
    "Epoch",
    "LabelledRows",
    "Problem",
    "Rows",
    "SomeRows",
    "Splits",
    "Table",
    "choose_workers",
    "gathered_as",
    "iterate",
    "label_lists",
    "label_notes",
    "labels_in",
    "limit_rows",
    "load_splits",
    "load_table",
    "padding_share",
    "part_of",
    "plan_batches",
    "plan_packs",
    "quarantine",
    "release",
    "rewrite_of",
    "source_table",
    "split_table",
    "told",
    "with_known",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'multigraft.data' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"multigraft.data.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
