"""Branches: several modalities of one row, read side by side as a modality of core's own.

A row's value is a mapping from branch to raw value, ``{"text": "fine", "image": "a.png"}``. What a
branch's reader gives stands in the row as ``text.input_ids``, its varying axes are called
``text_length``. Where values may be missing, ``present`` says which branches a row has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from multigraft.contracts.padding import Fill, Fills, fill_of
from multigraft.contracts.reader import Augment, MeasuredReader, Reader, TellingReader
from multigraft.contracts.readers import oddities_of, read_row
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays, Spec, Strength
from multigraft.errors import BundleError, DataError, RowError, refused_as

PRESENT = "present"
"""The array that says which branches a row has, int64 [branches] of 0 and 1."""
BRANCHES, BLANKS = "branches", "blanks"
"""Keys of a spec: each branch's modality; what stands for an absent value, where any may be."""
LARGEST = 2**24
"""The most numbers that stand for an absent value: a picture of 2,300 pixels a side."""
TRIED = 100
"""Rows that are looked at for a value of each branch, before there is taken to be none."""


def name_in(branch: str, name: str) -> str:
    """What an array, or a field of a spec, of one branch is called beside those of the others."""
    return f"{branch}.{name}"


def of_branch(branch: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one branch, under its own names.

    >>> of_branch("text", {"text.ids": 1, "image.pixels": 2})
    {'ids': 1}
    """
    start = name_in(branch, "")
    own = [key for key in values.keys() if key.startswith(start)]  # noqa: SIM118 (not all are read)
    return {key.removeprefix(start): values[key] for key in own}


def join_branches(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of all branches, under names that tell them apart; `of_branch` undoes it."""
    return {
        name_in(branch, name): each for branch, own in values.items() for name, each in own.items()
    }


@dataclass(frozen=True)
class BranchReader:
    """Reads one branch of a row, under the names that it has beside the others."""

    branch: str
    own: Reader

    @property
    def fills(self) -> Fills:
        """The reader's own, with the names of arrays and axes changed."""
        return {
            name_in(self.branch, name): self._fill(fill) for name, fill in self.own.fills.items()
        }

    def read(self, raw: Mapping[str, Any]) -> Arrays:
        """The arrays of this branch alone. Raises RowError."""
        try:
            return join_branches({self.branch: read_row(self.own, raw[self.branch])})
        except RowError as error:
            raise RowError(f"{self.branch}: {error}", column=self.branch) from error

    def length(self, row: Arrays) -> int:
        """As its own reader counts."""
        return self.own.length(of_branch(self.branch, row))

    def spec(self) -> Spec:
        """Its own reader's."""
        return self.own.spec()

    def _fill(self, fill: float | Fill) -> Fill:
        whole = fill_of(fill)
        axes = {axis: f"{self.branch}_{called}" for axis, called in whole.axes.items()}
        return Fill(whole.value, axes)


class BranchesReader:
    """Reads every branch of a row: a mapping from branch to raw value."""

    def __init__(self, readers: Mapping[str, Reader], spec: Spec) -> None:
        self.branches = {name: BranchReader(name, reader) for name, reader in readers.items()}
        self._spec = spec
        self.blanks = _blank_arrays(spec[BLANKS]) if BLANKS in spec else None

    @property
    def fills(self) -> Fills:
        """Those of all branches."""
        return {name: fill for each in self.branches.values() for name, fill in each.fills.items()}

    def read(self, raw: Mapping[str, Any]) -> Arrays:
        """The arrays of all branches; what is None is absent. Raises RowError for an absent value
        where none may be."""
        held = check_branches(raw, tuple(self.branches), missing=self.blanks is not None)
        row: Arrays = {}
        for branch, reader in self.branches.items():
            row |= read_row(reader, held) if branch in held else self._blank(branch)
        if self.blanks is not None:
            there = [branch in held for branch in self.branches]
            row[PRESENT] = np.array(there, dtype=np.int64)
        return row

    def length(self, row: Arrays) -> int:
        """The sum of the branches' lengths."""
        return sum(reader.length(row) for reader in self.branches.values())

    def memory(self, raw: Mapping[str, Any]) -> int:
        """The sum over the branches whose readers tell (see `MeasuredReader`)."""
        measured = {
            branch: reader.own
            for branch, reader in self.branches.items()
            if raw.get(branch) is not None and isinstance(reader.own, MeasuredReader)
        }
        return sum(reader.memory(raw[branch]) for branch, reader in measured.items())

    def told(self) -> Sequence[str]:
        """What the branches' readers tell of how they read (see `TellingReader`)."""
        return [
            f"{branch}: {line}"
            for branch, reader in self.branches.items()
            if isinstance(reader.own, TellingReader)
            for line in reader.own.told()
        ]

    def oddities(self, raw: Mapping[str, Any]) -> Sequence[str]:
        """What the branches' readers tell of the values that a row has."""
        return [
            f"{branch}: {line}"
            for branch, reader in self.branches.items()
            if raw.get(branch) is not None
            for line in oddities_of(reader.own, raw[branch])
        ]

    def spec(self) -> Spec:
        """Each branch's own, with its names told apart."""
        own = {branch: reader.spec() for branch, reader in self.branches.items()}
        kept = {key: self._spec[key] for key in (BRANCHES, BLANKS) if key in self._spec}
        return {**join_branches(own), **kept}

    def _blank(self, branch: str) -> Arrays:
        assert self.blanks is not None
        start = name_in(branch, "")
        return {name: array for name, array in self.blanks.items() if name.startswith(start)}


def _blank_arrays(told: Any) -> Arrays:
    """Zeros of the types and shapes that a spec tells. Raises BundleError, since anybody may have
    written it, where that is none, or would take much memory."""
    with refused_as(BundleError, f"the reader's saved settings: {BLANKS} cannot be used"):
        return {str(name): _zeros(dtype, shape) for name, (dtype, shape) in told.items()}


def _zeros(dtype: str, shape: Sequence[int]) -> np.ndarray:
    sizes = [int(size) for size in shape]
    if np.dtype(dtype).kind not in "biuf" or min(sizes, default=0) < 0:
        raise BundleError(f"found {dtype!r} of {sizes}; numbers of a shape are needed")
    if math.prod(sizes) > LARGEST:
        raise BundleError(f"found {sizes}; at most {LARGEST:,} numbers are allowed")
    return np.zeros(sizes, dtype)


def check_branches(raw: Any, branches: Sequence[str], *, missing: bool) -> dict[str, Any]:
    """The values that a row has, by branch. Raises RowError where it is no mapping of them."""
    wanted = f"a mapping with {', '.join(map(repr, branches))}"
    if not isinstance(raw, Mapping):
        raise RowError(f"found {type(raw).__name__}; {wanted} is needed")
    if strange := [name for name in raw if name not in branches]:
        raise RowError(f"found {strange[0]!r} in it; {wanted} is needed")
    held = {name: value for name, value in raw.items() if value is not None}
    absent = [name for name in branches if name not in held]
    if absent and not missing:
        raise RowError(
            f"there is no {absent[0]!r}, which every row needs where data.missing is not 'allow'",
            column=absent[0],
        )
    if len(absent) == len(branches):
        raise RowError(f"has no value of any branch: {wanted} is needed", column=absent[0])
    return held


def compose(branches: Mapping[str, Modality], *, missing: bool) -> Modality:
    """The modality of rows that have a value of each of these modalities, by branch.

    ``missing`` lets a row lack some of them. A branch reads the column of its name, and where its
    modality's first column is called so, the modality's others too.
    """
    augmented = {branch: each for branch, each in branches.items() if each.augment is not None}
    return Modality(
        name="+".join(dict.fromkeys(each.name for each in branches.values())),
        reader=partial(_reader, branches),
        columns=tuple(
            name for branch, each in branches.items() for name in each.columns_as(branch)
        ),
        fit=partial(_fitted, branches, missing),
        augment=partial(_augment, augmented) if augmented else None,
        repeats=all(each.repeats for each in branches.values()),
        suffixes=tuple(suffix for each in branches.values() for suffix in each.suffixes),
        branches=branches,
    )


def _reader(branches: Mapping[str, Modality], spec: Spec) -> BranchesReader:
    told = spec.get(BRANCHES)
    if told != {branch: each.name for branch, each in branches.items()}:
        raise BundleError(f"the reader's saved settings are of the branches {told!r}")
    readers = {branch: each.reader(of_branch(branch, spec)) for branch, each in branches.items()}
    return BranchesReader(readers, spec)


def _fitted(
    branches: Mapping[str, Modality], missing: bool, raws: Iterable[Any], spec: Spec
) -> Spec:
    """Complete each branch's spec from its raw values; ``raws`` can be gone through again."""
    rows = _Again(raws)
    own = {}
    for branch, modality in branches.items():
        own[branch] = of_branch(branch, spec)
        if modality.fit is not None:
            own[branch] = modality.fit(rows.of(branch), own[branch])
    whole = {**join_branches(own), BRANCHES: {name: each.name for name, each in branches.items()}}
    return {**whole, BLANKS: _blanks(_reader(branches, whole), rows)} if missing else whole


@dataclass(frozen=True)
class _Again:
    """Raw rows, of which one branch's values are taken at a time."""

    rows: Iterable[Any]

    def of(self, branch: str) -> Iterable[Any]:
        """The raw values of one branch."""
        return (raw[branch] for raw in self.rows if branch in raw)


def _blanks(reader: BranchesReader, rows: _Again) -> dict[str, tuple[str, list[int]]]:
    """The type and least shape of what each branch gives: what stands where a value is absent."""
    found: dict[str, tuple[str, list[int]]] = {}
    for branch, own in reader.branches.items():
        row = _first_read(own, islice(rows.of(branch), TRIED))
        for name, array in row.items():
            varying = fill_of(own.fills[name]).axes if name in own.fills else {}
            shape = [1 if axis in varying else size for axis, size in enumerate(array.shape)]
            found[name] = array.dtype.name, shape
    return found


def _first_read(reader: BranchReader, values: Iterable[Any]) -> Arrays:
    reason = "no training row has one"
    for value in values:
        try:
            return read_row(reader, {reader.branch: value})
        except RowError as error:
            reason = str(error)
    raise DataError(f"no value of branch {reader.branch!r} can be read: {reason}")


def _augment(
    branches: Mapping[str, Modality],
    strength: Strength,
    reader: BranchesReader,
    options: Mapping[str, Any],
) -> Augment:
    made = {
        branch: modality.augment(strength, reader.branches[branch].own, options.get(branch, {}))
        for branch, modality in branches.items()
        if modality.augment is not None
    }
    return _BranchesAugment(made, tuple(reader.branches))


def augment_of(augment: Augment | None, branch: str) -> Augment | None:
    """The augmentation of one branch; None where it has none."""
    return augment.branches.get(branch) if isinstance(augment, _BranchesAugment) else None


@dataclass(frozen=True)
class _BranchesAugment:
    """Changes the arrays of each branch that has an augmentation, where the row has the branch."""

    branches: Mapping[str, Augment]
    order: tuple[str, ...]

    @property
    def frames(self) -> bool:
        """Whether targets can be carried along with what moves on the one plane that there is."""
        return any(getattr(augment, "frames", False) for augment in self.branches.values())

    def __call__(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        changed = dict(row)
        for branch, augment in self.branches.items():
            if PRESENT not in row or row[PRESENT][self.order.index(branch)]:
                changed |= join_branches({branch: augment(of_branch(branch, row), rng)})
        return changed
