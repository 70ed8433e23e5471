"""Values given together: columns and tables of pandas, polars and pyarrow, arrays of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.records import Modality
from multigraft.errors import PredictError, did_you_mean
from multigraft.runtime.bundle import Bundle
from multigraft.runtime.describing import columns
from multigraft.runtime.manifest import COLUMNS
from multigraft.system.file_endings import TABLES, ending_of

TEXTS = "OUT"
"""Kinds of numpy's arrays whose items are texts, or any objects."""
BATCH = 4
"""Axes of an array of pictures, [pictures, H, W, channels]."""


def given_values(raw: Any, bundle: Bundle, modality: Modality) -> Any:
    """A column, or a table's rows, as a list of values; anything else as it is.

    Raises PredictError for a table that lacks the bundle's column, and where a text names a table
    that is here: nobody means the name's letters.
    """
    if isinstance(raw, str):
        _refuse_table(raw, modality)
    if isinstance(raw, str | bytes | list | tuple | Mapping):
        return raw
    if isinstance(raw, np.ndarray):
        several = raw.dtype.kind in TEXTS and raw.ndim == 1
        pictures = bool(modality.suffixes) and raw.ndim == BATCH
        return raw.tolist() if several else list(raw) if pictures else raw
    if (names := _names(raw)) is not None:
        return _rows(raw, names, bundle, modality)
    return _items(raw)


def _refuse_table(text: str, modality: Modality) -> None:
    typed = not modality.suffixes and not modality.branches
    if typed and ending_of(text) in TABLES and "\n" not in text and _is_file(text):
        raise PredictError(
            f"{text!r} names a file here, and a text is wanted: mg.predict_file answers its rows "
            "into a file, and a list of texts is answered at once"
        )


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return False


def _names(raw: Any) -> list[str] | None:
    """The names of a table's columns; None for what is no table."""
    found = getattr(raw, "column_names", None)  # pyarrow's
    if found is None and hasattr(raw, "columns") and hasattr(raw, "__getitem__"):
        found = raw.columns
    return None if found is None or callable(found) else [str(name) for name in found]


def _items(raw: Any) -> Any:
    """The items of a column of pandas, polars or pyarrow; anything else as it is."""
    if hasattr(raw, "to_pylist"):
        return raw.to_pylist()
    return raw.to_list() if hasattr(raw, "to_list") and hasattr(raw, "dtype") else raw


def _rows(raw: Any, names: Sequence[str], bundle: Bundle, modality: Modality) -> list[Any]:
    told = bundle.facts.get(COLUMNS)
    called = told if isinstance(told, Mapping) else {}
    wanted = columns(bundle, modality)
    found = {
        ours: theirs
        for ours in wanted
        if (theirs := next((name for name in (ours, called.get(ours)) if name in names), None))
    }
    for ours in modality.required:
        if ours not in found:
            raise PredictError(
                f"the table has no column {ours!r}; {did_you_mean(ours, names)} (rename it)"
            )
    cells = [_items(raw[found[ours]]) for ours in found]
    if modality.branches:
        return [
            {ours: value for ours, value in zip(found, row, strict=True) if value is not None}
            for row in zip(*cells, strict=True)
        ]
    return [_value(row) for row in zip(*cells, strict=True)]


def _value(row: tuple[Any, ...]) -> Any:
    """One value: a tuple where further columns hold something."""
    while len(row) > 1 and row[-1] is None:
        row = row[:-1]
    return row if len(row) > 1 else row[0]
