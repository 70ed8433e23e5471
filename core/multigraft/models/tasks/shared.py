"""The records of the shared tasks, for plugins to register under their modality's name."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from multigraft.contracts.lazy import Lazy
from multigraft.contracts.records import Option, Task
from multigraft.contracts.types import Spec
from multigraft.errors import DataError, shown
from multigraft.models.fusion import FUSION_OPTIONS


def classification_task(name: str, *modalities: str) -> Task:
    """A task that gives each row one of the labels in the column ``label``; of any modality, and
    of several at once, where none is named."""
    return Task(
        name=name,
        stage="finetune",
        modalities=modalities,
        several=not modalities,
        columns=("label",),
        stratify="label",
        targets=label_spec,
        objective=Lazy("multigraft.models.tasks.classification:Classification"),
        row_objective=Lazy("multigraft.models.tasks.class_rows:ClassRows"),
        answers="classification",
        options={
            "label_smoothing": Option(
                default=0.0, low=0, high=0.5, help="share of the target given to all"
            ),
            "class_weights": Option(
                default="none",
                choices=("none", "balanced"),
                help="balanced: weigh each class by the inverse of its share",
            ),
            "dropout": Option(default=0.1, low=0, high=0.9, help="in front of the classifier"),
            **({} if modalities else FUSION_OPTIONS),
        },
    )


def label_spec(columns: Mapping[str, Sequence[Any]]) -> Spec:
    """The sorted labels and how often each occurs.

    >>> label_spec({"label": ["b", "a", "b"]})
    {'labels': ['a', 'b'], 'counts': [1, 2]}
    """
    counts = Counter(label_name(value) for value in columns["label"] if label_fault(value) is None)
    if len(counts) < 2:
        raise DataError(_too_few(columns["label"], list(counts)))
    labels = sorted(counts, key=natural)
    return {"labels": labels, "counts": [counts[label] for label in labels]}


def _too_few(cells: Sequence[Any], found: Sequence[str]) -> str:
    """Say why a column has fewer than two labels: what is in it."""
    faults = Counter(fault for cell in cells if (fault := label_fault(cell)) is not None)
    told = [f"in {count:,} of {len(cells):,} {fault}" for fault, count in faults.most_common(3)]
    held = f"the label {shown(found[0])} alone" if found else "no label that can be used"
    why = f": {'; '.join(told)}" if told else ""
    several = any(isinstance(cell, list | tuple) for cell in cells)
    more = "; for rows of several labels each there are the tasks of several labels (multilabel)"
    return (
        f"column 'label' holds {held} in the training rows{why}; at least 2 labels are needed"
        + (more if several else "")
    )


def label_fault(value: Any) -> str | None:
    """What keeps a cell from being a label; None where nothing does.

    >>> label_fault(float("nan")), label_fault(["a"]), label_fault("a")
    ('the label is missing: NaN', 'the label is a list; text or a number is needed', None)
    """
    if value is None or (isinstance(value, str) and not _bare(value)):
        return "the label is missing"
    if isinstance(value, float) and not math.isfinite(value):
        return "the label is missing: NaN" if math.isnan(value) else "the label is not finite"
    if isinstance(value, list | tuple | dict | bytes):
        kind = type(value).__name__
        return f"the label is a {kind}; text or a number is needed"
    return None


def label_name(value: Any) -> str:
    """A label as text: ``3`` for 3 and for 3.0, so that CSV and Parquet agree.

    Spaces around it, signs that cannot be seen there, and how its accents are stored (NFC) make no
    other label.

    >>> label_name(3.0), label_name(" pos\\u200b"), len(label_name("cafe\\u0301"))
    ('3', 'pos', 4)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value)
    return text if text.isascii() and text.isalnum() else unicodedata.normalize("NFC", _bare(text))


UNSEEN = "\ufeff\u200b\u200e\u200f\u2060\xad"
"""Marks of order, width and direction, which `str.strip` leaves."""


def _bare(text: str) -> str:
    """A text without spaces and unseen signs around it."""
    bare = text.strip().strip(UNSEEN)
    return bare if bare == text else _bare(bare)


def natural(label: str) -> tuple[int, int, str, str]:
    """Numbers by value, before words.

    Digits are compared as they are written: Python makes no number of more than 4,300 of them.
    """
    if not label.isdecimal():
        return 1, 0, "", label
    digits = "".join(str(unicodedata.decimal(letter)) for letter in label).lstrip("0")
    return 0, len(digits), digits, label
