"""Rows, from files to batches: `load_splits` finds, `Rows.audit` reads, `iterate` batches them."""

from __future__ import annotations

from multigraft.data.bad_rows import QUARANTINE, Problem, quarantine, release, told
from multigraft.data.batching.batches import padding_share, plan_batches
from multigraft.data.batching.loader import Epoch, iterate
from multigraft.data.batching.packing import plan_packs
from multigraft.data.batching.worker_count import choose_workers
from multigraft.data.checks.labels import label_notes
from multigraft.data.chosen_rows import ChosenRows, SomeRows
from multigraft.data.label_cells import label_lists, labels_in
from multigraft.data.labelled_rows import LabelledRows, labelled_rows
from multigraft.data.rows import Rows
from multigraft.data.sources.load import load_table
from multigraft.data.sources.rewriting import rewrite_of, with_known
from multigraft.data.sources.source_table import part_of, source_table
from multigraft.data.sources.table import Table
from multigraft.data.splits import Splits, load_splits
from multigraft.data.splitting import limit_rows, split_table

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
    "iterate",
    "label_lists",
    "label_notes",
    "labelled_rows",
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
