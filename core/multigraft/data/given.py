"""Rows given in Python in place of a file: kept in the run's folder, and named by the recipe."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from multigraft.data.sources.containers import is_rows
from multigraft.data.sources.folders import split_of
from multigraft.data.sources.row_shape import shape_of
from multigraft.data.sources.rows_file import write_rows_file
from multigraft.recipe import Data
from multigraft.recipe.resolved import ResolvedRecipe
from multigraft.system.compute.processes import World

log = logging.getLogger("multigraft")
FOLDER = "data"
"""In a run's folder."""
SPLITS = ("train", "validation", "test")
FIELDS = set(Data.model_fields)


def without_rows(raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A raw recipe with the name of a file in place of rows; and the rows, by split.

    ``data`` may be rows, a section whose ``train``, ``validation`` and ``test`` are, or the splits
    that `datasets` loads.
    """
    data = raw.get("data") if isinstance(raw, Mapping) else None
    if data is None or not is_rows(data):
        return dict(raw) if isinstance(raw, Mapping) else raw, {}
    section = _section(data)
    rows = {split: section[split] for split in SPLITS if is_rows(section.get(split))}
    named = {split: _file_name(split) for split in rows}
    return {**raw, "data": {**section, **named}}, rows


def _section(data: Any) -> dict[str, Any]:
    """What was given, as the recipe's section is written."""
    if not isinstance(data, Mapping):
        return {"train": data}
    if data and all(hasattr(each, "features") for each in data.values()):
        return _splits(data)
    fields = "train" in data or set(data) <= FIELDS or not all(map(_is_column, data.values()))
    return dict(data) if fields else {"train": data}


def _is_column(values: Any) -> bool:
    return hasattr(values, "__len__") and not isinstance(values, str | bytes | Mapping)


def _splits(sets: Mapping[str, Any]) -> dict[str, Any]:
    """The sets of `datasets` by our names of splits; others are left out and told."""
    found = {split: each for name, each in sets.items() if (split := split_of(name))}
    if left := [name for name in sets if split_of(name) is None]:
        log.warning("data: the splits %s are left out", ", ".join(map(repr, left)))
    return found


def _file_name(split: str) -> str:
    return f"{split}.parquet"


@contextmanager
def kept_rows(
    resolved: ResolvedRecipe, rows: Mapping[str, Any], folder: Path, world: World
) -> Iterator[ResolvedRecipe]:
    """The recipe with the rows as files of a run's folder, which the first process writes.

    Where the block ends with an error they are taken away again. Raises DataError where no file can
    hold them.
    """
    if not rows:
        yield resolved
        return
    kept = folder / FOLDER
    paths = {split: kept / _file_name(split) for split in rows}
    try:
        if world.leads:
            shape = shape_of(resolved.modality, resolved.task, resolved.recipe.data.columns)
            for split, given in rows.items():
                write_rows_file(paths[split], given, shape, f"data.{split}")
        world.wait()
        found = {split: str(path) for split, path in paths.items()}
        data = resolved.recipe.data.model_copy(update=found)
        yield replace(resolved, recipe=resolved.recipe.model_copy(update={"data": data}))
    except BaseException:
        shutil.rmtree(kept, ignore_errors=True)
        raise
