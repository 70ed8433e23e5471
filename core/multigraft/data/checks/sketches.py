"""Similarity sketches of a source's rows, by which near duplicates are found; made once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from multigraft.contracts.lazy import Lazy
from multigraft.contracts.readers import fingerprint, row_errors
from multigraft.contracts.records import Likeness
from multigraft.data.cache.content import Content, raw_value
from multigraft.data.cache.decoded_store import code_facts
from multigraft.data.cache.row_file import map_array
from multigraft.data.sources.columns import BLOCK, take
from multigraft.data.sources.table import Table
from multigraft.errors import PluginError, RowError
from multigraft.system import cache

log = logging.getLogger("multigraft")
KIND, VALUES, FLAWS = "sketches", "values.npy", "flaws.npy"
EXPECTED = 256
"""Bytes of a row's sketch, roughly."""

Pair: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Sketches [rows, values] and flaws [rows]."""


@dataclass(frozen=True)
class Sketches:
    """The sketches of a table's rows, in a source's, which may lie on the disk."""

    values: np.ndarray
    """[rows of the source, values]."""
    flaws: np.ndarray
    """[rows of the source]."""
    at: np.ndarray
    """[rows of the table]: which of the source's each one's is."""

    def __len__(self) -> int:
        return len(self.at)


def sketch_tables(tables: Mapping[str, Table], likeness: Likeness) -> dict[str, Sketches]:
    """Sketch each split's rows; those of one source are made together."""
    sources = {id(table.content): table.content for table in tables.values()}
    used = {
        name: np.unique(
            np.concatenate([t.indices for t in tables.values() if t.content is content])
        )
        for name, content in sources.items()
    }
    made = {name: _remembered(content, used[name], likeness) for name, content in sources.items()}
    found = {}
    for split, table in tables.items():
        name = id(table.content)
        found[split] = Sketches(*made[name], np.searchsorted(used[name], table.indices))
    return found


def _remembered(content: Content, rows: np.ndarray, likeness: Likeness) -> Pair:
    """Sketches and flaws of some rows of a source, mapped where the cache holds or takes them."""
    key = _key(content.digests[rows], likeness)
    found = _opened(key)
    if found is None:
        log.info("%s: looking at %s rows for nearly equal ones", content.name, f"{len(rows):,}")
    if found is None and key and cache.room_for(len(rows) * EXPECTED):
        try:
            with cache.new_entry(KIND, key) as folder:
                _write(folder, len(rows), _blocks(content, rows, likeness))
            found = _opened(key)
        except OSError as error:
            log.warning("%s: the cache cannot be written: %s", content.name, error)
    if found is None:
        blocks = list(_blocks(content, rows, likeness))
        found = (
            np.concatenate([values for values, _ in blocks]),
            np.concatenate([flaws for _, flaws in blocks]),
        )
    return found


def _key(wanted: np.ndarray, likeness: Likeness) -> str | None:
    """Key of these rows' sketches; None where nothing tells whether the function stays the same."""
    function = likeness.sketch.resolve() if isinstance(likeness.sketch, Lazy) else likeness.sketch
    module, name = (
        getattr(function, "__module__", ""),
        getattr(function, "__qualname__", "<no function>"),
    )
    code = code_facts(module)
    if code is None or "<" in name:  # what a lambda or an inner function holds is not in its code
        return None
    rows = hashlib.sha256(wanted.tobytes()).hexdigest()
    return fingerprint({"rows": rows, "function": f"{module}.{name}", **code})


def _opened(key: str | None) -> Pair | None:
    entry = cache.find_entry(KIND, key) if key else None
    if entry is None:
        return None
    try:
        return map_array(entry / VALUES), map_array(entry / FLAWS)
    except (OSError, ValueError):
        cache.drop_entry(entry)
        return None


def _write(folder: Path, rows: int, blocks: Iterator[Pair]) -> None:
    """Write the blocks as two files of numpy's, without holding all of them."""
    with (folder / VALUES).open("wb") as values, (folder / FLAWS).open("wb") as flaws:
        for number, block in enumerate(blocks):
            for file, array in zip((values, flaws), block, strict=True):
                if number == 0:
                    form = {
                        "descr": array.dtype.str,
                        "fortran_order": False,
                        "shape": (rows, *array.shape[1:]),
                    }
                    np.lib.format.write_array_header_1_0(file, form)
                file.write(array.tobytes())


def _blocks(content: Content, rows: np.ndarray, likeness: Likeness) -> Iterator[Pair]:
    """Sketch some rows at a time; rows without a raw value get zeros. Raises PluginError."""
    for start in range(0, max(len(rows), 1), BLOCK):
        block = rows[start : start + BLOCK]
        real, raws = _raws(content, block)
        made, odd = _sketch(content, likeness, raws)
        if (
            made.shape[:1] != odd.shape
            or made.ndim != 2
            or len(made) != len(raws)
            or made.dtype.kind != "u"
        ):
            raise PluginError(
                f"sketch gave arrays {made.shape} of {made.dtype} and {odd.shape} for {len(raws)} "
                "rows; unsigned integers [rows, values] and [rows] are needed"
            )
        values = np.zeros((len(block), made.shape[1]), made.dtype)
        flaws = np.zeros(len(block), np.uint8)
        values[real], flaws[real] = made, odd
        yield values, flaws


def _sketch(content: Content, likeness: Likeness, raws: Sequence[Any]) -> Pair:
    """The sketches of some raw values; one on which the function fails is like no other, and told.

    `Rows.audit` judges the row itself: where its reader fails too, it is a bad row.
    """
    try:
        with row_errors():
            return likeness.sketch(raws)
    except RowError as error:
        if len(raws) > 1:  # by halves, since the others can be sketched together
            half = len(raws) // 2
            halves = [_sketch(content, likeness, some) for some in (raws[:half], raws[half:])]
            return np.concatenate([half[0] for half in halves]), np.concatenate(
                [half[1] for half in halves]
            )
        log.warning("%s: a row is compared with no other: %s", content.name, error)
        return np.zeros((1, likeness.sketch([])[0].shape[1]), np.uint8), np.zeros(1, np.uint8)


def _raws(content: Content, rows: np.ndarray) -> tuple[list[int], list[Any]]:
    """Which of the rows have a raw value, and those values."""
    real, raws = [], []
    cells = zip(*(take(content.columns[name], rows) for name in content.raw), strict=True)
    for place, (row, values) in enumerate(zip(rows.tolist(), cells, strict=True)):
        with suppress(RowError):  # named, counted and judged by `Rows.audit`
            raws.append(raw_value(content, row, values))
            real.append(place)
    return real, raws
