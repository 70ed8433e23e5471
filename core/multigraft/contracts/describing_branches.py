"""Branches of which one writes about the others: those are read, and its reader has the tokens of
the text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np

from multigraft.contracts.branches import (
    BRANCHES,
    BranchesReader,
    compose,
    join_branches,
    of_branch,
)
from multigraft.contracts.reader import PromptReader, Reader, WritingReader
from multigraft.contracts.records import Modality
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import BundleError, RowError, shown

WRITER = "writer"
"""Key of a spec: the branch that writes."""


class DescribingReader(BranchesReader):
    """Reads every branch but the one that writes, whose reader cuts and joins texts.

    Where one branch is read, its value may stand alone: ``"a.png"`` for ``{"image": "a.png"}``.
    """

    def __init__(self, readers: Mapping[str, Reader], spec: Spec, writer: Reader) -> None:
        super().__init__(readers, spec)
        self.writer = writer

    def read(self, raw: Any) -> Arrays:
        """The arrays of the branches that are read. Raises RowError."""
        return super().read(self._named(raw))

    def memory(self, raw: Any) -> int:
        """The sum over the branches whose readers tell."""
        return super().memory(self._named(raw))

    def oddities(self, raw: Any) -> Sequence[str]:
        """What the branches' readers tell of the values that a row has."""
        return super().oddities(self._named(raw))

    def spec(self) -> Spec:
        """Each branch's own, the writing one's among them."""
        name = self._spec[WRITER]
        own = join_branches({name: self.writer.spec()})
        return {**super().spec(), **own, WRITER: name}

    def prompt(self, raw: Any) -> np.ndarray:
        """No tokens: a text about a value begins as the model's do."""
        del raw
        return np.zeros(0, dtype=np.int64)

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        return cast("PromptReader", self.writer).text(tokens)

    def written(self, text: str) -> Sequence[int]:
        """The tokens of a text that is to be written, and the end. Raises RowError."""
        if not isinstance(text, str):
            raise RowError(f"holds {shown(text)}; a text is needed")
        return cast("WritingReader", self.writer).written(text)

    def _named(self, raw: Any) -> Any:
        if isinstance(raw, Mapping) or len(self.branches) != 1:
            return raw
        return dict.fromkeys(self.branches, raw)


def compose_describing(branches: Mapping[str, Modality], writer: str, *, missing: bool) -> Modality:
    """The modality of rows whose branches but one, the ``writer``, are read."""
    read = compose(
        {name: each for name, each in branches.items() if name != writer}, missing=missing
    )
    return replace(
        read,
        name="+".join(dict.fromkeys(each.name for each in branches.values())),
        reader=partial(_reader, read, writer, branches[writer]),
        fit=partial(_fitted, read, writer, branches),
    )


def alone(modality: Modality) -> Modality:
    """Of a describing modality that reads one branch: the same, its values standing alone."""
    if len(modality.branches) != 1:
        return modality
    (own,) = modality.branches.values()
    return replace(modality, branches={}, preview=own.preview)


def _reader(read: Modality, name: str, writer: Modality, spec: Spec) -> DescribingReader:
    told = spec.get(BRANCHES)
    if spec.get(WRITER) != name or not isinstance(told, Mapping):
        raise BundleError(f"the reader's saved settings are of the branches {told!r}")
    known = {branch: each for branch, each in told.items() if branch != name}
    made = cast("BranchesReader", read.reader({**spec, BRANCHES: known}))
    readers = {branch: each.own for branch, each in made.branches.items()}
    return DescribingReader(readers, spec, writer.reader(of_branch(name, spec)))


def _fitted(
    read: Modality, name: str, branches: Mapping[str, Modality], raws: Iterable[Any], spec: Spec
) -> Spec:
    """Complete each branch's spec; ``raws``, which can be gone through again, are the rows'
    values, and the texts that are written as ``{writer: text}``."""
    assert read.fit is not None
    whole, own = read.fit(raws, spec), of_branch(name, spec)
    writer = branches[name]
    if writer.fit is not None:
        own = writer.fit((raw[name] for raw in raws if name in raw), own)
    told = {branch: each.name for branch, each in branches.items()}
    return {**whole, **join_branches({name: own}), BRANCHES: told, WRITER: name}
