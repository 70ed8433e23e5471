"""Replay a frozen part for the rows of a split: compute what is missing once, then go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import collate, read_row
from multigraft.contracts.types import Arrays
from multigraft.data import SomeRows
from multigraft.system import cache
from multigraft.system.compute.precision import Precision
from multigraft.training.replay.archive import Archive, row_key
from multigraft.training.replay.frozen import Frozen, UnfitError
from multigraft.training.replay.layout import Layout, join, split, survey

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Player:
    """A frozen part, how its results are laid out, and where they are kept."""

    frozen: Frozen
    layouts: Sequence[Layout]
    archive: Archive
    reader: Reader
    names: frozenset[str]
    """The arrays that the reader gives: all that a frozen part depends on."""
    device: torch.device
    precision: Precision
    size: int
    """The most rows that are computed together."""
    reads: frozenset[str] | None
    """The arrays of a batch that are still read in a replay; None where all may be."""
    hollow: bool = True
    """Whether the zeros that stand for earlier blocks take no memory (see `layout.join`)."""

    @classmethod
    def open(
        cls,
        frozen: Frozen,
        rows: SomeRows,
        *,
        key: str,
        reader: Reader,
        device: torch.device,
        precision: Precision,
        size: int,
        reads: frozenset[str] | None,
    ) -> Player:
        """Survey the frozen part on a row of median length. Raises UnfitError for misfits."""
        middle = int(np.argsort(rows.lengths, kind="stable")[len(rows) // 2])
        row = read_row(reader, rows.raw(middle))

        return cls(
            frozen=frozen,
            layouts=_surveyed(frozen, row, reader, device, precision),
            archive=Archive(key),
            reader=reader,
            names=frozenset(row),
            device=device,
            precision=precision,
            size=size,
            reads=reads,
        )

    def computing_in(self, precision: Precision, row: Arrays) -> Player:
        """Survey again in another precision, whose results are not to be kept."""
        layouts = _surveyed(self.frozen, row, self.reader, self.device, precision)
        return replace(self, layouts=layouts, precision=precision)

    def kept(self, arrays: Arrays) -> Arrays | None:
        """The results that the cache holds for a row, if any."""
        key = row_key(arrays)
        return self.archive.read(key) if key in self.archive else None

    def take(self, rows: SomeRows) -> Replayed:
        """Have the results for every row, computing those that are not kept yet.

        Each row is computed at its own length, so nothing is padded and what is kept is what it
        gives alone. Raises UnfitError where there is no room, OSError where the cache cannot be
        written.
        """
        keys, shapes = self._describe(rows)
        missing = {
            key: index for index, key in reversed(list(enumerate(keys))) if key not in self.archive
        }
        if missing:
            self._check_room(rows, list(missing.values()))
            self.archive.add(
                self._computed(rows, {index: key for key, index in missing.items()}, shapes)
            )
        return Replayed(self, keys)

    def compute(self, arrays: Sequence[Arrays]) -> list[Arrays]:
        """The results for rows of equal shapes, row by row."""
        with torch.no_grad(), self.precision.autocast():
            results = self.frozen.compute(tensors(arrays, self.reader, self.device))
        return split(self.layouts, results)

    def rest(self, model: nn.Module, batch: Batch, rows: Sequence[Arrays]) -> Outputs:
        """The outputs of ``model`` (the graft, or a wrapper) for a batch whose rows gave these
        results."""
        with self.answering(rows):
            outputs: Outputs = model(batch)
        return outputs

    def answering(self, rows: Sequence[Arrays]) -> AbstractContextManager[None]:
        """Within it the next pass goes on from the results of these rows."""
        results = join(self.layouts, rows, self.device, hollow=self.hollow)
        return self.frozen.answering(results)

    def _describe(self, rows: SomeRows) -> tuple[list[bytes], list[Shapes]]:
        keys: list[bytes] = []
        shapes: list[Shapes] = []
        for index in range(len(rows)):
            arrays = rows.fetch(index, self.names)
            keys.append(row_key(arrays))
            shapes.append(tuple(arrays[name].shape for name in sorted(arrays)))
        return keys, shapes

    def _computed(
        self, rows: SomeRows, wanted: dict[int, bytes], shapes: Sequence[Shapes]
    ) -> Iterator[tuple[bytes, Arrays]]:
        """The results of the wanted rows, those of equal shapes together."""
        groups: dict[Shapes, list[int]] = {}
        for index in sorted(wanted):
            groups.setdefault(shapes[index], []).append(index)
        for group in groups.values():
            for start in range(0, len(group), self.size):
                chosen = group[start : start + self.size]
                results = self.compute([rows.fetch(index, self.names) for index in chosen])
                yield from zip([wanted[index] for index in chosen], results, strict=True)

    def _check_room(self, rows: SomeRows, missing: Sequence[int]) -> None:
        longest = max(missing, key=lambda index: int(rows.lengths[index]))
        one = sum(
            array.nbytes for array in self.compute([rows.fetch(longest, self.names)])[0].values()
        )
        needed = int(one * rows.lengths[missing].sum() / max(1, rows.lengths[longest]))
        if not cache.room_for(needed, keep=self.archive.folders):
            raise UnfitError(
                f"its results for {len(missing)} rows take {needed / 1e9:.1f} GB, and "
                f"{cache.cache_folder()} has no room for them (raise {cache.LIMIT}, or point "
                f"{cache.FOLDER} to a larger disk)"
            )


def _surveyed(
    frozen: Frozen, row: Arrays, reader: Reader, device: torch.device, precision: Precision
) -> Sequence[Layout]:
    """Lay out the results of a frozen part by those of one row taken twice and three times."""

    def results(count: int) -> list[object]:
        with torch.no_grad(), precision.autocast():
            return frozen.compute(tensors([row] * count, reader, device))

    return survey(results(2), results(3), kept=frozen.kept)


@dataclass(frozen=True)
class Replayed:
    """The results for every row of one split."""

    player: Player
    keys: Sequence[bytes]

    @property
    def reads(self) -> frozenset[str] | None:
        """The arrays of a row that are still read; None where all may be."""
        return self.player.reads

    def outputs(self, model: nn.Module, batch: Batch, indices: np.ndarray) -> Outputs:
        """Compute outputs of ``model`` (the graft, or a wrapper) for a batch of these rows."""
        return self.player.rest(model, batch, self.rows(indices))

    def answering(self, indices: Iterable[int]) -> AbstractContextManager[None]:
        """Within it the next pass goes on from the results of these rows."""
        return self.player.answering(self.rows(indices))

    def rows(self, indices: Iterable[int]) -> list[Arrays]:
        """The results for these rows as they are kept (see `layout.split`)."""
        return [self.player.archive.read(self.keys[index]) for index in indices]


def tensors(rows: Sequence[Arrays], reader: Reader, device: torch.device) -> Batch:
    """A batch of read rows on the device."""
    arrays = collate(rows, reader.fills)
    return {name: torch.from_numpy(value).to(device) for name, value in arrays.items()}
