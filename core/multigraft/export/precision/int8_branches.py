"""Int8 of several branches: each graph in the way that suits it, those that lose too much in
float."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import numpy as np

from multigraft.contracts.branches import PRESENT, of_branch
from multigraft.contracts.types import Arrays
from multigraft.export.acceptance import gate
from multigraft.export.acceptance.verdict import Evidence, Verdict
from multigraft.export.context import FP32, INT8, ExportContext
from multigraft.export.graph.storage import delete, files_of
from multigraft.export.precision.quantize import CannotQuantize, impossible, quantize, ways
from multigraft.export.sample_rows import calibration

Measure = Callable[[], Mapping[str, Evidence]]


def quantize_branches(context: ExportContext) -> tuple[list[str], list[str]]:
    """Write the int8 graph of each branch that can have one: those branches, and a word on the
    others."""
    done, told = list[str](), list[str]()
    sources, targets = context.targets(FP32), context.targets(INT8)
    for branch in context.branches:
        family = context.run.resolved.branches[branch].backbone
        if refused := impossible(family.quantization, sources[branch]):
            told.append(f"{branch}: {refused}")
            continue
        for way in ways(family.quantization, sources[branch]):
            try:
                quantize(sources[branch], targets[branch], way, _own(context, branch))
            except CannotQuantize as error:
                told.append(f"{branch}, {way}: {error}")
                continue
            done.append(branch)
            break
    return done, told


def fewest_floats(
    context: ExportContext, quantized: list[str], measure: Measure
) -> tuple[Mapping[str, Evidence], Verdict, tuple[str, ...]]:
    """The evidence, the verdict and the branches left in float: the fewest with which int8 is
    accepted, else none.

    The graphs of the others lie in place.
    """
    judge = gate.judge_of(context.run)
    targets = {branch: context.targets(INT8)[branch] for branch in quantized}
    first: tuple[Mapping[str, Evidence], Verdict, tuple[str, ...]] | None = None
    for count in range(len(quantized)):
        for floats in combinations(quantized, count):
            with _aside(context.folder, [targets[branch] for branch in floats]):
                evidence = measure()
            tried = evidence, judge.verdict(evidence[INT8], evidence[FP32]), floats
            if tried[1].accepted:
                for branch in floats:
                    delete(targets[branch])
                return tried
            first = first or tried
    assert first is not None
    return first


@contextmanager
def _aside(folder: Path, paths: Sequence[Path]) -> Iterator[None]:
    """Keep graphs elsewhere within the block."""
    files = [file for path in paths for file in files_of(path)]
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".aside-") as elsewhere:
        for file in files:
            file.rename(Path(elsewhere) / file.name)
        try:
            yield
        finally:
            for file in files:
                (Path(elsewhere) / file.name).rename(file)


def _own(context: ExportContext, branch: str) -> Iterator[Arrays]:
    """One branch's arrays of the training rows that calibrate, those that have it."""
    place = context.branches.index(branch)
    for batch in calibration(context.run):
        rows = len(next(iter(batch.values())))
        there = batch[PRESENT][:, place] > 0 if PRESENT in batch else np.ones(rows, dtype=bool)
        if there.any():
            yield {name: array[there] for name, array in of_branch(branch, batch).items()}
