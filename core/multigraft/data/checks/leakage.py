"""Data leakage: rows that stand in two splits, equal or nearly so, found, told and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from multigraft.contracts.records import Likeness
from multigraft.data.cache.content import NOTHING
from multigraft.data.cache.digests import DIGEST, find
from multigraft.data.checks.near_duplicates import find_near
from multigraft.data.checks.sketches import Sketches
from multigraft.data.sources.table import Table
from multigraft.errors import DataError

SHOWN, NAMED, HELD = 20, 3, 60
FEW = 5
"""So many rows may be a coincidence: fewer never stop a run that allows any."""


@dataclass(frozen=True)
class Pair:
    """A leaked row, where it stands again, and how alike the two are."""

    row: str
    other: str
    likeness: float
    equal: bool
    """Whether the raw values are the same, and not only their sketches."""
    holds: str = ""
    """The beginning of the row's text; empty where it is no text."""
    other_holds: str = ""

    def record(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.row} as {self.other}" + ("" if self.equal else f" ({self.likeness:.2f})")


@dataclass(frozen=True)
class Leak:
    """Leaked rows: those of one split that stand in another too."""

    split: str
    other: str
    rows: int
    """All of the split's."""
    equal: int
    near: int
    pairs: tuple[Pair, ...]
    """Equal ones, then nearly equal ones, the most alike first."""

    @property
    def first(self) -> tuple[Pair, ...]:
        """Those that the record and the report hold, as many of each kind."""
        return (*self.pairs[: self.equal][:SHOWN], *self.pairs[self.equal :][:SHOWN])

    @property
    def share(self) -> float:
        """The share of the split's rows that stand in the other."""
        return (self.equal + self.near) / self.rows

    def notes(self) -> Iterator[str]:
        """Say what a person should know about it."""
        name = "training" if self.other == "train" else self.other
        for count, equal in ((self.equal, True), (self.near, False)):
            if not count:
                continue
            what = (
                f"also {name} rows (equal raw value)" if equal else f"nearly equal to {name} rows"
            )
            if self.other == "train":
                what += f", which {'flatters' if equal else 'may flatter'} the score"
            first = [str(pair) for pair in self.first if pair.equal == equal][:NAMED]
            more = ", ..." if count > len(first) else ""
            yield (
                f"{count} of {self.rows} {self.split} rows are {what}; remove the copies, or keep "
                f"them together: data.split.group; {', '.join(first)}{more}"
            )

    def record(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        # run.json calls the split "part", as it did from the first: older runs are opened too
        return {
            "part": self.split,
            "other": self.other,
            "rows": self.rows,
            "equal": self.equal,
            "near": self.near,
            "first": [pair.record() for pair in self.first],
        }


@dataclass(frozen=True)
class _Match:
    """For each row of a split: which row of another it is (or -1), how alike, and whether equal."""

    at: np.ndarray
    alike: np.ndarray
    equal: np.ndarray


def find_leaks(
    splits: Mapping[str, Table], sketches: Mapping[str, Sketches], likeness: Likeness | None
) -> list[Leak]:
    """Find rows of validation in training, and rows of test in training or in validation.

    Equal rows are found by the digests of their raw values, nearly equal ones by their sketches.
    """
    leaks = []
    for other, split in combinations(splits, 2):
        table, known = splits[split], splits[other]
        if not len(table) or not len(known):
            continue
        match = _equal(table, known)
        if likeness is not None:
            at, alike = find_near(sketches[split], sketches[other], likeness.near)
            equal = match.equal
            match = _Match(
                np.where(equal, match.at, at), np.where(equal, match.alike, alike), equal
            )
        if (match.at >= 0).any():
            leaks.append(_leak((split, table), (other, known), match))
    return leaks


def _equal(table: Table, known: Table) -> _Match:
    wanted, there = table.digests, known.digests
    order = np.argsort(there)
    at = find(wanted, there[order])
    equal = (at >= 0) & (wanted != np.array(NOTHING, DIGEST))
    return _Match(np.where(equal, order[at], -1), equal.astype(float), equal)


def _leak(split: tuple[str, Table], other: tuple[str, Table], match: _Match) -> Leak:
    near = np.flatnonzero((match.at >= 0) & ~match.equal)
    nearest = near[np.argsort(-match.alike[near], kind="stable")]
    rows = [*np.flatnonzero(match.equal).tolist(), *nearest.tolist()]
    return Leak(
        split=split[0],
        other=other[0],
        rows=len(match.at),
        equal=int(match.equal.sum()),
        near=len(near),
        pairs=tuple(
            Pair(
                row=split[1].place(row),
                other=other[1].place(int(match.at[row])),
                likeness=round(float(match.alike[row]), 3),
                equal=bool(match.equal[row]),
                holds=_beginning(split[1].raw(row)),
                other_holds=_beginning(other[1].raw(int(match.at[row]))),
            )
            for row in rows
        ),
    )


def _beginning(raw: Any) -> str:
    """A text's first characters on one line, those of several behind each other."""
    if isinstance(raw, tuple):
        return " | ".join(filter(None, map(_beginning, raw)))
    if not isinstance(raw, str):
        return ""
    text = " ".join(raw[: 2 * HELD].split())
    return text if len(text) <= HELD else f"{text[:HELD]}..."


def judge_leaks(leaks: Sequence[Leak], allowed: float) -> None:
    """Raise DataError, with examples, where more of a split's rows than that share stand in
    training."""
    least = FEW if allowed else 1
    over = [
        leak
        for leak in leaks
        if leak.other == "train" and leak.share > allowed and leak.equal + leak.near >= least
    ]
    if not over:
        return
    lines = []
    for leak in over:
        lines.append(
            f"{leak.split}: {leak.equal + leak.near} of {leak.rows} rows ({leak.share:.1%}) also "
            f"stand in training, {leak.equal} equal and {leak.near} nearly so; "
            f"{allowed:.1%} may"
        )
        lines += [f"  {pair}" for pair in leak.first[:SHOWN]]
    share = min(1.0, float(np.ceil(max(leak.share for leak in over) * 100) / 100))
    lines.append(
        "remove the copies, or keep them together: data.split.group; to train all the same, on a "
        f"score that means little: data.leakage.allowed: {share:g}"
    )
    raise DataError("\n".join(lines))
