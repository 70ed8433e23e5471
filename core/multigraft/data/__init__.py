"""Rows: from files to batches. `load_splits` finds them, `Rows.audit` reads them, `iterate` batches them."""

from __future__ import annotations

from multigraft.data.batches import padding_share, plan_batches
from multigraft.data.faults import QUARANTINE, Problem, quarantine, release, told
from multigraft.data.labels import label_notes
from multigraft.data.loader import iterate
from multigraft.data.packing import plan_packs
from multigraft.data.rows import Rows
from multigraft.data.source import load_table
from multigraft.data.split import limit_rows, split_table
from multigraft.data.splits import Splits, load_splits
from multigraft.data.table import Table
from multigraft.data.workers import choose_workers

__all__ = [
    "QUARANTINE",
    "Problem",
    "Rows",
    "Splits",
    "Table",
    "choose_workers",
    "iterate",
    "label_notes",
    "limit_rows",
    "load_splits",
    "load_table",
    "padding_share",
    "plan_batches",
    "plan_packs",
    "quarantine",
    "release",
    "split_table",
    "told",
]
