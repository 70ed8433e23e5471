"""The record of multi-label classification, and the labels in a cell."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.lazy import Lazy
from multigraft.contracts.records import Option, Task
from multigraft.contracts.types import Spec
from multigraft.errors import DataError, RowError
from multigraft.models.fusion import FUSION_OPTIONS
from multigraft.models.tasks.shared import label_fault, label_name, natural

log = logging.getLogger("multigraft")
COLUMN = "labels"
SEPARATORS = ("|", ";", ",")
"""What stands between labels in the tables that people have."""


def multilabel_task(name: str, *modalities: str) -> Task:
    """A task that gives each row any number of the labels in the column ``labels``; of any
    modality, and of several at once, where none is named."""
    return Task(
        name=name,
        stage="finetune",
        modalities=modalities,
        several=not modalities,
        columns=(COLUMN,),
        stratify=COLUMN,
        labels_in=labels_in,
        targets=label_set_spec,
        objective=Lazy("multigraft.models.tasks.multilabel:MultiLabel"),
        row_objective=Lazy("multigraft.models.tasks.label_set_rows:LabelSetRows"),
        answers="multilabel",
        samples=made_up_labels,
        options={
            "separator": Option(
                default="|",
                help="what stands between the labels in a cell of text; '' where a cell is one",
            ),
            "thresholds": Option(
                default="tuned",
                choices=("tuned", "half"),
                help="from which probability a label is answered: of each label where its F1 on "
                "the validation rows is highest, or 0.5",
            ),
            "class_weights": Option(
                default="none",
                choices=("none", "balanced"),
                help="balanced: weigh a label's rows with and without it by the inverse of their "
                "shares",
            ),
            "dropout": Option(default=0.1, low=0, high=0.9, help="in front of the classifier"),
            **({} if modalities else FUSION_OPTIONS),
        },
    )


def labels_in(cell: Any, options: Mapping[str, Any]) -> list[str]:
    """The labels in a cell: a list, a list as JSON, or a text with separators; of equal ones one.

    An empty cell or list has none. Raises RowError.

    >>> labels_in("wool | warm|", {"separator": "|"}), labels_in('["a, b"]', {"separator": ","})
    (['wool', 'warm'], ['a, b'])
    >>> labels_in(None, {"separator": "|"}), labels_in([3, "a", 3.0], {"separator": "|"})
    ([], ['3', 'a'])
    """
    if cell is None:
        return []
    if isinstance(cell, str):
        cell = _split(cell, options["separator"])
    values = cell.tolist() if isinstance(cell, np.ndarray) else cell
    values = values if isinstance(values, list | tuple) else [values]
    for value in values:
        if (fault := label_fault(value)) is not None:
            raise RowError(f"of the labels, {fault.removeprefix('the ')}", column=COLUMN)
    return list(dict.fromkeys(map(label_name, values)))


def label_set_spec(columns: Mapping[str, Sequence[Any]]) -> Spec:
    """The sorted labels, in how many rows each stands, and how many rows there are.

    >>> label_set_spec({"labels": [("b", "a"), (), None, ("b",)]})
    {'labels': ['a', 'b'], 'counts': [1, 2], 'rows': 3}
    """
    held = [each for each in columns[COLUMN] if each is not None]
    counts = Counter(label for each in held for label in each)
    if not counts:
        raise DataError(f"column {COLUMN!r} holds no label in the training rows")
    _warn_of_separators(held)
    labels = sorted(counts, key=natural)
    return {"labels": labels, "counts": [counts[label] for label in labels], "rows": len(held)}


def made_up_labels(
    rng: np.random.Generator, raws: Sequence[Any]
) -> Mapping[str, Sequence[list[str]]]:
    """Labels for rows that a task is tried with: each row has some of three, or none."""
    names = np.array(["first", "second", "third"])
    return {COLUMN: [names[rng.random(3) < 0.5].tolist() for _ in raws]}


def _split(text: str, separator: str) -> Any:
    """The pieces of a text; what it holds as JSON where that is a list."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass  # a text in brackets
    pieces = text.split(separator) if separator else [text]
    return [piece for piece in map(str.strip, pieces) if piece]


def _warn_of_separators(held: Sequence[Sequence[str]]) -> None:
    """Say so where no row has two labels, but most labels look as if they were several."""
    if any(len(each) > 1 for each in held):
        return
    single = [each[0] for each in held if each]
    for separator in SEPARATORS:
        if sum(separator in label for label in single) > len(single) / 2:
            log.warning(
                "no row has more than one label, and most cells hold %r: if it separates labels, "
                "say task: {name: ..., separator: %r}",
                separator,
                separator,
            )
            return
