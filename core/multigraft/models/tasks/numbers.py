"""The record of regression, and the numbers in a cell."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from multigraft.contracts.lazy import Lazy
from multigraft.contracts.records import Option, Task
from multigraft.contracts.types import Spec
from multigraft.errors import DataError, RowError, shown
from multigraft.models.fusion import FUSION_OPTIONS

COLUMN = "target"


def regression_task(name: str, *modalities: str) -> Task:
    """A task that gives each row the number, or the numbers, in the column ``target``; of
    any modality, and of several at once, where none is named."""
    return Task(
        name=name,
        stage="finetune",
        modalities=modalities,
        several=not modalities,
        columns=(COLUMN,),
        targets=number_spec,
        objective=Lazy("multigraft.models.tasks.regression:Regression"),
        row_objective=Lazy("multigraft.models.tasks.number_rows:NumberRows"),
        answers="regression",
        samples=made_up_numbers,
        options={
            "loss": Option(
                default="mse",
                choices=("mse", "mae", "huber"),
                help="of standardised numbers: squared, absolute, or squared up to one standard "
                "deviation",
            ),
            "quantiles": Option(
                default=None,
                types=(list,),
                help="answer these too, as [0.1, 0.5, 0.9]; the loss is then the pinball loss",
            ),
            "dropout": Option(default=0.1, low=0, high=0.9, help="in front of the last layer"),
            **({} if modalities else FUSION_OPTIONS),
        },
    )


def numbers_in(cell: Any) -> dict[str, float]:
    """The numbers in a cell by name: a number, a list, or an object of names, also as text.

    Raises RowError.

    >>> numbers_in("3.5"), numbers_in([1, 2]), numbers_in('{"valence": 2, "arousal": 0.5}')
    ({'target': 3.5}, {'0': 1.0, '1': 2.0}, {'valence': 2.0, 'arousal': 0.5})
    """
    value = _parsed(cell)
    if isinstance(value, dict):
        named = {str(name): each for name, each in value.items()}
    elif isinstance(value, list | tuple):
        named = {str(place): each for place, each in enumerate(value)}
    else:
        named = {COLUMN: value}
    if not named:
        raise RowError("the target holds no number", column=COLUMN)
    return {name: _number(name, each) for name, each in named.items()}


def number_spec(columns: Mapping[str, Sequence[Any]]) -> Spec:
    """Each number's name, mean, standard deviation and median in the training rows.

    >>> number_spec({"target": [1, 3, None]})
    {'names': ['target'], 'means': [2.0], 'deviations': [1.0], 'medians': [2.0]}
    """
    held = [found for cell in columns[COLUMN] if (found := _usable(cell)) is not None]
    if not held:
        raise DataError(f"column {COLUMN!r} holds no number in the training rows")
    names = list(held[0])
    alike = [each for each in held if each.keys() == held[0].keys()]
    values = np.array([[each[name] for name in names] for each in alike])
    deviations = values.std(0)
    if flat := [name for name, each in zip(names, deviations, strict=True) if each == 0]:
        raise DataError(f"{flat[0]!r} is the same number in all training rows")
    if not np.isfinite(deviations).all():
        raise DataError(f"column {COLUMN!r} holds numbers too large to be averaged")
    return {
        "names": names,
        "means": values.mean(0).tolist(),
        "deviations": deviations.tolist(),
        "medians": np.median(values, 0).tolist(),
    }


def made_up_numbers(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """Two numbers for rows that a task is tried with."""
    return {COLUMN: [rng.normal(5, 2, 2).tolist() for _ in raws]}


def _parsed(cell: Any) -> Any:
    if isinstance(cell, np.ndarray):
        return cell.tolist()
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    try:
        return json.loads(text) if text[:1] in ("[", "{") else float(text)
    except (ValueError, RecursionError) as error:
        raise RowError(
            f"the target {shown(text)} is no number, list or object of numbers", column=COLUMN
        ) from error


def _number(name: str, value: Any) -> float:
    of = "the target" if name == COLUMN else f"{shown(name)} of the target"
    if value is None:
        raise RowError(f"{of} is missing", column=COLUMN)
    if isinstance(value, str):
        value = _parsed(value)
    if not isinstance(value, Real) or isinstance(value, bool):
        raise RowError(f"{of} is a {type(value).__name__}; a number is needed", column=COLUMN)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise RowError(
            f"{of} is {'missing: NaN' if math.isnan(number) else 'not finite'}", column=COLUMN
        )
    return number


def _usable(cell: Any) -> dict[str, float] | None:
    try:
        return numbers_in(cell)
    except RowError:
        return None
